"""`sonata unpause`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import selection
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Unpause containers; print them as they were named. With `--all`, those that are paused."""
    from sonata.engine.containers.select import each
    from sonata.engine.containers.small import unpause

    engine, select = call.engine, selection(parsed)
    if select.all:
        select = select.replace(filter=(*select.filter, "status=paused"))
    return outcome(*each(engine, select, lambda one: unpause(engine, one)))
