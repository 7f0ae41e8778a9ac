"""What killed commands left, before a command relies on names, addresses and ports being free."""

from __future__ import annotations

from sonata.state import intents
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def recover(engine: Engine) -> None:
    """Deal with what killed commands left, so that their names, addresses and ports are free. Mostly one query.

    What living commands are at, a hundred of them perhaps, costs a look at a lock each and loads nothing.
    """
    if not all(engine.locks.is_taken(ident) for ident in intents.ids(engine.database)):
        from sonata.engine.system.recover import recover_pending

        recover_pending(engine)
