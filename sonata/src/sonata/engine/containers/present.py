"""What a container does now: the row, corrected by what the kernel and the exit files say."""

from __future__ import annotations

import os

from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.plan.lifecycle import Phase, after_reboot
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.locks import is_flocked

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow, ContainerState

LIVE = (Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)
"""Phases in which there is a process."""

LOST = 255
"""Exit code of a container whose end nobody saw: the host was restarted, or its monitor killed."""


def is_left_alone(engine: Engine, row: ContainerRow) -> bool:
    """Whether nobody is at work on a container that has ended: no monitor, no exit command, nobody who has its lock."""
    if is_attended(engine, row):
        return False
    held = engine.locks.try_hold(row.config.id)
    if held is None:
        return False
    try:
        return rows.get(engine.database, row.config.id).state == row.state
    except NotFound:
        if held.fresh:
            engine.locks.forget(row.config.id)
        return False
    finally:
        held.release()


def is_attended(engine: Engine, row: ContainerRow) -> bool:
    """Whether somebody will clean up after this container: its monitor, or who said so (`ending.Attended`)."""
    if process.alive(row.state.conmon_pid, row.state.conmon_start):
        return True
    folder = ContainerPaths(engine, row.config.backends.storage, row.config.id).run_dir
    return is_flocked(folder, os.O_RDONLY | os.O_DIRECTORY)


def corrected(engine: Engine, row: ContainerRow) -> ContainerRow:
    """The row with what has happened since it was written. Writes nothing."""
    state = row.state
    if state.phase not in LIVE:
        return row
    if state.boot != engine.facts.boot_id:
        phase = after_reboot(Phase(state.phase))
        if phase is not Phase.EXITED:
            return row.replace(state=state.replace(phase=phase, pid=0, pid_start=0))
        return row.replace(state=_over(state, LOST, state.started, phase, "the host was restarted"))
    if process.alive(state.pid, state.pid_start):
        if state.phase == Phase.PAUSED:
            from sonata.engine.containers import freezing

            if not freezing.is_frozen(row):
                return row.replace(state=state.replace(phase=Phase.RUNNING))
        return row
    found = read_exit(engine, row)
    if found is None:
        if process.alive(state.conmon_pid, state.conmon_start):
            return row
        text = "conmon died without writing exit file, container exit code could not be retrieved"
        return row.replace(state=_over(state, LOST, state.started, Phase.STOPPED, text))
    code, when = found
    return row.replace(state=_over(state, code, when, Phase.STOPPED, state.error))


def _over(state: ContainerState, code: int, when: int, phase: Phase, error: str) -> ContainerState:
    return state.replace(phase=phase, pid=0, pid_start=0, exit_code=code, exited=True, finished=when, error=error)


def read_exit(engine: Engine, row: ContainerRow) -> tuple[int, int] | None:
    """Exit code and time in nanoseconds from conmon's exit file, or None while there is none."""
    path = ContainerPaths(engine, row.config.backends.storage, row.config.id).exit_file
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        text = os.read(handle, 32)
        when = os.fstat(handle).st_mtime_ns
    finally:
        os.close(handle)
    try:
        code = int(text)
    except ValueError:
        return None
    # conmon writes -1 after it killed a container for its --timeout.
    return (code if code >= 0 else LOST), when


def is_awaited(engine: Engine, row: ContainerRow) -> bool:
    """Whether a container at rest is to start again by its policy."""
    state = row.state
    return bool(state.restart_at) and state.phase == Phase.EXITED and state.boot == engine.facts.boot_id


def process_of(row: ContainerRow) -> tuple[int, int]:
    """Pid and start time of the container's first process."""
    return row.state.pid, row.state.pid_start
