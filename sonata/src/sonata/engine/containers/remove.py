"""Removing containers."""

from __future__ import annotations

from sonata.engine.containers import ending, freezing, lookup, present
from sonata.engine.containers.erasing import remove_ended
from sonata.engine.containers.stopping import end_process
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata_core.errors import InUse, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

_ALIVE = (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING, Phase.INITIALISED)


def remove(
    engine: Engine,
    container: str,
    *,
    force: bool = False,
    volumes: bool = False,
    timeout: int | None = None,
    with_pod: bool = False,
) -> str:
    """Remove one container; its id. `force` stops it first. Raises NotFound, Conflict, InUse.

    An infra container goes `with_pod` only.
    """
    row = lookup.load(engine, container)
    if row.config.infra and not with_pod:
        raise InUse(
            f"container {row.config.id} is the infra container of pod {row.config.pod} and cannot be removed "
            "without removing the pod",
            hint=f"sonata pod rm {row.config.pod[:12]}",
        )
    with ending.Attended(engine, row):
        ident = _remove(engine, row, force=force, volumes=volumes, timeout=timeout)
    if row.config.pod and not with_pod:
        from sonata.engine.pods.ending import member_ended

        member_ended(engine, row.config)
    return ident


def _remove(engine: Engine, row: ContainerRow, *, force: bool, volumes: bool, timeout: int | None) -> str:
    ident = row.config.id
    with engine.locks.hold(ident) as held:
        row = present.corrected(engine, rows.get(engine.database, ident))
        phase = Phase(row.state.phase)
        if not force:
            lifecycle.require(phase, Verb.REMOVE, ident)
        require_unneeded(engine, ident)
        if phase in _ALIVE:
            state = row.state.replace(phase=Phase.STOPPING, stopped_by_user=True)
            row = row.replace(state=state)
            rows.put_state(engine.database, ident, state, durable=False)
            held.release()
    if phase in _ALIVE:
        seconds = row.config.process.stop_timeout if timeout is None else timeout
        patience = 0.0 if phase in (Phase.PAUSED, Phase.INITIALISED) else None if seconds < 0 else float(seconds)
        if phase is Phase.PAUSED:
            freezing.thaw(engine, row)
        end_process(engine, row, patience)
        ending.wait_exit_file(engine, row)
    with engine.locks.hold(ident):
        try:
            row = present.corrected(engine, rows.get(engine.database, ident))
        except NotFound:
            engine.locks.forget(ident)
            return ident
        remove_ended(engine, row, volumes=volumes or row.config.auto_remove)
        engine.locks.forget(ident)
    return ident


def require_unneeded(engine: Engine, container: str) -> None:
    """Raises InUse if another container needs this one."""
    others = rows.dependents(engine.database, container)
    if others:
        raise InUse(
            f"container {container} has dependent containers which must be removed before it: "
            f"{', '.join(others)}: container already exists",
            hint="`sonata rm --depend` removes them too",
        )
