"""From rest to running, under the container's lock."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.containers import init, present, rest
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core import interrupts
from sonata_core.errors import Conflict, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def await_health(engine: Engine, row: ContainerRow) -> None:
    """`--sdnotify healthy` waits for the first check that goes well, without any lock. Raises Conflict."""
    if row.config.process.sdnotify == "healthy":
        from sonata.engine.containers import notify

        notify.await_health(engine, row)


def start_one(engine: Engine, row: ContainerRow, *, preserved: tuple[int, ...] = (), restarts: int = 0) -> ContainerRow:
    """Start one container whose needs are met; the row as it runs.

    Another command may have started it a moment ago, even one that was just made, as `pod start` does.
    """
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        if row.state.phase == Phase.RUNNING:
            return row
        row = bring_up(engine, row.replace(state=row.state.replace(restarts=restarts, restart_wait=0)), preserved)
    await_health(engine, row)
    return row


def start_needed(engine: Engine, row: ContainerRow) -> None:
    """Start the containers that this one needs, nearest last. Raises Conflict where they need each other."""
    for needed in _closure(engine, row.config.id):
        other = present.corrected(engine, rows.get(engine.database, needed))
        if other.state.phase != Phase.RUNNING:
            with engine.locks.hold(needed):
                other = present.corrected(engine, rows.get(engine.database, needed))
                if other.state.phase != Phase.RUNNING:
                    bring_up(engine, other)


def _closure(engine: Engine, container: str) -> list[str]:
    found: list[str] = []

    def visit(one: str, above: tuple[str, ...]) -> None:
        for needed in rows.needed_by(engine.database, one):
            if needed in above:
                raise Conflict(f"containers {container} and {needed} need each other")
            if needed not in found:
                visit(needed, (*above, needed))
                found.append(needed)

    visit(container, (container,))
    return found


def bring_up(engine: Engine, row: ContainerRow, preserved: tuple[int, ...] = ()) -> ContainerRow:
    """From rest to running, under the container's lock."""
    row = ready(engine, row, preserved)
    return release(engine, row)


def ready(engine: Engine, row: ContainerRow, preserved: tuple[int, ...] = ()) -> ContainerRow:
    """From rest to initialised; what an earlier run left is cleaned first."""
    lifecycle.require(Phase(row.state.phase), Verb.START, row.config.id)
    if row.state.phase == Phase.INITIALISED:
        return row
    if row.state.phase == Phase.STOPPED or row.state.netns or row.state.mountpoint:
        row = rest.finish(engine, row)
    return init.init(engine, row, preserved)


def release(engine: Engine, row: ContainerRow) -> ContainerRow:
    """Let the created container run. If the runtime refuses, nothing of the start stays."""
    config = row.config
    ref = ContainerPaths(engine, config.backends.storage, config.id).ref
    checked = config.healthcheck is not None and config.healthcheck.test[:1] not in ((), ("NONE",))
    if checked:
        from sonata.engine.containers import health_clock

        health_clock.begin(engine, row)
    # Before the runtime is asked: a short-lived container may have ended when the runtime returns.
    began = time.time_ns()
    try:
        interrupts.point()
        engine.runtime(config.backends.runtime).hook.runtime_start(ref=ref)
    except SonataError as error:
        _undo(engine, row, error)
        raise
    except KeyboardInterrupt:
        _take_back(engine, row)
        raise
    state = row.state.replace(phase=Phase.RUNNING, started=began, finished=0)
    with engine.database.transaction(durable=not config.auto_remove):
        rows.put_state(engine.database, config.id, state)
        intents.done(engine.database, config.id, intents.INIT)
    if engine.config.environment.get("NOTIFY_SOCKET"):
        from sonata.engine.containers import notify

        notify.started(engine, row)
    if config.log.max_files > 1:
        from sonata.engine.containers import log_rotation

        log_rotation.watch(engine, row)
    if config.pid_file:
        _write_pid(config.pid_file, state.pid)
    events.container(engine, config, "start")
    row = row.replace(state=state)
    if checked:
        health_clock.watch(engine, row)
    return row


def _undo(engine: Engine, row: ContainerRow, error: SonataError) -> None:
    state = row.state.replace(
        phase=Phase.STOPPED, exit_code=127, exited=True, finished=time.time_ns(), error=error.message
    )
    process.send(row.state.pid, row.state.pid_start, 9)
    try:
        rest.finish(engine, row.replace(state=state))
    except SonataError as trouble:
        engine.log.info("undoing_start_failed", container=row.config.id, error=trouble.message)


def _take_back(engine: Engine, row: ContainerRow) -> None:
    from sonata.engine.containers.recovery import take_back_start

    with interrupts.Shield(firm=True):
        take_back_start(engine, row)


def _write_pid(path: str, pid: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_whole(handle, str(pid).encode(), path)
    finally:
        os.close(handle)


def restart_by_policy(engine: Engine, row: ContainerRow) -> None:
    """Start a container again that ended by itself, under its lock. Raises Conflict where it needs others."""
    idle = [
        needed
        for needed in rows.needed_by(engine.database, row.config.id)
        if present.corrected(engine, rows.get(engine.database, needed)).state.phase != Phase.RUNNING
    ]
    if idle:
        raise Conflict(
            f"some dependencies of container {row.config.id} are not started: {', '.join(idle)}: "
            "container state improper"
        )
    events.container(engine, row.config, "restart")
    again = row.replace(state=row.state.replace(restarts=row.state.restarts + 1))
    rows.put_state(engine.database, row.config.id, again.state)
    bring_up(engine, again)
