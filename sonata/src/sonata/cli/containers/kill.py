"""`sonata kill`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import fill, selection
from sonata.model.container_request import KillRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> KillRequest:
    """The request that the command line makes."""
    return fill(KillRequest, parsed, select=selection(parsed))


def command(parsed: Parsed, call: Call) -> int:
    """Signal containers; print them as they were named. With `--all`, those that run."""
    from sonata.engine.containers.kill import kill
    from sonata.engine.containers.select import each

    request, engine = to_request(parsed), call.engine
    select = request.select
    if select.all:
        select = select.replace(filter=("status=running",))
    return outcome(*each(engine, select, lambda one: kill(engine, one, request.signal)))
