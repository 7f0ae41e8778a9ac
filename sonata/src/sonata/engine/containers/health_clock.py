"""The clock that has a container's health checks run, and what is known when it starts."""

from __future__ import annotations

import json
import os

from sonata.engine.containers import health_log
from sonata.monitor import health_watch
from sonata_core.errors import Conflict
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import write_whole
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, Healthcheck
    from sonata.state.rows import ContainerRow


def begin(engine: Engine, row: ContainerRow) -> None:
    """A container starts: nothing is known of its health. Called under its lock, before it runs."""
    config = row.config
    check = check_of(config)
    marker = f"{health_log.folder(engine, config)}/{health_watch.STARTUP}"
    if check.startup is not None:
        write_counts(marker, {"successes": 0, "failures": 0})
    else:
        forget(marker)
    known = health_log.read(engine, config)
    health_log.write(engine, config, {**known, "Status": health_log.STARTING, "FailingStreak": 0})


def watch(engine: Engine, row: ContainerRow) -> None:
    """Start the clock of a running container; where one runs already, it ends at once."""
    from sonata.engine.containers.aside import put_aside
    from sonata.engine.containers.monitored import monitor_env

    config, check = row.config, check_of(row.config)
    startup = check.startup.interval if check.startup else 0
    if not check.interval and not startup:
        return
    import sys

    argv = (sys.executable, "-I", "-S", health_watch.__file__, health_log.folder(engine, config))
    times = (str(row.state.pid), str(row.state.pid_start), str(check.interval // 10**6), str(startup // 10**6))
    program = (*engine.overrides.program, *engine.overrides.arguments)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        pid = spawn(
            (*argv, *times, *program, "healthcheck", "run", "--ignore-result", config.id),
            monitor_env(engine),
            SpawnOptions(fds={0: null, 1: null, 2: null}, session=True),
        )
    except OSError as error:
        engine.log.warning("health_checks_not_started", container=config.id, error=error.strerror)
        return
    finally:
        os.close(null)
    put_aside(engine, config, pid, f"{config.id}-health")


def change(engine: Engine, old: ContainerConfig, row: ContainerRow) -> None:
    """A running container is checked otherwise from now on, or not any more. Called under its lock."""
    health_log.end_clock(engine, row.config)
    if not health_log.is_checked(row.config.healthcheck):
        return
    known = health_log.read(engine, old)
    check = check_of(row.config)
    marker = f"{health_log.folder(engine, row.config)}/{health_watch.STARTUP}"
    if check.startup is None:
        forget(marker)
    elif (old.healthcheck is None or old.healthcheck.startup is None) and known["Status"] == health_log.STARTING:
        write_counts(marker, {"successes": 0, "failures": 0})
    health_log.write(engine, row.config, known)
    watch(engine, row)


def check_of(config: ContainerConfig) -> Healthcheck:
    check = config.healthcheck
    if check is None or not health_log.is_checked(check):
        raise Conflict(f"container {config.id} has no defined healthcheck")
    return check


def write_counts(marker: str, counts: dict[str, int]) -> None:
    handle = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_whole(handle, json.dumps(counts).encode(), marker)
    finally:
        os.close(handle)


def forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
