"""`sonata network connect`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Put a container on a network."""
    from sonata.engine.networks.connect import connect
    from sonata.model.container import NetworkUse

    network, container = parsed.args
    addresses = tuple(address for address in (parsed["ip"], parsed["ip6"]) if address)
    use = NetworkUse(network=network, aliases=tuple(parsed["alias"]), static_ips=addresses, mac=parsed["mac-address"])
    connect(call.engine, container, use)
    return 0
