"""`sonata container clone`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.container_request import CloneRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Make a container like another one, and print its id. Raises UsageError for too many names."""
    from sonata.engine.containers.clone import clone
    from sonata.model.request import RunRequest

    source, *more = parsed.args
    if more and parsed["name"]:
        raise UsageError("the name of the new container is given twice: by --name, and as an argument")
    request = fill(CloneRequest, parsed)
    if more:
        request = request.replace(name=more[0], image=more[1] if len(more) > 1 else "")
    print(clone(call.engine, source, request, fill(RunRequest, parsed, image="", name="")))
    return 0
