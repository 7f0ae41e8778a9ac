"""What conmon leaves when a container ends: its exit code, the time, whether memory ran out."""

import os
import select
import time

from sonata.monitor.watch import FileWatch
from sonata_core.record import Record

TIMED_OUT = -1
"""The code that conmon writes for a container whose `timeout` ran out."""


class ExitRecord(Record):
    """A container's end. `time_ns` since the epoch; `code` is -1 where conmon's timeout killed it."""

    code: int
    time_ns: int
    oom_killed: bool = False


def read_exit(exit_dir: str, container: str, persist_dir: str = "") -> "ExitRecord | None":
    """The end of the container, None while there is none on record.

    conmon writes the code without a newline, to a temporary name first, so it is never seen half.
    """
    for path in (f"{exit_dir}/{container}", f"{persist_dir}/exit" if persist_dir else ""):
        found = _read_code(path) if path else None
        if found is not None:
            oom = bool(persist_dir) and os.path.exists(f"{persist_dir}/oom")
            return ExitRecord(code=found[0], time_ns=found[1], oom_killed=oom)
    return None


def await_exit(exit_dir: str, container: str, persist_dir: str = "", patience: float = 5.0) -> "ExitRecord | None":
    """As `read_exit`, for a container whose process is gone: the file may come a moment later (Podman waits 5 s)."""
    deadline = time.monotonic() + patience
    pause = 0.0005
    while True:
        found = read_exit(exit_dir, container, persist_dir)
        if found is not None or time.monotonic() >= deadline:
            return found
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def wait_exit(exit_dir: str, container: str, monitor: int, persist_dir: str = "") -> "ExitRecord | None":
    """Wait for the container's end, however long; `monitor` is a pidfd of its conmon.

    Returns as soon as the code is written, which is before conmon has run its exit command. None if conmon
    is gone without having written one: it was killed.
    """
    found = await_exit(exit_dir, container, persist_dir, patience=0.01)
    if found is not None:
        return found
    watch = FileWatch(f"{exit_dir}/{container}")
    try:
        while True:
            gone = wait_process(monitor, 0)  # asked before the last look
            found = read_exit(exit_dir, container, persist_dir)
            if found is not None or gone:
                return found
            watch.wait(1.0, also=monitor)
    finally:
        watch.close()


def wait_process(pidfd: int, timeout: "float | None" = None) -> bool:
    """Wait until the process of `pidfd` (conmon's: then its exit command is done too) has ended; False on timeout."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if timeout is None else max(0, int(timeout * 1000))))


def forget(exit_dir: str, container: str, bundle: str, persist_dir: str = "") -> None:
    """Remove what an earlier run left, before the next: exit files, `attach`, `ctl`, `winsz`."""
    paths = [f"{exit_dir}/{container}", *(f"{bundle}/{name}" for name in ("attach", "ctl", "winsz"))]
    if persist_dir:
        paths += [f"{persist_dir}/exit", f"{persist_dir}/oom"]
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def _read_code(path: str) -> "tuple[int, int] | None":
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return int(os.read(descriptor, 16)), os.fstat(descriptor).st_ctime_ns
    except ValueError:
        return None
    finally:
        os.close(descriptor)
