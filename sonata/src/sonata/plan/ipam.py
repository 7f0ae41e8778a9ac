"""Which address a container gets: a pure choice over the leases that the engine keeps."""

from __future__ import annotations

from sonata.plan import addresses
from sonata_core.errors import Conflict, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata_core.models.net import NetworkDefinition, Subnet


def choose(subnet: Subnet, leases: Mapping[str, str], last: str = "", static: Iterable[str] = ()) -> tuple[str, bool]:
    """The address for a new lease, and whether it becomes the subnet's last one.

    `leases` maps addresses to container ids. A static address inside the subnet wins and does not
    move the last one; else the next free one after `last`, the gateway and the IPv4 broadcast left
    out, wrapping round once. Raises Conflict.
    """
    version, base, prefix = _parsed(subnet.subnet)
    size = 1 << ((32 if version == 4 else 128) - prefix)
    for text in static:
        wanted = addresses.parse(text)
        if wanted and wanted[0] == version and base <= wanted[1] < base + size:
            shown = addresses.show(*wanted)
            if shown in leases:
                raise Conflict(
                    f"IPAM error: requested ip address {shown} is already allocated to container ID {leases[shown]}"
                )
            return shown, False
    return _next(subnet, leases, last, (version, base, size)), True


def _next(subnet: Subnet, leases: Mapping[str, str], last: str, span: tuple[int, int, int]) -> str:
    version, base, size = span
    start = _value(subnet.range_start) or base + 1
    end = _value(subnet.range_end) or base + size - (2 if version == 4 and size > 2 else 1)
    skipped = {_value(subnet.gateway)}
    if version == 4 and size > 2:
        skipped.add(base + size - 1)
    taken = {_value(text) for text in leases} | skipped
    previous = _value(last)
    first = previous + 1 if previous is not None and start <= previous < end else start
    for low, high in ((first, end), (start, first - 1)):
        candidate = low
        while candidate <= high:
            if candidate not in taken:
                return addresses.show(version, candidate)
            candidate += 1
    shown = f"{addresses.show(version, start)} - {addresses.show(version, end)}"
    raise Conflict(
        f"IPAM error: failed to find free IP in range: {shown}", "Remove containers of this network, or use another."
    )


def _value(text: str) -> int | None:
    parsed = addresses.parse(text) if text else None
    return parsed[1] if parsed else None


def _parsed(cidr: str) -> tuple[int, int, int]:
    parsed = addresses.parse_subnet(cidr)
    if parsed is None:
        raise UsageError(f"subnet {cidr} is invalid")
    return parsed


def require_static(network: NetworkDefinition, static: Iterable[str]) -> None:
    """Raises Conflict for a static address that lies in no subnet of the network."""
    spans = [_parsed(subnet.subnet) for subnet in network.subnets]
    for text in static:
        wanted = addresses.parse(text)
        if not wanted or not any(
            version == wanted[0] and base <= wanted[1] < base + (1 << ((32 if version == 4 else 128) - prefix))
            for version, base, prefix in spans
        ):
            raise Conflict(f"requested static ip {text} not in any subnet on network {network.name}")
