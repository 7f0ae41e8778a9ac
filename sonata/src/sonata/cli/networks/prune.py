"""`sonata network prune`."""

from __future__ import annotations

from sonata.cli.output import agreed, lines
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove networks that no container is on, after asking; print their names."""
    from sonata.engine.system.prune import prune_networks

    text = "WARNING! This will remove all networks not used by at least one container."
    if not parsed["force"] and not agreed(text):
        return 0
    lines(prune_networks(call.engine, tuple(parsed["filter"])))
    return 0
