"""`sonata attach`."""

from __future__ import annotations

from sonata.cli.containers.streams import sides
from sonata.cli.request import fill
from sonata.model.container_request import AttachContainerRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> AttachContainerRequest:
    """The request that the command line makes."""
    return fill(AttachContainerRequest, parsed, name=parsed.args[0] if parsed.args else "")


def command(parsed: Parsed, call: Call) -> int:
    """Follow a running container; its exit code is the answer."""
    from sonata.engine.containers.run import attach
    from sonata.engine.containers.select import one

    request, engine = to_request(parsed), call.engine
    ours = sides(
        interactive=not request.no_stdin, attach=None, sig_proxy=request.sig_proxy, detach_keys=request.detach_keys
    )
    row = one(engine, request.name, latest=request.latest)
    return attach(engine, row.config.id, ours).code
