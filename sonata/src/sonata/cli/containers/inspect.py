"""`sonata container inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print containers as JSON, or through a template."""
    from sonata.engine.containers.inspect import describe
    from sonata.engine.containers.select import one

    engine, size = call.engine, parsed["size"]
    if parsed["latest"]:
        return inspect_all(parsed, [""], lambda _: describe(engine, one(engine, "", latest=True), size=size))
    return inspect_all(parsed, parsed.args, lambda name: describe(engine, one(engine, name), size=size))
