"""The grammar of id maps: `--uidmap [ug+]CONTAINER:[@]HOST[:SIZE]`, and `idmap=uids=…;gids=…` of a mount.

Source: podman-run(1) and what Podman 5.8 makes of each form.
"""

from __future__ import annotations

from sonata.plan import userns
from sonata.plan.userns import MAX_IDS
from sonata.plan.values import go_quote, is_digits
from sonata_core.errors import UsageError
from sonata_core.models.process import IdMap, IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Ranges:
    """What the names of `--subuidname` and `--subgidname` stand for."""

    __slots__ = ("gids", "uids")

    def __init__(self, uids: tuple[IdMap, ...] = (), gids: tuple[IdMap, ...] = ()) -> None:
        self.uids, self.gids = uids, gids


def explicit(
    uid_texts: Sequence[str], gid_texts: Sequence[str], outer: IdMapping | None = None, named: Ranges | None = None
) -> IdMapping:
    """The maps of `--uidmap` and `--gidmap`, after those of `--subuidname`; one of the two alone holds for both.

    `outer`: the engine's own maps, None where every id is itself: an ordinary user's maps that begin with `+`, or that
    are of users or of groups only, are extended by his other ids. Raises UsageError.
    """
    named = named or Ranges()
    uids = (*named.uids, *parse(uid_texts or gid_texts, "UID", outer))
    gids = (*named.gids, *parse(gid_texts or uid_texts, "GID", outer))
    if not uids and not gids:
        raise UsageError("must provide at least one UID or GID mapping to configure a user namespace")
    if outer is not None:
        if not uids or _extends(uid_texts or gid_texts, "u"):
            uids = _merged(userns.extended(uids, outer.uids))
        if not gids or _extends(gid_texts or uid_texts, "g"):
            gids = _merged(userns.extended(gids, outer.gids))
    for which, maps in (("UID", uids), ("GID", gids)):
        _require_sound(which, maps)
    if outer is not None:
        _require_there(uids, gids, outer)
    return IdMapping(uids=uids, gids=gids)


def _extends(texts: Sequence[str], mine: str) -> bool:
    """Whether the first of the maps that hold for users (`u`) or for groups (`g`) has a `+`."""
    for text in texts:
        flags = text.rstrip("@:0123456789")
        if text and (mine in flags or not {"u", "g"} & set(flags)):
            return "+" in flags
    return False


def _require_sound(which: str, maps: tuple[IdMap, ...]) -> None:
    """Raises UsageError for maps that the kernel or the storage would not take."""
    bad: list[str] = []
    for number, part in enumerate(maps):
        if any(_overlap(part, other) for other in maps[:number]):
            bad.append(f"{part.container_id}:{part.host_id}:{part.size}")
    if bad:
        words = ("mapping", "conflicts") if len(bad) == 1 else ("mappings", "conflict")
        raise UsageError(
            f"creating container storage: the specified UID and/or GID {words[0]} {', '.join(bad)} {words[1]} "
            "with other mappings: invalid mappings specified"
        )
    if not any(part.container_id == 0 for part in maps):
        option = f"--{which.lower()}map"
        raise UsageError(
            "container ID 0 cannot be mapped to a host ID",
            hint=f"the container's {which} 0 needs a place: give {option} 0:HOST-ID:SIZE",
        )


def _require_there(uids: tuple[IdMap, ...], gids: tuple[IdMap, ...], outer: IdMapping) -> None:
    """Raises UsageError for ids that the engine's own namespace has not."""
    lacking = [_lacking(parts, known) for parts, known in ((uids, outer.uids), (gids, outer.gids))]
    if max(lacking) >= 0:
        asked = ":".join(str(max(one, 0)) for one in lacking)
        raise UsageError(
            "creating container storage: potentially insufficient UIDs or GIDs available in user namespace "
            f'(requested {asked}): Check /etc/subuid and /etc/subgid if configured locally and run "sonata system '
            'migrate"'
        )


def _lacking(parts: tuple[IdMap, ...], known: tuple[IdMap, ...]) -> int:
    """The first id that is asked for and not there; -1 for none."""
    for part in parts:
        at, end = part.host_id, part.host_id + part.size
        while at < end:
            step = next((one for one in known if one.container_id <= at < one.container_id + one.size), None)
            if step is None:
                return at
            at = step.container_id + step.size
    return -1


def _overlap(one: IdMap, other: IdMap) -> bool:
    inside = one.container_id < other.container_id + other.size and other.container_id < one.container_id + one.size
    return inside or (one.host_id < other.host_id + other.size and other.host_id < one.host_id + one.size)


def parse(texts: Sequence[str], which: str, outer: IdMapping | None = None) -> tuple[IdMap, ...]:
    """All values of one option. `which` is `UID` or `GID`. Raises UsageError with Podman's texts."""
    shown = " ".join(go_quote(text) for text in texts)
    result: list[IdMap] = []
    for text in texts:
        if not text:
            continue
        words = text.split(":")
        if len(words) == 2:
            words.append("1")
        if len(words) % 3 or not all(words[::3]):
            raise UsageError(
                f"initializing ID mappings: {which} setting is malformed expected "
                f'["[+ug]uint32:[@]uint32[:uint32]"] : [{shown}]'
            )
        for at in range(0, len(words), 3):
            result = _add(result, words[at : at + 3], which, outer)
    return _merged(result)


def parse_one(text: str, which: str, outer: IdMapping | None = None) -> tuple[IdMap, ...]:
    """One `CONTAINER:[@]HOST[:SIZE]`, as `auto:uidmapping=` takes it. Raises UsageError."""
    words = text.split(":")
    if len(words) == 2:
        words.append("1")
    if len(words) != 3:
        raise UsageError(
            f"initializing ID mappings: {which} setting is malformed expected "
            f'["uint32:[@]uint32[:uint32]"] : {go_quote(text)}'
        )
    if not words[0]:
        raise UsageError(f"invalid empty container id at {which} map: [{' '.join(words)}]")
    return _merged(_triple(words, words[0], which, outer))


def _add(result: list[IdMap], words: list[str], which: str, outer: IdMapping | None) -> list[IdMap]:
    """One triple more: alone for users (`u`) or groups (`g`), or taking others' place (`+`)."""
    flags, number = _flags(words)
    mine = "u" if which == "UID" else "g"
    if ("u" in flags or "g" in flags) and mine not in flags:
        # Numbers are read all the same, but for what `@` would look up.
        _triple([words[0], words[1].removeprefix("@"), words[2]], number, which, None)
        return result
    for part in _triple(words, number, which, outer):
        result = _break_insert(result, part) if "+" in flags else [*result, part]
    return result


def _flags(words: list[str]) -> tuple[str, str]:
    shown = " ".join(words)
    for at, char in enumerate(words[0]):
        if char in "0123456789":
            return words[0][:at], words[0][at:]
        if char not in "+ug":
            raise UsageError(f"invalid mapping: [{shown}]. Unknown flag {ord(char)}")
    raise UsageError(f"invalid mapping: [{shown}], parsing flags")


def _triple(words: list[str], number: str, which: str, outer: IdMapping | None) -> list[IdMap]:
    inside = _number(number, words[0])
    if not words[1]:
        raise UsageError(f"invalid empty host id at {which} map: [{' '.join(words)}]")
    outside = _number(words[1].removeprefix("@"), words[1])
    size = _number(words[2], words[2])
    if not size:
        return []
    part = IdMap(container_id=inside, host_id=outside, size=size)
    if not words[1].startswith("@") or outer is None:
        return [part]
    return _from_parent(part, which, outer.uids if which == "UID" else outer.gids)


def _from_parent(part: IdMap, which: str, outer: tuple[IdMap, ...]) -> list[IdMap]:
    """A map whose host ids are those of the initial namespace, in the engine's own ids."""
    found: list[IdMap] = []
    at, end = part.host_id, part.host_id + part.size
    while at < end:
        piece = next((one for one in outer if one.host_id <= at < one.host_id + one.size), None)
        if piece is None:
            raise UsageError(f"parent ID {which} {at} is not mapped/delegated")
        count = min(end, piece.host_id + piece.size) - at
        inside = part.container_id + at - part.host_id
        found.append(IdMap(container_id=inside, host_id=piece.container_id + at - piece.host_id, size=count))
        at += count
    return found


def _number(text: str, shown: str) -> int:
    try:
        return unsigned(text)
    except UsageError as error:
        raise UsageError(f"parsing id map value {go_quote(shown)}: {error.message}") from None


def unsigned(text: str) -> int:
    """A number of 32 bits as Go's strconv reads it. Raises UsageError with strconv's text."""
    if not is_digits(text):
        raise UsageError(f"strconv.ParseUint: parsing {go_quote(text)}: invalid syntax")
    if len(text.lstrip("0")) > 10 or int(text) > MAX_IDS:
        raise UsageError(f"strconv.ParseUint: parsing {go_quote(text)}: value out of range")
    return int(text)


def _break_insert(maps: Iterable[IdMap], new: IdMap) -> list[IdMap]:
    """The maps without what `new` has inside or outside, and `new` at their end."""
    result: list[IdMap] = []
    for part in maps:
        cuts = sorted(
            (max(low, 0), min(low + new.size, part.size))
            for low in (new.container_id - part.container_id, new.host_id - part.host_id)
        )
        at = 0
        for low, high in [*((low, high) for low, high in cuts if low < high), (part.size, part.size)]:
            if low > at:
                result.append(IdMap(container_id=part.container_id + at, host_id=part.host_id + at, size=low - at))
            at = max(at, high)
    return [*result, new]


def _merged(maps: Iterable[IdMap]) -> tuple[IdMap, ...]:
    """Sorted by the container's ids, what continues another made one with it."""
    result: list[IdMap] = []
    for part in sorted(maps, key=lambda one: one.container_id):
        last = result[-1] if result else None
        if (
            last is not None
            and last.container_id + last.size == part.container_id
            and last.host_id + last.size == part.host_id
        ):
            result[-1] = last.replace(size=last.size + part.size)
        else:
            result.append(part)
    return tuple(result)


def of_mount(text: str, own: IdMapping | None) -> IdMapping | None:
    """The maps of a mount's option `idmap`: `""` the container's own, or `uids=C-H-N#…;gids=…`.

    A range that begins with `@` has host ids relative to the container's map. None: nothing is mapped.
    Raises UsageError with Podman's texts.
    """
    uids, gids = (own.uids, own.gids) if own is not None else ((), ())
    for part in text.split(";") if text else ():
        key, _, value = part.partition("=")
        if key == "uids" and "=" in part:
            uids = _mount_ranges(value, own.uids if own is not None else ())
        elif key == "gids" and "=" in part:
            gids = _mount_ranges(value, own.gids if own is not None else ())
        else:
            raise UsageError(f"unknown option {go_quote(part)}")
    if not uids and not gids:
        return None
    if not uids or not gids:
        raise UsageError(
            f"idmap={text}: maps for users and for groups are needed",
            hint="outside a user namespace of its own, give a container both: idmap=uids=…;gids=…",
        )
    return IdMapping(uids=uids, gids=gids)


def _mount_ranges(text: str, own: tuple[IdMap, ...]) -> tuple[IdMap, ...]:
    return tuple(_mount_range(part, text, own) for part in text.split("#"))


def _mount_range(part: str, text: str, own: tuple[IdMap, ...]) -> IdMap:
    if not part:
        raise UsageError(f"invalid empty range for {go_quote(text)}")
    numbers = part.removeprefix("@").split("-")
    if len(numbers) < 3:
        raise UsageError("unexpected EOF")
    if len(numbers) > 3 or not all(is_digits(one) and len(one) < 11 for one in numbers):
        raise UsageError(f"invalid value for {go_quote(text)}")
    inside, outside, size = (int(one) for one in numbers)
    if size < 1 or max(inside, outside) + size > MAX_IDS:
        raise UsageError(f"invalid value for {go_quote(text)}")
    if part.startswith("@"):
        base = next((one for one in own if one.container_id <= inside < one.container_id + one.size), None)
        if base is None:
            raise UsageError(f"could not find a user namespace mapping for the relative mapping {go_quote(text)}")
        outside += base.host_id - base.container_id
    return IdMap(container_id=inside, host_id=outside, size=size)
