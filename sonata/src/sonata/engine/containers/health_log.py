"""A container's health as it is written down: `healthcheck.log`, in Podman's form."""

from __future__ import annotations

import fcntl
import json
import os
import signal

from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.folders import write_whole
from sonata_core.sdk.locks import is_flocked

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, Healthcheck
    from sonata.state.rows import ContainerRow

LOCK = "health.lock"
"""What the clock holds as long as it lives."""
STARTING, HEALTHY, UNHEALTHY, STOPPED = "starting", "healthy", "unhealthy", "stopped"
_LIMIT = 16 << 20


def is_checked(check: Healthcheck | None) -> bool:
    """Whether there is anything to run."""
    return check is not None and bool(check.test) and check.test[0] != "NONE"


def folder(engine: Engine, config: ContainerConfig) -> str:
    """Where the clock's lock and the log are: gone with the container, and with the boot."""
    return ContainerPaths(engine, config.backends.storage, config.id).run_home


def path(engine: Engine, config: ContainerConfig) -> str:
    """The log's file: beside the run folder, or in the folder of `--health-log-destination`."""
    wanted = config.healthcheck.log_destination if config.healthcheck else ""
    if wanted in ("", "local", "events_logger"):
        return f"{folder(engine, config)}/healthcheck.log"
    return f"{wanted}/{config.id}-healthcheck.log"


def require_folder(wanted: str, doing: str = "") -> None:
    """Raises UsageError where health is to be written down in a folder that is none. `doing` begins the message."""
    if wanted in ("", "local", "events_logger"):
        return
    if not os.path.exists(wanted):
        raise UsageError(
            f"{doing}HealthCheck Log '{wanted}' destination error: stat {wanted}: no such file or directory"
        )
    if not wanted.startswith("/") or not os.path.isdir(wanted):
        raise UsageError(
            f"{doing}HealthCheck Log '{wanted}' destination must be directory", hint="name one by its full path"
        )


def read(engine: Engine, config: ContainerConfig) -> dict[str, Any]:
    """What is written down; before the first check, that it is starting."""
    try:
        with open(path(engine, config), encoding="utf-8", errors="replace") as file:
            found = json.loads(file.read(_LIMIT))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("Log") or [], list):
        return {"Status": STARTING, "FailingStreak": 0, "Log": None}
    streak = found.get("FailingStreak")
    return {
        "Status": str(found.get("Status") or STARTING),
        "FailingStreak": streak if isinstance(streak, int) else 0,
        "Log": found.get("Log"),
    }


def write(engine: Engine, config: ContainerConfig, health: dict[str, Any]) -> None:
    """Replace the log. Trouble with it, such as a folder that went away, is logged, and stops no container."""
    target = path(engine, config)
    try:
        _replace(target, health)
    except OSError as error:
        engine.log.warning("health_not_written", path=target, error=error.strerror)


def _replace(target: str, health: dict[str, Any]) -> None:
    draft = f"{target}.new"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o700)
    try:
        text = json.dumps(health, separators=(",", ":"), ensure_ascii=False)
        write_whole(handle, text.encode(errors="replace"), draft)
    finally:
        os.close(handle)
    os.rename(draft, target)


def status(engine: Engine, row: ContainerRow) -> str:
    """healthy, unhealthy or starting of a container that runs and is checked; empty otherwise."""
    if not row.state.pid or not is_checked(row.config.healthcheck):
        return ""
    return str(read(engine, row.config)["Status"])


def has_clock(engine: Engine, config: ContainerConfig) -> bool:
    """Whether the process runs that has the checks run; it may have been killed."""
    return is_flocked(f"{folder(engine, config)}/{LOCK}")


def end_clock(engine: Engine, config: ContainerConfig) -> None:
    """End the process that has the checks run, where there is one. A check that it has begun goes on."""
    try:
        with open(f"{folder(engine, config)}/{LOCK}", encoding="ascii", errors="replace") as file:
            pid, started = (int(word) for word in file.read(64).split())
    except (OSError, ValueError):
        return
    if has_clock(engine, config) and process.send(pid, started, signal.SIGTERM):
        process.wait_gone(pid, started, 5)


class Writing:
    """Alone with a container's health for as long as the `with` block lasts."""

    def __init__(self, engine: Engine, config: ContainerConfig) -> None:
        self._folder = folder(engine, config)
        self._handle = -1

    def __enter__(self) -> Writing:
        self._handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)


def described(check: Healthcheck) -> dict[str, Any]:
    """As `inspect` shows what is run: what is zero is left out."""
    shown = {
        "Test": list(check.test),
        "StartPeriod": check.start_period,
        "Interval": check.interval,
        "Timeout": check.timeout,
        "Retries": check.retries,
    }
    return {key: value for key, value in shown.items() if value}


def described_startup(check: Healthcheck) -> dict[str, Any]:
    """The same of the startup check."""
    assert check.startup is not None
    one = check.startup
    shown = {
        "Test": list(one.test),
        "Interval": one.interval,
        "Timeout": one.timeout,
        "Retries": one.retries,
        "Successes": one.successes,
    }
    return {key: value for key, value in shown.items() if value}
