"""`sonata start`."""

from __future__ import annotations

from sonata.cli.containers.streams import sides
from sonata.cli.output import outcome
from sonata.cli.request import fill, selection
from sonata.model.container_request import StartRequest
from sonata_core.errors import AlreadyInState, Interrupted, SonataError, UsageError
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

        def begin(one: str) -> None:
            with _Named(f'"{one}"'):
                start.start(engine, one)

        return outcome(*each(engine, request.select, begin))
    code = 0
    for ident, _ in select(engine, request.select):
        ours = sides(
            interactive=request.interactive, attach=None, sig_proxy=request.sig_proxy, detach_keys=request.detach_keys
        )
        with _Named(ident):
            code = run.start_attached(engine, ident, ours).code
    return code


class _Named:
    """What goes wrong within is told as Podman's `start` tells it, with the container."""

    def __init__(self, container: str) -> None:
        self.container = container

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SonataError) and not isinstance(error, (AlreadyInState, Interrupted)):
            error.message = f"unable to start container {self.container}: {error.message}"
