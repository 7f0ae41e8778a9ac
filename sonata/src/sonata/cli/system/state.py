"""`sonata system state`: the state database, for debugging."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(_parsed: Parsed, call: Call) -> int:
    """Print every table as JSON."""
    from sonata.cli.render.json import dumps
    from sonata.engine.system.database import dump

    print(dumps(dump(call.engine), indent=2))
    return 0
