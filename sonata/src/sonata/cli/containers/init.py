"""`sonata init`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import selection
from sonata_core.errors import Conflict
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Create containers in their runtime; print them as they were named. With `--all`, those that can be."""
    from sonata.engine.containers.select import each
    from sonata.engine.containers.small import init_only

    engine, select = call.engine, selection(parsed)
    done, failed = each(engine, select, lambda one: init_only(engine, one))
    if select.all:
        failed = [error for error in failed if not isinstance(error, Conflict)]
    return outcome(done, failed)
