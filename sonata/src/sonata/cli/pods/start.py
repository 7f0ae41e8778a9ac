"""`sonata pod start`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.pods.selection import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Start pods; print them as they were named."""
    from sonata.engine.pods.select import attempt, by_name, select
    from sonata.engine.pods.start import start

    engine = call.engine
    return outcome(*attempt(select(engine, selection(parsed)), lambda pod: start(engine, pod), by_name))
