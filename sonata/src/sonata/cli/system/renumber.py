"""`sonata system renumber`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(_parsed: Parsed, call: Call) -> int:
    """Take away locks that nothing needs any more. Prints nothing."""
    from sonata.engine.system.upkeep import renumber

    renumber(call.engine)
    return 0
