"""`sonata top`."""

from __future__ import annotations

from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def descriptors(words: list[str]) -> tuple[str, ...]:
    """Names of columns: `pid,args`, `-o pid -o args`, or separate words. Raises Unsupported for options of ps(1)."""
    names: list[str] = []
    for word in words:
        if word == "-o":
            continue
        if word.startswith("-"):
            raise Unsupported(
                f"options of ps(1) are not supported: {word}", hint="name descriptors, such as `pid args`"
            )
        names += [name for name in word.split(",") if name]
    return tuple(names)


def command(parsed: Parsed, call: Call) -> int:
    """Print the processes of a container as a table."""
    from sonata.engine.containers.select import one
    from sonata.engine.containers.top import DESCRIPTORS, top

    if parsed["list-descriptors"]:
        print("\n".join(sorted(DESCRIPTORS)))
        return 0
    from sonata.cli.render.table import align_cells

    engine, words = call.engine, list(parsed.args)
    name = "" if parsed["latest"] else words.pop(0)
    try:
        row = one(engine, name, latest=parsed["latest"])
    except NotFound as error:
        raise NotFound(f"unable to look up requested container: {error.message}", error.hint, name=name) from error
    print(align_cells(top(engine, row.config.id, descriptors(words))), end="")
    return 0
