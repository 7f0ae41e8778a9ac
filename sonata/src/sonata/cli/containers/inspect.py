"""`sonata container inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def command(parsed: Parsed, call: Call) -> int:
    """Print containers as JSON, or through a template."""
    from sonata.engine.containers.select import one

    engine = call.engine
    show = shower(engine, parsed)
    if parsed["latest"]:
        return inspect_all(parsed, [""], lambda _: show(one(engine, "", latest=True)))

    def find(name: str) -> dict[str, Any]:
        if not name:
            raise UsageError("name or ID cannot be empty")
        try:
            return show(one(engine, name))
        except NotFound as error:
            raise NotFound(f'no such container "{name}"', name=name) from error

    return inspect_all(parsed, parsed.args, find)


def shower(engine: Engine, parsed: Parsed) -> Callable[[ContainerRow], dict[str, Any]]:
    """What makes the object that is shown of a container. Raises UsageError for options that go not together."""
    if parsed["effective"]:
        if parsed["size"]:
            raise UsageError("--size and --effective cannot be used together")
        from sonata.engine.containers.effective import effective

        return lambda row: effective(engine, row)
    from sonata.engine.containers.describe import describe

    return lambda row: describe(engine, row, size=parsed["size"])
