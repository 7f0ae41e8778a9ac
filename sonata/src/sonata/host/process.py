"""Processes of the host, known by pid and start time so that a recycled pid is never taken for another."""

from __future__ import annotations

import os
import select

from sonata_core import interrupts
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; 0 if there is no such process."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def alive(pid: int, started: int) -> bool:
    """Is the process of that pid and start time still there, and not a zombie? `started` 0 is not compared."""
    if pid <= 0:
        return False
    fields = _stat(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return False
    return started in (0, int(fields[19]))


def number_inside(pid: int) -> int:
    """The number that a process has in its own pid namespace; 0 if it is gone (proc(5), NSpid)."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            text = file.read(8192)
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return 0


def open_process(pid: int, started: int) -> int | None:
    """A pidfd of exactly that process, or None if it is gone. The caller closes it."""
    try:
        descriptor = os.pidfd_open(pid)
    except (ProcessLookupError, ValueError, OSError):
        return None
    if started and start_time(pid) != started:
        os.close(descriptor)
        return None
    return descriptor


def wait(pidfd: int, timeout: float | None) -> bool:
    """Wait until the process of `pidfd` has ended, at most `timeout` seconds; False if it has not."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    with interrupts.Window():
        return bool(poll.poll(None if timeout is None else max(0, int(timeout * 1000))))


def wait_gone(pid: int, started: int, timeout: float | None) -> bool:
    """As `wait`, for a pid and start time; True at once when it is gone already."""
    descriptor = open_process(pid, started)
    if descriptor is None:
        return True
    try:
        return wait(descriptor, timeout)
    finally:
        os.close(descriptor)


def send(pid: int, started: int, number: int) -> bool:
    """Send a signal to exactly that process; False if it is gone. Raises PermissionError."""
    descriptor = open_process(pid, started)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def _stat(pid: int) -> list[bytes]:
    """Fields of /proc/PID/stat after the command's name, which may hold anything; empty if there is none."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        text = os.read(descriptor, 4096)
    except ProcessLookupError:
        return []
    finally:
        os.close(descriptor)
    return text[text.rfind(b")") + 2 :].split()
