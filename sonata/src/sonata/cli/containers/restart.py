"""`sonata restart`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import fill, selection
from sonata.model.container_request import RestartRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> RestartRequest:
    """The request that the command line makes."""
    return fill(RestartRequest, parsed, select=selection(parsed))


def command(parsed: Parsed, call: Call) -> int:
    """Restart containers; print them as they were named. With `--running`, those that run."""
    from sonata.engine.containers.select import each
    from sonata.engine.containers.small import restart

    request, engine = to_request(parsed), call.engine
    select = request.select
    if request.running:
        select = select.replace(filter=(*select.filter, "status=running"))
    return outcome(*each(engine, select, lambda one: restart(engine, one, request.time)))
