"""`sonata stop`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import fill, selection
from sonata.model.container_request import StopRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> StopRequest:
    """The request that the command line makes."""
    return fill(StopRequest, parsed, select=selection(parsed))


def command(parsed: Parsed, call: Call) -> int:
    """Stop containers; print them as they were named."""
    from sonata.engine.containers.select import each
    from sonata.engine.containers.stop import stop

    request, engine = to_request(parsed), call.engine
    return outcome(*each(engine, request.select, lambda one: stop(engine, one, request.time), ignore=request.ignore))
