"""`sonata pod prune`."""

from __future__ import annotations

from sonata.cli.output import agreed, lines
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove pods of which nothing runs any more, after asking; print their ids."""
    from sonata.engine.pods.prune import prune

    if not parsed["force"] and not agreed("WARNING! This will remove all stopped/exited pods.."):
        return 0
    lines(prune(call.engine))
    return 0
