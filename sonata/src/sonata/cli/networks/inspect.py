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
    return inspect_all(parsed, parsed.args, lambda name: find(call.engine, name))
