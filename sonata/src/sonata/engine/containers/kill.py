"""Signalling containers."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import ending, lookup, present
from sonata.engine.containers.stop import settle
from sonata.engine.containers.stopping import send
from sonata.plan import lifecycle, signals
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

    from sonata.engine.engine import Engine
else:
    import _signal as signal


def kill(engine: Engine, container: str, name: str = "KILL") -> None:
    """Send a signal, by name or number. Raises NotFound, Conflict.

    A container killed by the user is not restarted; one that is just waiting for that does not wait any longer.
    """
    number = signals.number(name)
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        phase = Phase(row.state.phase)
        if present.is_awaited(engine, row):
            rows.put_state(engine.database, row.config.id, row.state.replace(stopped_by_user=True, restart_at=0))
            return
        if phase is not Phase.INITIALISED:
            lifecycle.require(phase, Verb.KILL, row.config.id)
        rows.put_state(engine.database, row.config.id, row.state.replace(stopped_by_user=True))
        send(engine, row.config, number)
    events.container(engine, row.config, "kill")
    if number == signal.SIGKILL:
        ending.wait_dead(row, 10.0)
        ending.wait_exit_file(engine, row)
        settle(engine, row.config.id)
