"""`sonata volume prune`."""

from __future__ import annotations

from sonata.cli.output import agreed, lines
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove volumes that nothing uses, after asking; print their names."""
    from sonata.engine.system.prune import prune_volumes, unused_volumes

    engine = call.engine
    names = unused_volumes(engine, tuple(parsed["filter"]), everything=parsed["all"])
    if parsed["dry-run"]:
        lines(names)
        return 0
    if not parsed["force"]:
        which = "all" if parsed["all"] else "all anonymous"
        text = f"WARNING! This will remove {which} volumes not used by at least one container."
        text += " The following volumes will be removed:"
        if not names:
            lines((text, "No dangling volumes found"))
            return 0
        if not agreed("\n".join([text, *names])):
            return 0
    lines(prune_volumes(engine, names))
    return 0
