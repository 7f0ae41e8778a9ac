"""What happened, written to the events file in Podman's form and told to the hooks group's listeners."""

from __future__ import annotations

import fcntl
import os
import time

from sonata_core import json_text as json
from sonata_core.hookspecs.hooks import ContainerEvents
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.hooks import ContainerEvent
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig


def container(
    engine: Engine,
    config: ContainerConfig,
    status: str,
    code: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Something happened to a container. Trouble with the log is logged, and stops nothing."""
    details: dict[str, Any] = {"ContainerExitCode": code}
    _of_container(engine, config, status, details, {**config.labels, **(extra or {})})


def created(engine: Engine, config: ContainerConfig, inspected: str = "") -> None:
    """A container was made; `inspected` is what `inspect` says of it, where such events are to tell it."""
    _of_container(engine, config, "create", {"ContainerInspectData": inspected}, dict(config.labels))


def health(engine: Engine, config: ContainerConfig, status: str, streak: int, output: str = "") -> None:
    """A health check has run: the container's status now, failures in a row, and what the check wrote."""
    if not engine.config.engine.healthcheck_events:
        return
    details = {"health_status": status, "health_log": output, "health_failing_streak": streak}
    _of_container(engine, config, "health_status", details, dict(config.labels))


def _of_container(
    engine: Engine, config: ContainerConfig, status: str, details: Mapping[str, Any], attributes: dict[str, str]
) -> None:
    now = time.time_ns()
    code = details.get("ContainerExitCode")
    row: dict[str, Any] = {} if code is None else {"ContainerExitCode": code}
    row |= {"ID": config.id, "Image": config.image, "Name": config.name, "Status": status}
    row |= {"Time": _stamp(now), "Type": "container"}
    row |= {key: value for key, value in details.items() if value and key != "ContainerExitCode"}
    if config.pod:
        row["PodID"] = config.pod
    row["Attributes"] = attributes
    write(engine, row)
    if engine.catalog.names(_hooks_group()):
        event = ContainerEvent(
            container=config.id, name=config.name, image=config.image, status=status, time=now, attributes=attributes
        )
        engine.hooks.notify(ContainerEvents.container_event, event=event)


def thing(engine: Engine, kind: str, status: str, name: str, ident: str = "", *, error: str = "") -> None:
    """Something happened to an image, a volume, a secret or the system. A secret has an id only."""
    row: dict[str, Any] = {"ID": ident} if ident else {}
    row |= {"Name": name} if name else {}
    row |= {"Status": status, "Time": _stamp(time.time_ns()), "Type": kind}
    row |= {"error": error} if error else {}
    write(engine, {**row, "Attributes": None})


def pod(engine: Engine, ident: str, name: str, status: str) -> None:
    """Something happened to a pod."""
    thing(engine, "pod", status, name, ident)


def network(
    engine: Engine,
    status: str,
    name: str,
    ident: str,
    *,
    container: str = "",
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Something happened to a network; `connect` and `disconnect` have the id and name of the `container`."""
    row: dict[str, Any] = {"ID": ident, **({"Name": container} if container else {}), "network": name}
    row |= {"Status": status, "Time": _stamp(time.time_ns()), "Type": "network", "Attributes": attributes}
    write(engine, row)


def write(engine: Engine, row: Mapping[str, Any]) -> None:
    """Append one event, and keep the file within its bound; or send it to the journal, or nowhere."""
    logger = engine.config.engine.events_logger
    if logger in ("none", "null"):
        return
    if logger == "journald":
        _send(engine, row)
        return
    path = engine.config.paths.events_log
    line = json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    try:
        if not os.path.exists(os.path.dirname(path)):
            make_private(os.path.dirname(path))
            line = _after_reboot(engine) + line
        _append(path, line, engine.config.engine.events_logfile_max_size)
    except OSError as error:
        engine.log.warning("event_not_written", path=path, error=error.strerror)


def _send(engine: Engine, row: Mapping[str, Any]) -> None:
    from sonata.engine import event_journal

    try:
        event_journal.send(engine, row)
    except OSError as error:
        engine.log.warning("event_not_written", path=event_journal.SOCKET, error=error.strerror)


def _after_reboot(engine: Engine) -> bytes:
    """The event of a host's restart, ahead of the first one after it: the run folder is new, and containers are not."""
    old = engine.database.query(
        "SELECT 1 FROM container_state WHERE boot NOT IN ('', ?) LIMIT 1", (engine.facts.boot_id,)
    )
    if not old:
        return b""
    row = {"Status": "refresh", "Time": _stamp(time.time_ns()), "Type": "system", "Attributes": None}
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _append(path: str, line: bytes, limit: int) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    handle = os.open(path, flags, 0o600)
    try:
        # Shared with other writers, never with one that rotates: what they append must not be cut away.
        fcntl.flock(handle, fcntl.LOCK_SH)
        if limit > 0 and os.fstat(handle).st_size + len(line) >= limit:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_size + len(line) >= limit:
                _rotate(path, handle)
        os.write(handle, line)
    finally:
        os.close(handle)


def _rotate(path: str, handle: int) -> None:
    # The newer half stays, from the first whole line after the middle, between two events that tell of it.
    size = os.fstat(handle).st_size
    kept = os.pread(handle, size, size // 2)
    kept = kept[kept.find(b"\n") + 1 :]
    os.ftruncate(handle, 0)
    os.write(handle, _rotation(path) + kept + _rotation(path))


def _rotation(path: str) -> bytes:
    row = {"Name": path, "Status": "log-rotation", "Time": _stamp(time.time_ns()), "Type": "system", "Attributes": None}
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _hooks_group() -> Any:
    from sonata_core.groups import HOOKS

    return HOOKS


def _stamp(nanoseconds: int) -> str:
    whole, rest = divmod(nanoseconds, 10**9)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{rest:09}".rstrip("0").rstrip(".") + "Z"
