"""Containers that ended while nobody was left to clean up after them."""

from __future__ import annotations

from sonata.engine.containers import present
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def settled(engine: Engine, row: ContainerRow) -> ContainerRow | None:
    """The row as it is now, cleaned up after where the container ended and nobody is left to do that.

    Its monitor or the monitor's exit command was killed then. None: it was of `run --rm`, and is gone now.
    Writes nothing otherwise. Where the watch of its log was killed, another one is started.
    """
    now = present.corrected(engine, row)
    if now.state.restart_at:
        from sonata.engine.containers import restarting

        restarting.resume(engine, now)
    if now.config.log.max_files > 1 and now.state.phase == Phase.RUNNING:
        from sonata.engine.containers import log_rotation

        log_rotation.revive(engine, now)
    ended = now.state.phase == Phase.STOPPED and row.state.phase in present.LIVE
    # Killed between the end of `run --rm` and the removal, or by a reboot.
    kept = now.state.phase == Phase.EXITED and row.config.auto_remove and not now.state.restart_at
    if not (ended or kept):
        return now
    ident = row.config.id
    if present.is_attended(engine, row):
        return now
    held = engine.locks.try_hold(ident)
    if held is None:
        return now
    from sonata.engine.containers.cleanup import cleanup

    try:
        with held:
            rows.get(engine.database, ident)
        cleanup(engine, ident, patient=False)
        return present.corrected(engine, rows.get(engine.database, ident))
    except NotFound:
        return None
    except SonataError as error:
        engine.log.warning("cleaning_up_failed", container=ident, error=error.message)
        return now


def settle_owner(engine: Engine, name: str) -> None:
    """Clean up after the container of that name, if it ended and nobody else will; then its name may be free."""
    try:
        row = rows.find(engine.database, name)
    except (NotFound, UsageError):
        return
    if row.config.name == name:
        settled(engine, row)
