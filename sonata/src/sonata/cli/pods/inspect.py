"""`sonata pod inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine


def find(engine: Engine, name: str, *, latest: bool = False) -> dict[str, Any]:
    """The object of one pod. Raises NotFound."""
    from sonata.engine.pods.inspect import inspect
    from sonata.engine.pods.select import one

    try:
        pod = one(engine, name, latest=latest)
    except NotFound as error:
        raise NotFound(f"no such pod {name}".rstrip(), name=name) from error
    return inspect(engine, pod)


def command(parsed: Parsed, call: Call) -> int:
    """Print pods as JSON, or through a template."""
    names = [""] if parsed["latest"] else parsed.args
    return inspect_all(parsed, names, lambda name: find(call.engine, name, latest=parsed["latest"]))
