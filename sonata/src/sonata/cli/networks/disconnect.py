"""`sonata network disconnect`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Take a container off a network."""
    from sonata.engine.networks.connect import disconnect

    network, container = parsed.args
    disconnect(call.engine, container, network, force=parsed["force"])
    return 0
