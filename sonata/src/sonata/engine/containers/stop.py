"""Stopping containers, and what follows for their pods."""

from __future__ import annotations

from sonata.engine.containers import lookup, stopping
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow
else:
    pass


def stop(engine: Engine, container: str, timeout: int | None = None) -> None:
    """Stop one container. Stopped already is success.

    `timeout` in seconds, None as the container says, negative for ever. Raises NotFound, Conflict,
    TimedOut if it outlives SIGKILL.
    """
    _follow_up(engine, stopping.stop(engine, container, timeout))


def stop_until_boot(engine: Engine, container: str, timeout: int | None = None) -> None:
    """As `stop`, for a shutdown: what the container's policy says of the next boot is as if nobody had stopped it."""
    row = lookup.load(engine, container)
    stop(engine, row.config.id, timeout)
    with engine.locks.hold(row.config.id):
        try:
            state = rows.get(engine.database, row.config.id).state
        except NotFound:
            return
        if state.phase == Phase.EXITED and not state.restart_at:
            rows.put_state(engine.database, row.config.id, state.replace(stopped_by_user=row.state.stopped_by_user))


def settle(engine: Engine, container: str, event: str = "") -> ContainerRow | None:
    """After a death: clean up under the lock, unless conmon's exit command was faster. None if it is removed."""
    row, left = stopping.settle(engine, container, event)
    _follow_up(engine, row)
    return row if left else None


def _follow_up(engine: Engine, row: ContainerRow | None) -> None:
    if row is not None and row.config.pod and row.state.phase in stopping.OVER:
        from sonata.engine.pods.ending import member_ended

        member_ended(engine, row.config)
