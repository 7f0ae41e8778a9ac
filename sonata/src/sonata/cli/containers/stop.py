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
    """Stop containers; print them as they were named.

    Who asks for those that are to start after a boot shuts the host down: they start again then.
    """
    from sonata.engine.containers.select import each
    from sonata.engine.containers.stop import stop, stop_until_boot

    request, engine = to_request(parsed), call.engine
    act = stop_until_boot if any(one.startswith("should-start-on-boot=") for one in parsed["filter"]) else stop
    return outcome(*each(engine, request.select, lambda one: act(engine, one, request.time), ignore=request.ignore))
