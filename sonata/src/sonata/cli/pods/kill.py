"""`sonata pod kill`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.pods.selection import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Signal the containers of pods; print the pods' ids."""
    from sonata.engine.pods.kill import kill
    from sonata.engine.pods.select import attempt, by_id, select

    engine = call.engine
    return outcome(*attempt(select(engine, selection(parsed)), lambda pod: kill(engine, pod, parsed["signal"]), by_id))
