"""`sonata volume mount`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Mount a volume if that is what it takes to reach its content; print where it is."""
    from sonata.engine.volumes.mounting import mount

    print(mount(call.engine, parsed.args[0]))
    return 0
