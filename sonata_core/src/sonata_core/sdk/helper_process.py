"""Helpers that outlive the command which started them: start one, find it again, stop it.

A helper is known by its pid and its start time, so that a recycled pid is never taken for it. A
record of it lies in a file named after what it serves, because teardown may come from another
process that knows only that.
"""

import os
import time

from sonata_core import json_text as json
from sonata_core.errors import CommandFailed, HostLacks, TimedOut
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import HelperProcess
from sonata_core.sdk.folders import write_whole
from sonata_core.sdk.spawn import SpawnOptions
from sonata_core.sdk.spawn import spawn as start_program

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping
else:
    import _signal as signal

READY_TIMEOUT = 10.0
"""Seconds that a helper may take until it says that it is ready."""
_DRAFT = ".new"
STOP_TIMEOUT = 2.0
"""Seconds between SIGTERM and SIGKILL."""


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; 0 where there is no such process (or a dead one)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read(4096).rpartition(b")")[2].split()
    except OSError:
        return 0
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return 0
    return int(fields[19])


def is_alive(helper: HelperProcess) -> bool:
    """Whether that very process runs, not another with its pid."""
    return helper.pid > 0 and helper.start_time > 0 and start_time(helper.pid) == helper.start_time


def spawn(
    argv: "tuple[str, ...]",
    *,
    env: "Mapping[str, str]",
    fds: "Mapping[int, int]",
    log: str,
) -> HelperProcess:
    """Start a helper in a process group of its own. `fds` maps its descriptors to ours.

    Its output goes to the file `log`; nothing else of ours is passed on.
    Raises HostLacks where the program cannot be started.
    """
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            pid = start_program(argv, env, SpawnOptions(fds={0: null, 1: out, 2: out, **fds}, group=True))
        finally:
            os.close(out)
    except OSError as error:
        raise HostLacks(f"start {argv[0]}: {error.strerror}", "install it, or check that it may be executed") from error
    finally:
        os.close(null)
    return HelperProcess(name=os.path.basename(argv[0]), pid=pid, start_time=start_time(pid))


def wait_ready(helper: HelperProcess, ready_fd: int, log: str, timeout: float = READY_TIMEOUT) -> None:
    """Wait until the helper writes to the other end of `ready_fd`.

    Raises CommandFailed with the end of its log if it closes the pipe without a word (it died),
    TimedOut after `timeout` seconds.
    """
    import select

    poll = select.poll()
    poll.register(ready_fd, select.POLLIN | select.POLLHUP)
    if not poll.poll(timeout * 1000):
        raise TimedOut(f"{helper.name} was not ready after {timeout:g} s", "look at its log", log=log)
    if not os.read(ready_fd, 1):
        raise CommandFailed(f"{helper.name}: {read_tail(log) or 'ended and said nothing'}", stderr=read_tail(log))


def stop(helper: HelperProcess, timeout: float = STOP_TIMEOUT) -> None:
    """End the helper and wait until it is gone: SIGTERM, then SIGKILL. One that is gone already is success."""
    try:
        pidfd = os.pidfd_open(helper.pid)
    except OSError:
        return
    try:
        # Looked at after the descriptor was opened: from here on the pid cannot change hands unseen.
        if not is_alive(helper):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                signal.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                break
            if _gone(pidfd, timeout):
                break
    finally:
        os.close(pidfd)
        reap(helper.pid)


def reap(pid: int) -> None:
    """Take the exit status of a dead child; no child of ours is success."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except OSError:
        return


def save(path: str, helper: HelperProcess, **more: object) -> None:
    """Write the helper's record to `path`, whole or not at all, mode 0600."""
    document = {"name": helper.name, "pid": helper.pid, "start_time": helper.start_time, **more}
    draft = path + _DRAFT
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_whole(fd, json.dumps(document).encode(), draft)
    finally:
        os.close(fd)
    os.rename(draft, path)


def load(path: str) -> "tuple[HelperProcess, dict[str, Any]] | None":
    """The helper recorded at `path` and what was saved beside it; None where nothing legible is."""
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(1 << 20))
        helper = HelperProcess(
            name=str(document["name"]), pid=int(document["pid"]), start_time=int(document["start_time"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return helper, document


def forget(path: str) -> None:
    """Remove a file of ours, and the draft that a killed `save` left; absent is success."""
    for each in (path, path + _DRAFT):
        try:
            os.unlink(each)
        except FileNotFoundError:
            continue


def read_tail(path: str, limit: int = 2000) -> str:
    """The end of a helper's log, as text."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            return file.read(limit).decode(errors="replace").strip()
    except OSError:
        return ""


def _gone(pidfd: int, timeout: float) -> bool:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if poll.poll(max(0.0, left) * 1000):
            return True
        if left <= 0:
            return False
