"""Waiting for a container's end."""

from __future__ import annotations

import os
import time

from sonata.engine.containers import present
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

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
