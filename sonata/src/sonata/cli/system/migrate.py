"""`sonata system migrate`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Stop running containers, and move all to another runtime if one is named."""
    from sonata.engine.rootless import leave
    from sonata.engine.system.upkeep import migrate

    if parsed["migrate-db"]:
        print("No migration is necessary: backing database is already SQLite")
        return 0
    migrate(call.engine, parsed["new-runtime"], lambda ident: print(f"stopped {ident}", flush=True))
    leave(call.engine)
    return 0
