"""`--log-opt max-file`: the process that moves a full log away (`monitor.log_watch`)."""

from __future__ import annotations

import os
import sys

from sonata.engine.containers.aside import put_aside
from sonata.engine.containers.monitored import monitor_env
from sonata.engine.paths import ContainerPaths
from sonata.monitor import log_watch
from sonata.plan.lifecycle import Phase
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.locks import is_flocked
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


BACKSTOP = 1 << 30
"""Bytes at which conmon itself starts a log anew, and forgets it, where nobody has watched for long."""


def revive(engine: Engine, row: ContainerRow) -> None:
    """Watch the log of a running container again where whoever did was killed."""
    if row.state.phase != Phase.RUNNING:
        return
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    if not is_flocked(f"{paths.bundle}/{log_watch.LOCK}") and os.path.isdir(paths.bundle):
        engine.log.info("log_watched_again", container=row.config.id)
        watch(engine, row)


def watch(engine: Engine, row: ContainerRow) -> None:
    """Begin to watch the log of a container that has just been started; ends with its monitor."""
    config, state = row.config, row.state
    if config.log.driver not in ("k8s-file", "json-file") or config.log.max_size <= 0:
        return
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    bounds = (str(config.log.max_size), str(config.log.max_files))
    monitor = (str(state.conmon_pid), str(state.conmon_start))
    argv = (sys.executable, "-I", "-S", log_watch.__file__, config.log.path or paths.log, *bounds)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = SpawnOptions(fds={0: null, 1: null, 2: null}, session=True)
        pid = spawn((*argv, paths.bundle, *monitor), monitor_env(engine), options)
    except OSError as error:
        engine.log.warning("log_not_watched", container=config.id, error=error.strerror)
        return
    finally:
        os.close(null)
    put_aside(engine, config, pid, f"{config.id}-log")
