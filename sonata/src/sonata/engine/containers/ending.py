"""Waiting for a container's end."""

from __future__ import annotations

import fcntl
import os
import time

from sonata.engine.containers import present
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.locks import is_flocked

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow


class Attended:
    """A command that will clean up after a container's end itself, for as long as the `with` block lasts.

    The exit command of conmon waits for it (`sonata.launch`), and then finds nothing to do. A lock of the
    container's run folder says it, so that a killed command attends to nothing any more.
    """

    def __init__(self, engine: Engine, row: ContainerRow) -> None:
        self._folder = self._place(ContainerPaths(engine, row.config.backends.storage, row.config.id))
        self._handle = -1

    def _place(self, paths: ContainerPaths) -> str:
        return paths.run_dir

    def __enter__(self) -> Attended:
        try:
            self._handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Returning(Attended):
    """A command that will start a container again which it is stopping, for as long as the `with` block lasts.

    Whoever follows the container's output goes on then. The folder with its spec says it, which a stop leaves alone.
    """

    def _place(self, paths: ContainerPaths) -> str:
        return paths.bundle


def is_returning(engine: Engine, row: ContainerRow) -> bool:
    """Whether a living command is about to start it again."""
    bundle = ContainerPaths(engine, row.config.backends.storage, row.config.id).bundle
    return is_flocked(bundle, os.O_RDONLY | os.O_DIRECTORY)


def mark(paths: ContainerPaths, config: ContainerConfig) -> str:
    """The file whose absence says that an ended container has been cleaned up (and removed, with --rm)."""
    return f"{paths.run_dir}/" if config.auto_remove else paths.pid_file


EXIT_FILE_PATIENCE = 5.0
"""Seconds after a process's death within which conmon must have written its exit file."""


def wait_dead(row: ContainerRow, timeout: float | None) -> bool:
    """Wait until the container's first process is gone; False if it is not after `timeout` seconds."""
    return process.wait_gone(*present.process_of(row), timeout)


def wait_exit_file(engine: Engine, row: ContainerRow) -> None:
    """Wait, shortly, until conmon has written the exit code or is gone."""
    path = ContainerPaths(engine, row.config.backends.storage, row.config.id).exit_file
    deadline = time.monotonic() + EXIT_FILE_PATIENCE
    pause = 0.0005
    while not os.path.exists(path) and time.monotonic() < deadline:
        if not process.alive(row.state.conmon_pid, row.state.conmon_start) and not os.path.exists(path):
            return
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def exit_code(engine: Engine, container: str) -> int:
    """The exit code of a container that has ended, also shortly after its removal. Raises NotFound."""
    try:
        return present.corrected(engine, rows.get(engine.database, container)).state.exit_code
    except NotFound:
        code = rows.exit_code(engine.database, container)
        if code is None:
            raise
        return code
