"""`sonata pod top`."""

from __future__ import annotations

from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print the processes of a pod's containers as a table."""
    from sonata.engine.containers.top import DESCRIPTORS
    from sonata.engine.pods.processes import processes
    from sonata.engine.pods.select import one

    if parsed["list-descriptors"]:
        print("\n".join(sorted(DESCRIPTORS)))
        return 0
    from sonata.cli.render.table import align_cells

    engine, words = call.engine, list(parsed.args)
    name = "" if parsed["latest"] else words.pop(0)
    try:
        pod = one(engine, name, latest=parsed["latest"])
    except NotFound as error:
        raise NotFound(f"unable to look up requested container: {error.message}", error.hint, name=name) from error
    print(align_cells(processes(engine, pod, tuple(words))), end="")
    return 0
