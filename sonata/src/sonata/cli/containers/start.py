"""`sonata start`."""

from __future__ import annotations

from sonata.cli.containers.streams import sides
from sonata.cli.output import outcome
from sonata.cli.request import fill, selection
from sonata.model.container_request import StartRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> StartRequest:
    """The request that the command line makes. Raises UsageError for `--sig-proxy` without `--attach`."""
    request = fill(StartRequest, parsed, select=selection(parsed))
    if request.sig_proxy and not request.attach:
        raise UsageError("you cannot use sig-proxy without --attach: invalid argument")
    if request.attach and request.select.all:
        raise UsageError("you cannot start and attach all containers at once")
    return request


def command(parsed: Parsed, call: Call) -> int:
    """Start containers and print them as they were named; or start one and follow it."""
    from sonata.engine.containers import run, start
    from sonata.engine.containers.select import each, select

    request, engine = to_request(parsed), call.engine
    if not (request.attach or request.interactive):
        return outcome(*each(engine, request.select, lambda one: start.start(engine, one)))
    code = 0
    for ident, _ in select(engine, request.select):
        ours = sides(
            interactive=request.interactive, attach=None, sig_proxy=request.sig_proxy, detach_keys=request.detach_keys
        )
        code = run.start_attached(engine, ident, ours).code
    return code
