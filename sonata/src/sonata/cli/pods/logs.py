"""`sonata pod logs`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.container_request import LogsRequest, Selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print what the containers of a pod wrote; each line says whose it is, but for those of one `--container`."""
    from sonata.cli.containers.logs import write
    from sonata.engine.pods.processes import with_logs
    from sonata.engine.pods.select import one

    engine = call.engine
    pod = one(engine, parsed.args[0] if parsed.args else "", latest=parsed["latest"])
    names = with_logs(engine, pod, parsed["container"])
    if names:
        request = fill(LogsRequest, parsed, select=Selection(names=names))
        write(engine, request, told=not parsed["container"])
    return 0
