"""`sonata top`."""

from __future__ import annotations

from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

    T = TypeVar("T")


def command(parsed: Parsed, call: Call) -> int:
    """Print the processes of a container as a table."""
    from sonata.engine.containers.select import one
    from sonata.engine.containers.top import top

    engine, latest = call.engine, parsed["latest"]
    return show(
        parsed,
        lambda name: one(engine, name, latest=latest),
        lambda row, words: top(engine, row.config.id, words),
    )


def show(
    parsed: Parsed, find: Callable[[str], T], look: Callable[[T, tuple[str, ...]], list[list[str]] | list[str]]
) -> int:
    """Print the descriptors, or what is seen when looking with the further words at what the first word finds."""
    from sonata.engine.containers.top import DESCRIPTORS

    if parsed["list-descriptors"]:
        print("\n".join(sorted(DESCRIPTORS)))
        return 0
    from sonata.cli.render.table import align_cells

    words = list(parsed.args)
    name = "" if parsed["latest"] else words.pop(0)
    try:
        target = find(name)
    except NotFound as error:
        raise NotFound(f"unable to look up requested container: {error.message}", error.hint, name=name) from error
    seen = look(target, tuple(words))
    table = [one for one in seen if not isinstance(one, str)]
    print(align_cells(table) if table else "".join(f"{line}\n" for line in seen), end="")
    return 0
