"""What a container does now: the row, corrected by what the kernel and the exit files say."""

from __future__ import annotations

import os

from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.plan.lifecycle import Phase, after_reboot
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.locks import is_flocked

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow, ContainerState

_LIVE = (Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)
"""Phases in which there is a process."""
_UNFINISHED = (Phase.CREATING, Phase.INITIALISING, Phase.INITIALISED, Phase.REMOVING)
"""Phases in which either a command is at work, or one was killed."""

LOST = 255
"""Exit code of a container whose end nobody saw: the host was restarted, or its monitor killed."""


def load(engine: Engine, text: str) -> ContainerRow:
    """A container by name, id or id prefix, as it is now."""
    row = rows.find(engine.database, text)
    if row.state.phase in _UNFINISHED and intents.of(engine.database, row.config.id):
        from sonata.engine.system.recover import recover_one

        recover_one(engine, row.config.id)
        row = rows.get(engine.database, row.config.id)
    return corrected(engine, row)


def recover(engine: Engine) -> None:
    """Deal with what killed commands left, so that their names, addresses and ports are free. Mostly one query.

    What living commands are at, a hundred of them perhaps, costs a look at a lock each and loads nothing.
    """
    if not all(engine.locks.is_taken(ident) for ident in intents.ids(engine.database)):
        from sonata.engine.system.recover import recover_pending

        recover_pending(engine)


def settled(engine: Engine, row: ContainerRow) -> ContainerRow | None:
    """The row as it is now, cleaned up after where the container ended and nobody is left to do that.

    Its monitor or the monitor's exit command was killed then. None: it was of `run --rm`, and is gone now.
    Writes nothing otherwise. Where the watch of its log was killed, another one is started.
    """
    now = corrected(engine, row)
    if now.state.restart_at:
        from sonata.engine.containers import restarting

        restarting.resume(engine, now)
    if now.config.log.max_files > 1 and now.state.phase == Phase.RUNNING:
        from sonata.engine.containers import log_rotation

        log_rotation.revive(engine, now)
    ended = now.state.phase == Phase.STOPPED and row.state.phase in _LIVE
    # Killed between the end of `run --rm` and the removal, or by a reboot.
    kept = now.state.phase == Phase.EXITED and row.config.auto_remove and not now.state.restart_at
    if not (ended or kept):
        return now
    ident = row.config.id
    if process.alive(row.state.conmon_pid, row.state.conmon_start) or _attended(engine, row):
        return now
    held = engine.locks.try_hold(ident)
    if held is None:
        return now
    from sonata.engine.containers.cleanup import cleanup

    try:
        with held:
            rows.get(engine.database, ident)
        cleanup(engine, ident, patient=False)
        return corrected(engine, rows.get(engine.database, ident))
    except NotFound:
        return None
    except SonataError as error:
        engine.log.warning("cleaning_up_failed", container=ident, error=error.message)
        return now


def is_left_alone(engine: Engine, row: ContainerRow) -> bool:
    """Whether nobody is at work on a container that has ended: no monitor, no exit command, nobody who has its lock."""
    if process.alive(row.state.conmon_pid, row.state.conmon_start) or _attended(engine, row):
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


def settle_owner(engine: Engine, name: str) -> None:
    """Clean up after the container of that name, if it ended and nobody else will; then its name may be free."""
    try:
        row = rows.find(engine.database, name)
    except (NotFound, UsageError):
        return
    if row.config.name == name:
        settled(engine, row)


def _attended(engine: Engine, row: ContainerRow) -> bool:
    """Whether a living command has said that it cleans up after this container (`ending.Attended`)."""
    folder = ContainerPaths(engine, row.config.backends.storage, row.config.id).run_dir
    return is_flocked(folder, os.O_RDONLY | os.O_DIRECTORY)


def corrected(engine: Engine, row: ContainerRow) -> ContainerRow:
    """The row with what has happened since it was written. Writes nothing."""
    state = row.state
    if state.phase not in _LIVE:
        return row
    if state.boot != engine.facts.boot_id:
        phase = after_reboot(Phase(state.phase))
        if phase is not Phase.EXITED:
            return row.replace(state=state.replace(phase=phase, pid=0, pid_start=0))
        return row.replace(state=_over(state, LOST, state.started, phase, "the host was restarted"))
    if process.alive(state.pid, state.pid_start):
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
