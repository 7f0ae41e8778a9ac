"""`sonata pod top`."""

from __future__ import annotations

from sonata.cli.containers.top import show
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print the processes of a pod's containers as a table."""
    from sonata.engine.pods.processes import processes
    from sonata.engine.pods.select import one

    engine, latest = call.engine, parsed["latest"]
    return show(
        parsed,
        lambda name: one(engine, name, latest=latest),
        lambda pod, words: processes(engine, pod, words),
    )
