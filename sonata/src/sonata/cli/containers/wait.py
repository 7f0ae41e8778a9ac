"""`sonata wait`."""

from __future__ import annotations

from sonata.cli.pflag import parse_duration
from sonata.cli.request import fill, selection
from sonata.model.container_request import WaitRequest
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> WaitRequest:
    """The request that the command line makes."""
    return fill(WaitRequest, parsed, select=selection(parsed))


def seconds(interval: str) -> float:
    """A Go duration, or a number of milliseconds. Raises UsageError."""
    try:
        return int(interval) / 1000
    except ValueError:
        pass
    try:
        return parse_duration(interval) / 1e9
    except ValueError as error:
        raise UsageError(str(error)) from error


def command(parsed: Parsed, call: Call) -> int:
    """Wait for containers and print their exit codes, one a line."""
    from sonata.engine.containers.select import one
    from sonata.engine.containers.waiting import wait, wait_first

    request, engine = to_request(parsed), call.engine
    names = request.select.names
    if request.select.latest:
        names = (one(engine, "", latest=True).config.id,)
    pause = seconds(request.interval)
    if request.exit_first_match and len(names) > 1:
        print(wait_first(engine, names, request.condition, pause))
        return 0
    for name in names:
        try:
            print(wait(engine, name, request.condition, pause), flush=True)
        except NotFound:
            if not request.ignore:
                raise
            print(-1)
    return 0
