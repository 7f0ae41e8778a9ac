"""`sonata network update`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Change a network's name servers; print the network as it was named."""
    from sonata.engine.networks.update import update

    name = parsed.args[0]
    update(call.engine, name, add=tuple(parsed["dns-add"]), drop=tuple(parsed["dns-drop"]))
    print(name)
    return 0
