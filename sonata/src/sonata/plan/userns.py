"""User namespaces: the maps of `--userns` and `--uidmap`, in ids as the engine sees them."""

from __future__ import annotations

from itertools import pairwise

from sonata.plan.values import go_quote, is_digits
from sonata_core.errors import UsageError
from sonata_core.models.process import IdMap, IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX = 2**32 - 1


def parse(texts: Iterable[str]) -> tuple[IdMap, ...]:
    """`--uidmap CONTAINER:HOST[:SIZE]`, several also joined by commas. Raises UsageError."""
    result = []
    for text in texts:
        parts = text.split(":")
        if len(parts) not in (2, 3) or not all(is_digits(part) and int(part[:12]) <= _MAX for part in parts):
            raise UsageError(f"invalid id map {go_quote(text)}: use CONTAINER-ID:HOST-ID:SIZE")
        size = int(parts[2]) if len(parts) == 3 else 1
        if not size:
            raise UsageError(f"invalid id map {go_quote(text)}: its size is 0")
        result.append(IdMap(container_id=int(parts[0]), host_id=int(parts[1]), size=size))
    ordered = sorted(result, key=lambda part: part.container_id)
    for left, right in pairwise(ordered):
        if left.container_id + left.size > right.container_id:
            raise UsageError(f"id maps overlap at container id {right.container_id}")
    return tuple(ordered)


def explicit(uid_texts: Iterable[str], gid_texts: Iterable[str]) -> IdMapping:
    """The maps of `--uidmap` and `--gidmap`; one of them alone holds for both."""
    uids, gids = parse(uid_texts), parse(gid_texts)
    return IdMapping(uids=uids or gids, gids=gids or uids)


def keep_id(own: int, total: int, inside: int | None = None) -> tuple[IdMap, ...]:
    """`keep-id`, rootless: the user is `inside` (or `own`) in the container, around it `total` subordinate ids."""
    at = own if inside is None else inside
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


def automatic(size: int, pool: Iterable[IdMap], used: Iterable[IdMap]) -> tuple[IdMap, ...]:
    """`auto`: the first free ids of the pool (whose `host_id` counts), not in other containers' maps."""
    taken = sorted((part.host_id, part.host_id + part.size) for part in used)
    result: list[IdMap] = []
    inside = 0
    for part in sorted(pool, key=lambda entry: entry.host_id):
        for start, end in _gaps(part.host_id, part.host_id + part.size, taken):
            count = min(size - inside, end - start)
            if count > 0:
                result.append(IdMap(container_id=inside, host_id=start, size=count))
                inside += count
    if inside < size:
        raise UsageError("could not find enough available IDs", "Add ranges to /etc/subuid and /etc/subgid.")
    return tuple(result)


def _gaps(start: int, end: int, taken: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    for low, high in taken:
        if high <= start or low >= end:
            continue
        if low > start:
            yield start, low
        start = max(start, high)
    if start < end:
        yield start, end


def split(parts: Iterable[IdMap], outer: Iterable[IdMap]) -> tuple[IdMap, ...]:
    """The same map in pieces that each lie in one range of the engine's own namespace."""
    result = []
    ranges = sorted((entry.container_id, entry.container_id + entry.size) for entry in outer)
    for part in parts:
        for low, high in ranges:
            start, end = max(low, part.host_id), min(high, part.host_id + part.size)
            if start < end:
                offset = start - part.host_id
                result.append(IdMap(container_id=part.container_id + offset, host_id=start, size=end - start))
    return tuple(result)
