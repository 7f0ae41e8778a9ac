"""The image that a container is to be made from: found, or pulled as the policy says."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.platforms import asks_platform, fits, require_platform, wanted_platform
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress
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


def local_image(engine: Engine, text: str, options: PullOptions) -> tuple[ImageRecord, str] | None:
    """The image of the store that `text` names, for the platform that was asked for, and its full name.

    `docker://` before a name is passed over; what another transport names is never local. Raises UsageError, Conflict.
    """
    platform = wanted_platform(engine, options) if asks_platform(options) else None
    try:
        found = lookup.find(engine, text.removeprefix("docker://"), platform=platform)
    except UsageError as error:
        from sonata.image.reference import transport_or_name

        if transport_or_name(text, engine.catalog.names(TRANSPORT))[0]:
            return None
        if error.message.startswith("unsupported transport"):
            raise lookup.bad_reference(text, UsageError("invalid reference format")) from error
        raise
    return found if found is not None and fits(engine, found[0], options) else None


def ensure(
    engine: Engine, text: str, policy: str, options: PullOptions, progress: Progress | None = None
) -> tuple[ImageRecord, str]:
    """The image named `text` and its full name. `progress` is told of a pull, by default the engine's own.

    Raises NotFound, UsageError, and what a pull raises.
    """
    if options.platform:
        require_platform(engine, options)
    found = local_image(engine, text, options)
    if found is not None and policy in ("always", "newer") and _by_id(found[0], text):
        if policy == "newer":
            return found
        raise _no_name(text)
    if found is not None and policy in ("missing", "never"):
        return found
    if policy == "never":
        raise NotFound(f"{text}: image not known", hint=f"sonata pull {text}", name=text)
    if found is None and _is_whole_id(text):
        raise _no_name(text) if policy == "always" else NotFound(f"{text}: image not known", name=text)
    from sonata.engine.images.pull import pull_one

    progress = progress or engine.progress
    wanted = found[1] if found is not None and _settles(found[1], text) else text
    if policy == "always" or found is None:
        return pull_one(engine, wanted, options, progress)
    try:
        return pull_one(engine, wanted, options, progress, kept=found[0])
    except SonataError:
        return found


def _settles(name: str, text: str) -> bool:
    """Whether an image that is there says which of the places is meant that a short name may stand for."""
    from sonata.config.registries import is_short

    return bool(name) and "@" not in text and is_short(text)


def _no_name(text: str) -> UsageError:
    return UsageError(
        f"pull policy is always but image has been referred to by ID ({text})", hint="name the image, or do not pull"
    )


def _is_whole_id(text: str) -> bool:
    """Whether it can only be the id of an image, which no registry is asked for."""
    return text.startswith("sha256:") or (len(text) == 64 and not any(sign in text for sign in "/.:@"))


def _by_id(image: ImageRecord, text: str) -> bool:
    """Whether an image was meant by its id, or the beginning of one, rather than by a name."""
    bare = text.removeprefix("sha256:")
    return image.id.startswith(bare) and not any(f"/{bare}:" in name for name in image.names)
