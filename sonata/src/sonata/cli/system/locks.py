"""`sonata system locks`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(_parsed: Parsed, call: Call) -> int:
    """Print which locks are held. Two things never share one."""
    from sonata.engine.system.upkeep import locks_held

    print("\nNo lock conflicts have been detected.\n")
    for name in locks_held(call.engine):
        print(f"Lock {name} is presently being held")
    return 0
