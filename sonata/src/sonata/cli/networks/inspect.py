"""`sonata network inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine


def find(engine: Engine, name: str) -> dict[str, Any]:
    """The object that `inspect` shows for a network. Raises NotFound."""
    from sonata.engine.networks.inspect import inspect

    return inspect(engine, name)


def command(parsed: Parsed, call: Call) -> int:
    """Print networks as JSON, or through a template."""
    if parsed["format"] == "netavark":
        return _files(parsed, call.engine)
    return inspect_all(parsed, parsed.args, lambda name: find(call.engine, name))


def _files(parsed: Parsed, engine: Engine) -> int:
    """Networks as Podman keeps them in files: what comes out is such a file."""
    from sonata.cli.render.json import dumps
    from sonata.engine.networks.list import document
    from sonata.engine.networks.lookup import definition_of

    for name in parsed.args:
        print(dumps(document(definition_of(engine, name)), indent=5))
    return 0
