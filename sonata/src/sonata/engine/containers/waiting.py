"""`wait`: until a container reaches a state."""

from __future__ import annotations

import time

from sonata.engine.containers import ending, present
from sonata.plan.lifecycle import Phase, shown
from sonata.state import containers as rows
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

CONDITIONS = (
    "configured",
    "created",
    "exited",
    "healthy",
    "initialized",
    "paused",
    "removing",
    "running",
    "stopped",
    "stopping",
    "unhealthy",
    "removed",
)
_ENDED = ("exited", "stopped")


def wait(engine: Engine, container: str, conditions: Iterable[str] = (), interval: float = 0.25) -> int:
    """Wait until the container is in one of these states (default: stopped); its exit code.

    -1 for a state other than an end; `interval` in seconds. Raises NotFound for a name that is none,
    UsageError for a condition that is none.
    """
    wanted = tuple(conditions) or ("stopped", "exited")
    for condition in wanted:
        if condition not in CONDITIONS:
            raise UsageError(f"unknown container state: {condition}: invalid argument")
    row = _find(engine, container)
    if isinstance(row, int):
        return row
    ident = row.config.id
    wanted_health = [one for one in wanted if one in ("healthy", "unhealthy")]
    while True:
        state = shown(Phase(row.state.phase))
        if wanted_health and _health(engine, row) in wanted_health:
            return -1
        if state in wanted or (state in _ENDED and ("stopped" in wanted or "exited" in wanted)):
            return row.state.exit_code if state in _ENDED else -1
        if any(one in _ENDED for one in wanted) and row.state.pid and not wanted_health:
            if ending.wait_dead(row, interval * 20):
                ending.wait_exit_file(engine, row)
        else:
            time.sleep(interval)
        try:
            row = present.corrected(engine, rows.get(engine.database, ident))
        except NotFound:
            code = rows.exit_code(engine.database, ident)
            return -1 if code is None else code


def _health(engine: Engine, row: ContainerRow) -> str:
    from sonata.engine.containers import health_log

    return health_log.status(engine, row)


def _find(engine: Engine, container: str) -> ContainerRow | int:
    try:
        return present.load(engine, container)
    except NotFound:
        code = rows.exit_code(engine.database, container)
        if code is None:
            raise
        return code
