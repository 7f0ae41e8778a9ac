"""Keeps a container's log within its bounds and loses no line of the files that are kept: a process that moves the
file away once it is full, and has conmon open a new one. Run as a program by `python3 -I -S`; it loads nothing but
what the interpreter has built in.

Words: the log's path, its bound in bytes, how many files there may be, the bundle with conmon's control file, pid and
start time of conmon. One at a time watches: it holds the lock of a file in the bundle. What is written between the
move and the new file goes into the one that was moved.
"""

import errno
import fcntl
import os
import select
import signal
import sys
import time

LOCK = "log-watch"
"""The file in the bundle that is locked as long as somebody watches."""
_IDLE = 1000
"""Milliseconds between looks where the kernel cannot tell of a change in the folder."""
_TOLD = 1.0
"""Seconds between looks where it can."""
_PAUSE = 0.02
"""Seconds between two looks at a log that is being written; a tenth of it once the log is half full."""
_PATIENCE = 10.0
"""Seconds that conmon may take to open a new file."""


def main(words: "list[str]") -> None:
    """Watch until conmon is gone."""
    path, bound, files, bundle = words[0], int(words[1]), int(words[2]), words[3]
    pid, started = int(words[4]), words[5]
    os.chdir("/")
    try:
        gone = os.pidfd_open(pid)
    except OSError:
        return
    _take_turn(f"{bundle}/{LOCK}")
    if _start_time(pid) != started:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGIO,))
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    while not _ended(gone, 0):
        told = _ask_to_be_told(folder)
        size = _size(path)
        if size >= bound:
            rotate(path, files)
            _reopen(f"{bundle}/ctl")
            _await(path, gone)
        elif told:
            signal.sigtimedwait((signal.SIGIO,), _TOLD)
            time.sleep(_PAUSE if size < bound // 2 else _PAUSE / 10)
        else:
            _ended(gone, _IDLE)


def _take_turn(path: str) -> None:
    """Wait until the one before, whose conmon may be about to end, has ended. The lock is kept until we do."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)


def rotate(path: str, files: int) -> None:
    """Move `PATH` to `PATH.1`, what was there to `PATH.2`, and so on; the oldest is overwritten."""
    for number in range(files - 1, 0, -1):
        source = path if number == 1 else f"{path}.{number - 1}"
        try:
            os.rename(source, f"{path}.{number}")
        except FileNotFoundError:
            continue


def _ask_to_be_told(folder: int) -> bool:
    """SIGIO at the next change of a file in the folder (dnotify: inotify is out of reach without ctypes)."""
    try:
        fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_MODIFY)
    except OSError:
        return False
    return True


def _reopen(control: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            handle = os.open(control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.ENXIO, errno.EAGAIN):
                return
            time.sleep(_PAUSE)
            continue
        try:
            os.write(handle, b"2 0 0\n")
            return
        except BlockingIOError:
            time.sleep(_PAUSE)
        except BrokenPipeError:
            return
        finally:
            os.close(handle)


def _await(path: str, gone: int) -> None:
    """Until conmon has made its new file."""
    deadline = time.monotonic() + _PATIENCE
    while not os.path.exists(path) and time.monotonic() < deadline and not _ended(gone, 2):
        pass


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


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
