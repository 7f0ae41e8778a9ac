"""Health checks: run in the container, written down, acted upon."""

from __future__ import annotations

import json
import os
import time

from sonata.engine import events
from sonata.engine.containers import health_clock, health_log, lookup, present
from sonata.engine.containers.captured import capture
from sonata.engine.containers.health_clock import check_of, forget, write_counts
from sonata.model.times import rfc3339
from sonata.monitor import health_watch
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import Conflict, NotFound, ProcessRefused, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import Healthcheck
    from sonata.state.rows import ContainerRow

_OUTPUT_LIMIT = 1 << 20
"""Characters that are ever kept of one check, where the log has no limit of its own."""
_TIMED_OUT, _OTHER = -1, 125


class Checked(Record):
    """One check: its code (0, 1 for any failure, -1 out of time, 125 could not be run) and what it wrote."""

    code: int
    output: str
    began: int
    ended: int


def run(engine: Engine, container: str) -> str:
    """Check once, write the result down, and act on it; empty where the check succeeded, else what to call it.

    Raises NotFound, and Conflict where the container does not run or has nothing to check.
    """
    try:
        row = lookup.load(engine, container)
    except NotFound as error:
        told = f"unable to look up {container} to perform a health check: {error.message}"
        raise NotFound(told, name=container) from error
    config = row.config
    check = check_of(config)
    if row.state.phase != Phase.RUNNING:
        raise Conflict(f"container {config.id} is not running")
    marker = f"{health_log.folder(engine, config)}/{health_watch.STARTUP}"
    startup = check.startup if os.path.exists(marker) else None
    test, timeout = (startup.test, startup.timeout) if startup else (check.test, check.timeout)
    if not health_log.has_clock(engine, config):
        health_clock.watch(engine, row)
    done = _execute(engine, row, command_of(test), timeout)
    try:
        row = present.corrected(engine, rows.get(engine.database, config.id))
    except NotFound:
        return _called(done, startup=startup is not None)
    with health_log.Writing(engine, config):
        restart = startup is not None and _count_startup(marker, check, done.code == 0)
        health = _judged(row, health_log.read(engine, config), done, startup=startup is not None)
        health_log.write(engine, config, health)
    told = done.output if check.log_destination == "events_logger" else ""
    events.health(engine, config, health["Status"], health["FailingStreak"], told)
    if restart:
        _act(engine, row, "restart", counted=False)
    elif health["Status"] == health_log.UNHEALTHY:
        _act(engine, row, check.on_failure, counted=True)
    return _called(done, startup=startup is not None)


def _called(done: Checked, *, startup: bool) -> str:
    """What `healthcheck run` prints of a failure."""
    return "" if done.code == 0 else health_log.STARTING if startup else health_log.UNHEALTHY


def command_of(test: tuple[str, ...]) -> tuple[str, ...]:
    """The words to run for a test in Docker's form."""
    if test[0] == "CMD":
        return test[1:]
    return ("/bin/sh", "-c", " ".join(test[1:])) if test[0] == "CMD-SHELL" else test


def _execute(engine: Engine, row: ContainerRow, command: tuple[str, ...], timeout: int) -> Checked:
    """Run the check. `timeout` in nanoseconds."""
    began = time.time_ns()
    check = check_of(row.config)
    limit = check.max_log_size or _OUTPUT_LIMIT
    try:
        done = capture(engine, row, command, limit=4 * limit, seconds=timeout / 10**9)
        code, output = 1 if done.code else 0, done.both
        if done.code is None:
            code = _TIMED_OUT
            output += f"healthcheck command exceeded timeout of {timeout // 10**9}s".encode()
    except ProcessRefused as error:
        code, output = 1, error.message.encode()
    except SonataError as error:
        code, output = _OTHER, error.message.encode()
    return Checked(code=code, output=output.decode(errors="replace")[:limit], began=began, ended=time.time_ns())


def _judged(row: ContainerRow, health: dict[str, Any], done: Checked, *, startup: bool) -> dict[str, Any]:
    """The health after a check. Failures in the start period, and of the startup check, do not count."""
    check = check_of(row.config)
    status, streak = health["Status"], health["FailingStreak"]
    in_period = time.time_ns() < row.state.started + check.start_period
    if row.state.phase != Phase.RUNNING:
        status = health_log.STOPPED
    elif done.code == 0:
        status, streak = (status if startup else health_log.HEALTHY), 0
    elif not startup and not in_period:
        streak += 1
        status = health_log.UNHEALTHY if streak >= check.retries else status
    entry = {
        "Start": rfc3339(done.began),
        "End": rfc3339(done.ended),
        "ExitCode": done.code,
        "Output": "" if check.log_destination == "events_logger" else done.output,
    }
    log = [*(health["Log"] or []), entry]
    if check.max_log_count:
        log = log[-check.max_log_count :]
    return {"Status": status, "FailingStreak": streak, "Log": log}


def _count_startup(marker: str, check: Healthcheck, good: bool) -> bool:
    """One more result of the startup check; whether it has failed too often."""
    startup = check.startup
    assert startup is not None
    try:
        with open(marker, encoding="ascii") as file:
            counts = json.load(file)
    except (OSError, ValueError):
        return False
    key = "successes" if good else "failures"
    counts = {"successes": 0 if not good else counts["successes"], "failures": counts["failures"]}
    counts[key] += 1
    if good and counts["successes"] >= startup.successes:
        forget(marker)
        return False
    write_counts(marker, counts)
    return bool(startup.retries) and counts["failures"] >= startup.retries


def _act(engine: Engine, row: ContainerRow, action: str, *, counted: bool) -> None:
    """What is to be done with an unhealthy container. It ended meanwhile: nothing. `counted`: of a restart."""
    ident = row.config.id
    if action == "none" or row.state.phase != Phase.RUNNING:
        return
    from sonata.engine.containers import kill, small, stop

    try:
        if action == "kill":
            kill.kill(engine, ident)
        elif action == "stop":
            stop.stop(engine, ident)
        else:
            small.restart(engine, ident, counted=counted)
    except (Conflict, NotFound) as error:
        engine.log.info("health_action_came_late", container=ident, action=action, error=error.message)
