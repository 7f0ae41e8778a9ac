"""`sonata unmount`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Unmount containers; print them as they were named."""
    from sonata.engine.containers.mounting import mounted, unmount
    from sonata.engine.containers.select import attempt, select

    engine = call.engine
    pairs = select(engine, selection(parsed))
    if parsed["all"]:
        known = {row.config.id for row, _ in mounted(engine)}
        pairs = [pair for pair in pairs if pair[0] in known]
    return outcome(*attempt(pairs, lambda one: unmount(engine, one, force=parsed["force"])))
