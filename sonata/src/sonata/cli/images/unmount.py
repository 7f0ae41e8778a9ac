"""`sonata image unmount`."""

from __future__ import annotations

from sonata.cli.output import lines
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Unmount images; print the ids of those that were mounted."""
    from sonata.engine.images.mounting import mounted, unmount

    if parsed["all"] and parsed.args:
        raise UsageError("when using the --all switch, you may not pass any image names or IDs")
    if not parsed["all"] and not parsed.args:
        raise UsageError("image name or ID must be specified")
    names = [one.id for one in mounted(call.engine)] if parsed["all"] else parsed.args
    lines(unmount(call.engine, names, force=parsed["force"]))
    return 0
