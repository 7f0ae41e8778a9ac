"""Ending a container: the stop signal, patience, then SIGKILL. Nobody waits for a death while holding its lock."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import ending, freezing, lookup, present, rest
from sonata.engine.paths import ContainerPaths
from sonata.host import cgroups, process
from sonata.plan import lifecycle, signals
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata_core.errors import Conflict, NotFound, TimedOut
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow, ContainerState
else:
    import _signal as signal


_AFTER_KILL = (0.25, 0.75, 1.5, 2.5)
"""Seconds that a killed process may take to go; between them it is thawed."""


def stop(engine: Engine, container: str, timeout: int | None = None) -> ContainerRow | None:
    """Stop one container, and nothing that depends on its end; its row, None where nothing of it ran.

    `timeout` in seconds, None as the container says, negative for ever. Raises NotFound, Conflict,
    TimedOut if it outlives SIGKILL.
    """
    row = begin(engine, lookup.load(engine, container).config.id)
    if row is None:
        return None
    with ending.Attended(engine, row):
        end_process(engine, row, _patience(row.config, timeout))
        ending.wait_exit_file(engine, row)
        return settle(engine, row.config.id, "stop")[0]


def begin(engine: Engine, ident: str) -> ContainerRow | None:
    """Write down that the container is being stopped; its row, None where nothing of it runs any more.

    Raises NotFound, Conflict.
    """
    with engine.locks.hold(ident):
        row = present.corrected(engine, rows.get(engine.database, ident))
        phase = Phase(row.state.phase)
        lifecycle.require(phase, Verb.STOP, row.config.id)
        if phase not in (Phase.RUNNING, Phase.STOPPING, Phase.INITIALISED):
            if phase in (Phase.STOPPED, Phase.EXITED):
                row = row.replace(state=row.state.replace(stopped_by_user=True))
                rest.finish(engine, row)
                rows.put_state(engine.database, row.config.id, _by_user(engine, row.config.id))
            return None
        state = row.state.replace(phase=Phase.STOPPING, stopped_by_user=True)
        row = row.replace(state=state)
        rows.put_state(engine.database, row.config.id, state, durable=False)
        return row


def _by_user(engine: Engine, container: str) -> ContainerState:
    return rows.get(engine.database, container).state.replace(stopped_by_user=True, restart_at=0)


def _patience(config: ContainerConfig, timeout: int | None) -> float | None:
    seconds = config.process.stop_timeout if timeout is None else timeout
    return None if seconds < 0 else float(seconds)


def end_process(engine: Engine, row: ContainerRow, patience: float | None) -> None:
    """Signal until the first process is gone; `patience` in seconds, None for ever, 0 for SIGKILL at once."""
    config = row.config
    if patience == 0:
        kill_now(engine, row)
    else:
        send(engine, config, config.process.stop_signal)
        if ending.wait_dead(row, patience):
            return
        warn_of_kill(engine, config, patience or 0)
        kill_now(engine, row)
    require_dead(engine, row)


def require_dead(engine: Engine, row: ContainerRow) -> None:
    """Wait for the end of what SIGKILL was sent to; what is frozen is thawed for it. Raises TimedOut."""
    for seconds in _AFTER_KILL:
        if ending.wait_dead(row, seconds):
            return
        freezing.thaw(engine, row)
    raise TimedOut(
        f"container {row.config.id} is still running after SIGKILL",
        hint="a process of it may be in a system call that cannot be interrupted",
    )


def warn_of_kill(engine: Engine, config: ContainerConfig, seconds: float) -> None:
    """Say that the stop signal was not enough."""
    engine.notify(
        f"StopSignal {signals.name(config.process.stop_signal)} failed to stop container {config.name} "
        f"in {seconds:.0f} seconds, resorting to SIGKILL"
    )


def kill_now(engine: Engine, row: ContainerRow) -> None:
    """SIGKILL. With the first process of a PID namespace goes all that is in it: the runtime need not be started."""
    if row.config.namespaces.pid.kind == "private" and row.state.pid:
        try:
            process.send(row.state.pid, row.state.pid_start, signal.SIGKILL)
            return
        except PermissionError:
            # It belongs to a user namespace that the runtime enters.
            pass
    send(engine, row.config, signal.SIGKILL)


def send(engine: Engine, config: ContainerConfig, number: int) -> None:
    """Signal the container's init; where it shares its PID namespace, everybody in it. Gone already is success."""
    ref = ContainerPaths(engine, config.backends.storage, config.id).ref
    grouped = config.cgroups != "disabled" and cgroups.granted(engine.facts)
    everyone = grouped and config.namespaces.pid.kind != "private"
    try:
        engine.runtime(config.backends.runtime).hook.runtime_kill(ref=ref, signal=number, everyone=everyone)
    except (Conflict, NotFound):
        # It ended meanwhile: that is what was wanted.
        pass


OVER = (Phase.STOPPED, Phase.EXITED, Phase.STOPPING)


def settle(engine: Engine, container: str, event: str) -> tuple[ContainerRow | None, bool]:
    """After a death: clean up under the lock, unless conmon's exit command was faster.

    The container, and whether it is still there. What its end means for its pod is left to the caller.
    """
    with engine.locks.hold(container):
        try:
            row = present.corrected(engine, rows.get(engine.database, container))
        except NotFound:
            engine.locks.forget(container)
            return None, False
        if event:
            events.container(engine, row.config, event)
        if row.state.phase in OVER:
            if row.config.auto_remove:
                from sonata.engine.containers.erasing import remove_ended, remove_image

                remove_ended(engine, row, volumes=True)
                engine.locks.forget(container)
                if row.config.auto_remove_image:
                    remove_image(engine, row.config)
                return row, False
            row = rest.finish(engine, row)
        return row, True
