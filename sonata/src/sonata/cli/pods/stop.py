"""`sonata pod stop`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.pods.selection import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Stop pods; print them as they were named."""
    from sonata.engine.pods.select import attempt, by_name, select
    from sonata.engine.pods.stop import stop

    engine = call.engine
    return outcome(
        *attempt(
            select(engine, selection(parsed), ignore=parsed["ignore"]),
            lambda pod: stop(engine, pod, parsed.get("time")),
            by_name,
        )
    )
