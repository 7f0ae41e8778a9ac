"""`sonata pod rm`."""

from __future__ import annotations

from sonata.cli.output import outcome, require_force
from sonata.cli.pods.selection import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove pods; print their ids. Force means that a missing pod is no error."""
    from sonata.engine.pods.remove import remove
    from sonata.engine.pods.select import attempt, by_id, select

    require_force(parsed)
    engine, force = call.engine, parsed["force"]
    found = select(engine, selection(parsed), ignore=parsed["ignore"] or force)
    return outcome(*attempt(found, lambda pod: remove(engine, pod, force=force, timeout=parsed.get("time")), by_id))
