"""`sonata pod unpause`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.pods.selection import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Unpause pods; print the ids of those that were paused."""
    from sonata.engine.pods.pause import is_paused, unpause
    from sonata.engine.pods.select import attempt, by_id, select

    engine = call.engine
    found = [one for one in select(engine, selection(parsed)) if is_paused(engine, one[0])]
    return outcome(*attempt(found, lambda pod: unpause(engine, pod), by_id))
