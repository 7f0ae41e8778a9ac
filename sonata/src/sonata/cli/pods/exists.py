"""`sonata pod exists`."""

from __future__ import annotations

from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """0 where there is such a pod, else 1."""
    from sonata.engine.pods.select import one

    try:
        one(call.engine, parsed.args[0])
    except NotFound:
        return 1
    return 0
