"""What `--userns auto:` and `--userns keep-id:` say behind the colon."""

from __future__ import annotations

from sonata.plan.idmaps import parse_one, unsigned
from sonata.plan.userns import AutoOptions
from sonata.plan.values import go_quote
from sonata_core.errors import UsageError
from sonata_core.models.process import IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT = ("uid", "gid", "size")
"""What `keep-id:` takes."""


def options_of(value: str, known: Iterable[str], *, empty: bool = False) -> dict[str, list[str]]:
    """`a=b,c=d` of a mode, each key with its values; `empty`: nothing is also one. Raises UsageError."""
    found: dict[str, list[str]] = {}
    for part in value.split(","):
        if not part and empty:
            continue
        key, equals, text = part.partition("=")
        if not equals:
            raise UsageError(f"invalid option specified: {go_quote(part)}")
        if key not in known:
            raise UsageError(f"unknown option specified: {go_quote(key)}")
        found.setdefault(key, []).append(text)
    return found


def auto_options(value: str | None, outer: IdMapping | None) -> AutoOptions:
    """What follows `auto:`; None: nothing does. `outer`: the engine's own maps. Raises UsageError."""
    if value is None:
        return AutoOptions()
    found = options_of(value, ("size", "uidmapping", "gidmapping"))
    uids = [part for text in found.get("uidmapping", ()) for part in parse_one(text, "UID", outer)]
    gids = [part for text in found.get("gidmapping", ()) for part in parse_one(text, "GID", outer)]
    size = unsigned(found["size"][-1]) if "size" in found else 0
    return AutoOptions(size=size, uids=tuple(uids), gids=tuple(gids))


def keep_id_user(value: str | None, own: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """The user and group of `keep-id:uid=…,gid=…`; `own` (root's) where they are not given. Raises UsageError."""
    if value is None:
        return own
    found = {key: unsigned(texts[-1]) for key, texts in options_of(value, KEPT, empty=True).items()}
    return found.get("uid", own[0]), found.get("gid", own[1])


def keep_id_size(value: str | None) -> int:
    """How many ids `keep-id:size=…` asks for; 0 for all. Raises UsageError."""
    return unsigned(options_of(value, KEPT, empty=True).get("size", ["0"])[-1]) if value else 0
