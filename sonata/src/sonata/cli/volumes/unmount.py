"""`sonata volume unmount`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Take one `volume mount` back; print the volume's name."""
    from sonata.engine.volumes.mounting import unmount

    print(unmount(call.engine, parsed.args[0]))
    return 0
