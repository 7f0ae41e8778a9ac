"""The image that a container is to be made from: found, or pulled as the policy says."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.transfer import Progress
    from sonata.model.image_request import PullOptions
    from sonata.store.records import ImageRecord

POLICIES = ("always", "missing", "never", "newer")


def policy_named(text: str | None, default: str) -> str:
    """A pull policy by its name, or by the boolean that older scripts give. Raises UsageError."""
    name = (text or default).lower()
    name = {"true": "always", "false": "never", "ifnotpresent": "missing", "ifnewer": "newer"}.get(name, name)
    if name not in POLICIES:
        raise UsageError(f'unsupported pull policy "{text}"', hint=f"policies are {', '.join(POLICIES)}")
    return name


def ensure(
    engine: Engine, text: str, policy: str, options: PullOptions, progress: Progress | None = None
) -> tuple[ImageRecord, str]:
    """The image named `text` and its full name. `progress` is told of a pull, by default the engine's own.

    Raises NotFound, and what a pull raises.
    """
    found = None if policy == "always" else lookup.find(engine, text)
    if found is not None and policy != "newer":
        return found
    if policy == "never":
        raise NotFound(f"{text}: image not known", hint=f"sonata pull {text}", name=text)
    from sonata.engine.images.pull import pull_one

    try:
        return pull_one(engine, text, options, progress or engine.progress)
    except SonataError:
        if found is not None:
            return found
        raise
