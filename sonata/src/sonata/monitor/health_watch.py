"""The clock of a container's health checks: a process that waits, starts the check, waits again, and ends with the
container. Run as a program by `python3 -I -S`; it loads nothing but what the interpreter has built in.

Words: folder for the lock, pid and start time of the container's first process, interval of the check and of the
startup check in milliseconds (0: none), and the command that checks. See docs/adr/0030-health-checks.md.
"""

import fcntl
import os
import select
import sys
import time

LOCK = "health.lock"
STARTUP = "health.startup"
"""While this file is in the folder, the startup check is what is run."""
_PATIENCE = 15.0
"""Seconds that the clock of the container's last run may take to go."""


def main(words: "list[str]") -> None:
    """Check until the container is gone. Does nothing where another clock runs already."""
    folder, pid, started, interval, startup = words[0], int(words[1]), words[2], int(words[3]), int(words[4])
    command = words[5:]
    os.chdir("/")
    try:
        gone = os.pidfd_open(pid)
    except OSError:
        return
    if _start_time(pid) != started or not _alone(folder, gone):
        return
    while True:
        starting = os.path.exists(f"{folder}/{STARTUP}")
        pause = startup if starting else interval
        if not pause:
            return
        _check(command)
        if starting and not os.path.exists(f"{folder}/{STARTUP}"):
            pause = 0
        if _ended(gone, pause):
            return


def _alone(folder: str, gone: int) -> bool:
    """Take the lock; the clock of the last run may still be waiting for its check."""
    lock = os.open(f"{folder}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who it is, for whoever wants this clock to end.
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} {_start_time(os.getpid())}".encode(), 0)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline or _ended(gone, 100):
                return False


def _check(command: "list[str]") -> None:
    try:
        os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)
    except OSError:
        return  # the program is being replaced: the next time will do


def _ended(gone: int, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(gone, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _start_time(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(4096).rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


if __name__ == "__main__":
    main(sys.argv[1:])
