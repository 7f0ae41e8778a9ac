"""`sonata network reload`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata.cli.request import selection
from sonata_core.errors import Conflict
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Make containers' networks again; print their ids. With `--all`, of those that run on a bridge."""
    from sonata.engine.containers.select import attempt, select
    from sonata.engine.networks.reload import reload

    chosen = selection(parsed)
    pairs = [(ident, ident) for ident, _ in select(call.engine, chosen)]
    done, failed = attempt(pairs, lambda one: reload(call.engine, one))
    if chosen.all:
        failed = [error for error in failed if not isinstance(error, Conflict)]
    return outcome(done, failed)
