"""Id maps in the pieces that the kernel takes: each inside one range of the namespace in which it is written."""

from __future__ import annotations

from sonata_core.models.process import IdMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def split(parts: Iterable[IdMap], outer: Iterable[IdMap]) -> tuple[IdMap, ...]:
    """The same map in pieces that each lie in one range of `outer`; ids that lie in none are left out.

    A user with several lines in /etc/subuid has as many ranges, and the kernel (user_namespaces(7)) takes no line of a
    map that lies in two of them.
    """
    result = []
    ranges = sorted((entry.container_id, entry.container_id + entry.size) for entry in outer)
    for part in parts:
        for low, high in ranges:
            start, end = max(low, part.host_id), min(high, part.host_id + part.size)
            if start < end:
                offset = start - part.host_id
                result.append(IdMap(container_id=part.container_id + offset, host_id=start, size=end - start))
    return tuple(result)
