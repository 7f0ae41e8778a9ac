"""`sonata port`."""

from __future__ import annotations

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import PortMapping


def wanted(text: str) -> tuple[int, str]:
    """`80` or `80/udp` as number and protocol. Raises UsageError."""
    number, _, protocol = text.partition("/")
    if not number.isdecimal() or not 0 < int(number) < 65536:
        raise UsageError(f'strconv.ParseUint: parsing "{number}": invalid syntax')
    return int(number), protocol or "tcp"


def published(engine: Engine, row: ContainerRow) -> tuple[PortMapping, ...]:
    """Published ports, also of the container whose network it shares: none while it does not run."""
    from sonata.engine.containers.listing import ports_of

    return ports_of(engine, row.config) if row.state.pid else ()


def pairs(mappings: Iterable[PortMapping]) -> Iterable[tuple[int, str, str]]:
    """Container port, protocol, and `address:port` on the host, one for each port."""
    for mapping in mappings:
        address = mapping.host_ip or "0.0.0.0"  # noqa: S104
        address = f"[{address}]" if ":" in address else address
        for number in range(mapping.range):
            yield mapping.container_port + number, mapping.protocol, f"{address}:{mapping.host_port + number}"


def command(parsed: Parsed, call: Call) -> int:
    """Print where a container's ports are published, or where one of them is."""
    from sonata.engine.containers.select import one, select
    from sonata.model.container_request import Selection

    engine = call.engine
    args = list(parsed.args)
    if parsed["all"]:
        for ident, _ in select(engine, Selection(all=True)):
            for port, protocol, host in pairs(published(engine, one(engine, ident))):
                print(f"{ident[:12]}\t{port}/{protocol} -> {host}")
        return 0
    name = "" if parsed["latest"] else args.pop(0)
    row = one(engine, name, latest=parsed["latest"])
    mappings = published(engine, row)
    only = wanted(args[0]) if args else None
    if only and mappings and all((port, protocol) != only for port, protocol, _ in pairs(mappings)):
        raise NotFound(f'failed to find published port "{args[0]}"', hint=f"`sonata port {row.config.name}` lists them")
    for port, protocol, host in pairs(mappings):
        if only is None:
            print(f"{port}/{protocol} -> {host}")
        elif (port, protocol) == only:
            print(host)
    return 0
