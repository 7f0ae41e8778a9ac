"""Published ports: the grammar of `-p` and `--expose`, merging, conflicts."""

from __future__ import annotations

from sonata.plan.values import atoi, go_quote
from sonata_core.errors import UsageError
from sonata_core.models.net import PortMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PROTOCOLS = ("tcp", "udp", "sctp")


def parse_all(given: Iterable[str]) -> tuple[PortMapping, ...]:
    """Mappings of every `-p`, merged and sorted. A `host_port` 0 is to be assigned."""
    return merge(mapping for text in given for mapping in parse(text))


def parse(text: str) -> list[PortMapping]:
    """One `[[IP:]HOST[-HOST]:]CTR[-CTR][/proto[,proto…]]`. Raises UsageError with Podman's texts."""
    ports, slash, protocols = text.partition("/")
    if "/" in protocols:
        raise UsageError("invalid port format - protocol can only be specified once")
    address, host, container = _split(ports)
    if not container:
        raise UsageError("must provide a non-empty container port to publish")
    first, count = _range(container, "container")
    host_port = 0
    if host:
        host_port, host_count = _range(host, "host")
        if host_count != count:
            raise UsageError(f"host and container port ranges have different lengths: {host_count} vs {count}")
    if address:
        _require_address(address)
    return [
        PortMapping(host_ip=address, host_port=host_port, container_port=first, range=count, protocol=protocol)
        for protocol in _protocols(protocols if slash else "tcp")
    ]


def _split(ports: str) -> tuple[str, str, str]:
    if ports.startswith("["):
        address, _, rest = ports[1:].partition("]")
        if not rest.startswith(":"):
            raise UsageError(f"invalid IPv6 format - no trailing : after {go_quote('[' + address + ']')}")
        host, colon, container = rest[1:].partition(":")
        if not colon:
            raise UsageError("must provide a non-empty container port to publish")
        if ":" in container:
            raise UsageError("invalid port format - when v6 address specified, must be [ipv6]:hostPort:ctrPort")
    else:
        parts = ports.split(":")
        if len(parts) > 3:
            raise UsageError("invalid port format - format is [[hostIP:]hostPort:]containerPort")
        address, host, container = ([""] * (3 - len(parts))) + parts
    return address, host, container


def _protocols(text: str) -> Iterator[str]:
    for protocol in dict.fromkeys(text.split(",")):
        if protocol.lower() not in _PROTOCOLS:
            raise UsageError(f"unrecognized protocol {go_quote(protocol)} in port mapping")
        yield protocol.lower()


def _range(text: str, side: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        start = _port(first)
        end = _port(last) if dash else start
    except UsageError as error:
        raise UsageError(f"parsing {side} port: {error.message}") from None
    if dash and end < start:
        raise UsageError(
            f"parsing {side} port: the end port of a range must be higher than the start port"
            f" - {end} is not higher than {start}"
        )
    return start, end - start + 1


def _port(text: str) -> int:
    try:
        value = atoi(text)
    except UsageError as error:
        raise UsageError(f"invalid port number: {error.message}") from None
    if not 1 <= value <= 65535:
        raise UsageError(f"port numbers must be between 1 and 65535 (inclusive), got {value}")
    return value


def _require_address(text: str) -> None:
    from sonata.plan.addresses import is_address

    if not is_address(text):
        raise UsageError(f"cannot parse {go_quote(text)} as an IP address")


def merge(mappings: Iterable[PortMapping]) -> tuple[PortMapping, ...]:
    """Sorted by host address, protocol and port; adjacent ranges become one, repetitions vanish.

    Raises UsageError where a host port leads to two container ports.
    """
    ordered = sorted(mappings, key=lambda m: (m.host_ip, m.protocol, m.host_port, m.container_port))
    result: list[PortMapping] = []
    for mapping in ordered:
        joined = _join(result[-1], mapping) if result and mapping.host_port else None
        if joined:
            result[-1] = joined
        elif mapping not in result:
            result.append(mapping)
    return tuple(result)


def _join(left: PortMapping, right: PortMapping) -> PortMapping | None:
    if (left.host_ip, left.protocol) != (right.host_ip, right.protocol) or not left.host_port:
        return None
    offset = right.host_port - left.host_port
    if offset > left.range:
        return None
    if right.container_port - left.container_port != offset:
        if offset < left.range:
            raise UsageError(f"conflicting port mappings for host port {right.host_port} (protocol {right.protocol})")
        return None
    return left.replace(range=max(left.range, offset + right.range))


def exposed(given: Iterable[str]) -> tuple[str, ...]:
    """Ports of `--expose` and of images: `80`, `80/udp`, `80-90/tcp` → `80/tcp`, … in order."""
    result: dict[str, None] = {}
    for text in given:
        ports, _, protocol = text.partition("/")
        first, _, last = ports.partition("-")
        try:
            start, end = atoi(first, "ParseUint"), atoi(last or first, "ParseUint")
        except UsageError as error:
            raise UsageError(f"invalid range format for --expose: {text}: {error.message}") from None
        if not 1 <= start <= end <= 65535:
            raise UsageError(f"invalid range format for --expose: {text}")
        for kind in _protocols(protocol or "tcp"):
            result.update(dict.fromkeys(f"{port}/{kind}" for port in range(start, end + 1)))
    return tuple(result)


def publish_exposed(mappings: tuple[PortMapping, ...], names: Iterable[str]) -> tuple[PortMapping, ...]:
    """`-P`: exposed ports that no mapping covers yet, each with a host port to be assigned."""
    extra = []
    for name in names:
        port, _, protocol = name.partition("/")
        number = int(port)
        if not any(
            m.protocol == protocol and m.container_port <= number < m.container_port + m.range for m in mappings
        ):
            extra.append(PortMapping(host_ip="", host_port=0, container_port=number, protocol=protocol))
    return merge((*mappings, *extra))


def wanted(mappings: Iterable[PortMapping]) -> list[PortMapping]:
    """The mappings that need a free host port (or as many in a row as their range)."""
    return [mapping for mapping in mappings if not mapping.host_port]


def assign(mappings: Iterable[PortMapping], free: Iterable[int]) -> tuple[PortMapping, ...]:
    """Give the wanted mappings, in order, the host ports that the engine found free."""
    ports = iter(free)
    return merge([m if m.host_port else m.replace(host_port=next(ports)) for m in mappings])
