"""`sonata container prune`."""

from __future__ import annotations

from sonata.cli.output import agreed, lines
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove containers that do not run, after asking; print their ids."""
    from sonata.engine.system.prune import prune_containers

    if not parsed["force"] and not agreed("WARNING! This will remove all non running containers."):
        return 0
    lines(prune_containers(call.engine, tuple(parsed["filter"])))
    return 0
