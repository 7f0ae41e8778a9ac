"""Starting a container again by its policy, after a wait. There is no daemon: its clean-up process waits."""

from __future__ import annotations

import os
import time

from sonata.engine.containers import monitored, present, starting
from sonata.state import containers as rows
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

_LOOK = 0.5
"""Seconds after which whoever waits looks whether there is still something to wait for."""
_LATE = 5 * 10**9
"""Nanoseconds after which a start that was due is taken for forgotten: whoever waited was killed."""


def when_due(engine: Engine, row: ContainerRow) -> None:
    """Wait, holding no lock, then start the container, unless somebody has stopped, started or removed it meanwhile.

    What prevents the start is written down as the container's error, and raised.
    """
    ident, due = row.config.id, row.state.restart_at
    while (left := due - time.time_ns()) > 0:
        time.sleep(min(left / 10**9, _LOOK))
        try:
            if rows.get(engine.database, ident).state.restart_at != due:
                return
        except NotFound:
            return
    with engine.locks.hold(ident):
        try:
            row = present.corrected(engine, rows.get(engine.database, ident))
        except NotFound:
            engine.locks.forget(ident)
            return
        if row.state.restart_at != due or not present.is_awaited(engine, row):
            return
        row = row.replace(state=row.state.replace(restart_at=0))
        rows.put_state(engine.database, ident, row.state)
        if row.config.restart.name == "no":  # it has another policy by now
            return
        try:
            starting.restart_by_policy(engine, row)
        except SonataError as error:
            state = rows.get(engine.database, ident).state
            rows.put_state(engine.database, ident, state.replace(error=error.message))
            raise


def later(engine: Engine, row: ContainerRow) -> None:
    """Leave the waiting to a process of its own, which outlives this command."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        spawn(
            monitored.exit_command(engine, row.config),
            monitored.monitor_env(engine),
            SpawnOptions(fds={0: null, 1: null, 2: null}, session=True),
        )
    except OSError as error:
        engine.log.warning("restart_not_arranged", container=row.config.id, error=error.strerror)
    finally:
        os.close(null)


def resume(engine: Engine, row: ContainerRow) -> None:
    """Have a start carried out that is overdue since whoever waited for it was killed."""
    if present.is_awaited(engine, row) and time.time_ns() > row.state.restart_at + _LATE:
        later(engine, row)
