"""`wait`: until a container reaches a state."""

from __future__ import annotations

import time

from sonata.engine.containers import ending, lookup, present
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
    wanted = _wanted(conditions)
    row = _find(engine, container)
    while not isinstance(row, int):
        reached = _reached(engine, row, wanted)
        if reached is not None:
            return reached
        if any(one in _ENDED for one in wanted) and row.state.pid and not _by_health(wanted):
            if ending.wait_dead(row, interval * 20):
                ending.wait_exit_file(engine, row)
        else:
            time.sleep(interval)
        row = _again(engine, row)
    return row


def wait_first(engine: Engine, containers: Iterable[str], conditions: Iterable[str], interval: float = 0.25) -> int:
    """As `wait`, until the first of several containers gets there; its exit code."""
    wanted = _wanted(conditions)
    found = [_find(engine, container) for container in containers]
    while True:
        for row in found:
            reached = row if isinstance(row, int) else _reached(engine, row, wanted)
            if reached is not None:
                return reached
        time.sleep(interval)
        found = [row if isinstance(row, int) else _again(engine, row) for row in found]


def _wanted(conditions: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(conditions) or ("stopped", "exited")
    for condition in wanted:
        if condition not in CONDITIONS:
            raise UsageError(f"unknown container state: {condition}: invalid argument")
    return wanted


def _by_health(wanted: tuple[str, ...]) -> bool:
    return "healthy" in wanted or "unhealthy" in wanted


def _reached(engine: Engine, row: ContainerRow, wanted: tuple[str, ...]) -> int | None:
    """The exit code where the container is as it is wanted, -1 where that is no end; None where it is not."""
    state = shown(Phase(row.state.phase))
    if _by_health(wanted) and _health(engine, row) in wanted:
        return -1
    if state == "created":
        if all(one in _ENDED for one in wanted):
            return 0  # as Podman has it: what never ran is not waited for
        return -1 if "configured" in wanted or "created" in wanted else None
    if state in wanted or (state in _ENDED and ("stopped" in wanted or "exited" in wanted)):
        return row.state.exit_code if state in _ENDED else -1
    return None


def _again(engine: Engine, row: ContainerRow) -> ContainerRow | int:
    """The container as it is now; the exit code it had where it is gone."""
    try:
        return present.corrected(engine, rows.get(engine.database, row.config.id))
    except NotFound:
        code = rows.exit_code(engine.database, row.config.id)
        return -1 if code is None else code


def _health(engine: Engine, row: ContainerRow) -> str:
    from sonata.engine.containers import health_log

    return health_log.status(engine, row)


def _find(engine: Engine, container: str) -> ContainerRow | int:
    try:
        return lookup.load(engine, container)
    except NotFound:
        code = rows.exit_code(engine.database, container)
        if code is None:
            raise
        return code
