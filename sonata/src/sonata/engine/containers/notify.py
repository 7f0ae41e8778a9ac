"""Telling a service manager of a container: `--sdnotify` and `NOTIFY_SOCKET` (sd_notify(3)).

`container`: conmon passes on the container's own READY=1 from a socket of its own in the bundle, and the engine says
whose process to watch. `conmon`: the engine says ready at once. `healthy`: once the first check went well. `ignore`:
nothing is said.
"""

from __future__ import annotations

import os
import time

from sonata.engine.containers import health_log
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata_core.errors import Conflict
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow

_FOLDER = "/run/notify"
_PAUSE = 0.1


def socket_of(engine: Engine) -> str:
    """Where the service manager listens; empty where nobody does."""
    return engine.config.environment.get("NOTIFY_SOCKET", "")


def passed_on(engine: Engine, config: ContainerConfig) -> bool:
    """Whether what the container says is passed on."""
    return bool(socket_of(engine)) and config.process.sdnotify == "container"


def folder(engine: Engine, config: ContainerConfig) -> str:
    """Where conmon makes the container's socket."""
    return f"{ContainerPaths(engine, config.backends.storage, config.id).bundle}/notify"


def inject(engine: Engine, config: ContainerConfig, spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with the container's socket in it. Makes nothing."""
    mount = {
        "destination": _FOLDER,
        "type": "bind",
        "source": folder(engine, config),
        "options": ["bind", "rprivate", "rw"],
    }
    env = [one for one in spec["process"].get("env", ()) if not one.startswith("NOTIFY_SOCKET=")]
    changed = {**spec["process"], "env": [*env, f"NOTIFY_SOCKET={_FOLDER}/notify.sock"]}
    return {**spec, "process": changed, "mounts": [*spec["mounts"], mount]}


def started(engine: Engine, row: ContainerRow) -> None:
    """Say that a container has been started, as far as that is to be said."""
    mode = row.config.process.sdnotify
    if mode != "ignore":
        _say(engine, f"MAINPID={row.state.conmon_pid}" + ("\nREADY=1" if mode == "conmon" else ""))


def await_health(engine: Engine, row: ContainerRow) -> None:
    """With `healthy`, wait until the container is, and say so. Raises Conflict where it ends before."""
    if row.config.process.sdnotify != "healthy":
        return
    while health_log.read(engine, row.config)["Status"] != "healthy":
        if not process.alive(row.state.pid, row.state.pid_start):
            raise Conflict("container is stopped")
        time.sleep(_PAUSE)
    _say(engine, "READY=1")


def _say(engine: Engine, text: str) -> None:
    import _socket

    where = socket_of(engine)
    if not where:
        return
    with_null = "\0" + where[1:] if where.startswith("@") else where
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        socket.sendto(text.encode(), with_null)
    except OSError as error:
        engine.log.warning("notify_failed", socket=where, error=os.strerror(error.errno or 0))
    finally:
        socket.close()
