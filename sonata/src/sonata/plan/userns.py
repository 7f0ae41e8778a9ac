"""User namespaces: the maps of `--userns`, and the ranges that they are cut from, in ids as the engine sees them.

The grammar of `--uidmap` is in `plan.idmaps`. Source: podman-run(1), and what Podman 5.8 answers.
"""

from __future__ import annotations

from sonata.plan.values import is_digits
from sonata_core.errors import UsageError
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_IDS = 2**32 - 1
NOBODY = 65534


class AutoOptions(Record):
    """`auto:size=…,uidmapping=…,gidmapping=…`. Size 0: what the image needs; the maps are fixed beforehand."""

    size: int = 0
    uids: tuple[IdMap, ...] = ()
    gids: tuple[IdMap, ...] = ()


def identity() -> IdMapping:
    """Every id is itself: what `keep-id` is for root."""
    every = (IdMap(container_id=0, host_id=0, size=MAX_IDS),)
    return IdMapping(uids=every, gids=every)


def keep_id(at: int, total: int) -> tuple[IdMap, ...]:
    """`keep-id`, rootless: the user is `at` in the container, around it `total` subordinate ids."""
    below = min(at, total)
    parts = (
        IdMap(container_id=0, host_id=1, size=below),
        IdMap(container_id=at, host_id=0, size=1),
        IdMap(container_id=at + 1, host_id=at + 1, size=total - below),
    )
    return tuple(part for part in parts if part.size > 0)


def no_map(total: int) -> tuple[IdMap, ...]:
    """`nomap`: subordinate ids only; the user's own is not in the container."""
    return (IdMap(container_id=0, host_id=1, size=total),)


def sub_ids(text: str, owners: Iterable[str], *, in_order: bool = True) -> tuple[IdMap, ...]:
    """The ranges that /etc/subuid or /etc/subgid gives to one of `owners`, one after the other from 0 on.

    The lowest first, or not `in_order`: as the file has them. Lines that make no sense are passed over. Empty where
    there is none. Source: subuid(5).
    """
    wanted = tuple(owners)
    ranges: list[tuple[int, int]] = []
    for line in text.splitlines():
        owner, _, rest = line.strip().partition(":")
        start, _, count = rest.partition(":")
        numbers = is_digits(start) and is_digits(count) and max(len(start), len(count)) < 12
        if owner in wanted and numbers and int(count) and int(start) + int(count) <= MAX_IDS:
            ranges.append((int(start), int(count)))
    found: list[IdMap] = []
    inside = 0
    for first, size in sorted(ranges) if in_order else ranges:
        found.append(IdMap(container_id=inside, host_id=first, size=size))
        inside += size
    return tuple(found)


def size_for(options: AutoOptions, highest: int, least: int, most: int) -> int:
    """How many ids an automatic namespace gets: as asked, else room for `highest`, the image's largest id, or -1.

    Raises UsageError beyond `most` (0: no bound), `auto-userns-max-size` of storage.conf.
    """
    if options.size:
        return options.size
    size = max(highest + 1, least, 1)
    if 0 < most < size:
        raise UsageError(
            f"creating container storage: the container needs a user namespace with size {size} that is bigger than "
            f"the maximum value allowed with userns=auto {most}"
        )
    return size


def automatic(size: int, pool: IdMapping, used: Iterable[IdMapping], fixed: AutoOptions | None = None) -> IdMapping:
    """`auto`: the first free ids of the pool, whose `host_id` counts, that are in no other container's maps.

    Raises UsageError where there are not enough.
    """
    fixed = fixed or AutoOptions()
    others = list(used)
    return IdMapping(
        uids=_automatic(size, pool.uids, [part for one in others for part in one.uids], fixed.uids),
        gids=_automatic(size, pool.gids, [part for one in others for part in one.gids], fixed.gids),
    )


def _automatic(
    size: int, pool: tuple[IdMap, ...], used: Iterable[IdMap], fixed: tuple[IdMap, ...]
) -> tuple[IdMap, ...]:
    taken = sorted((part.host_id, part.host_id + part.size) for part in (*used, *fixed))
    inner = sorted((part.container_id, part.container_id + part.size) for part in fixed)
    free = [gap for start, end in _joined(pool) for gap in _gaps(start, end, taken)]
    gaps = list(_gaps(0, size, inner))
    result = drawn(gaps, free)
    if sum(part.size for part in result) < sum(end - start for start, end in gaps):
        raise UsageError(
            "creating container storage: not enough unused IDs in user namespace",
            "Longer ranges in /etc/subuid and /etc/subgid give more: an ordinary user's own, then `sonata system "
            "migrate`; for root those of storage.conf's `root-auto-userns-user` (`containers`).",
        )
    return (*result, *fixed)


def drawn(gaps: Iterable[tuple[int, int]], free: Iterable[tuple[int, int]]) -> list[IdMap]:
    """Maps for the container's ids in `gaps`, from the `free` ids of the host in their order, as far as these last."""
    left = list(free)
    result: list[IdMap] = []
    for first, end in gaps:
        start = first
        while start < end and left:
            low, high = left.pop(0)
            count = min(end - start, high - low)
            result.append(IdMap(container_id=start, host_id=low, size=count))
            start += count
            if low + count < high:
                left.insert(0, (low + count, high))
    return result


def extended(fixed: Sequence[IdMap], pool: Iterable[IdMap]) -> tuple[IdMap, ...]:
    """The maps, and every other id of the engine's own namespace in the container's first ids that have none."""
    taken = sorted((part.host_id, part.host_id + part.size) for part in fixed)
    inner = sorted((part.container_id, part.container_id + part.size) for part in fixed)
    known = sorted((part.container_id, part.container_id + part.size) for part in pool)
    free = [gap for start, end in known for gap in _gaps(start, end, taken)]
    return (*fixed, *drawn(_gaps(0, MAX_IDS, inner), free))


def _joined(pool: tuple[IdMap, ...]) -> list[tuple[int, int]]:
    """The host's ranges, those that touch or overlap made one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((part.host_id, part.host_id + part.size) for part in pool):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _gaps(start: int, end: int, taken: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for low, high in taken:
        if high <= start or low >= end:
            continue
        if low > start:
            yield start, low
        start = max(start, high)
    if start < end:
        yield start, end


def highest_id(uid_sets: Iterable[int], passwd: bytes, group: bytes) -> int:
    """The largest id of an image, by its layers' records and its passwd and group files; -1 for none.

    nobody and nogroup do not count, or most images would need 65535 ids.
    """
    from sonata.plan.users import accounts, groups

    found = [-1, *uid_sets]
    for account in accounts(passwd):
        if account.name not in ("nobody", "nogroup"):
            found += [number for number in (account.uid, account.gid) if number != NOBODY]
    found += [one.gid for one in groups(group) if one.name not in ("nobody", "nogroup") and one.gid != NOBODY]
    return max(found)


def on_host(maps: Iterable[IdMap], inside: int) -> int | None:
    """The host's id for one in the container; None for one that is not mapped."""
    for part in maps:
        if part.container_id <= inside < part.container_id + part.size:
            return part.host_id + inside - part.container_id
    return None
