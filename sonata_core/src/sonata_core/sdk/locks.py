"""Locks on files that other tools lock too.

Peers take POSIX record locks, which belong to a process: two threads never meet one, and closing
any descriptor of the file drops them all. Open-file-description locks (Linux 3.15) conflict with
the peers' locks in the same way and have neither fault: they belong to the open file.
"""

import errno
import fcntl
import os
import struct

from sonata_core import interrupts
from sonata_core.errors import Denied, Unavailable
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid (0 for these locks)


class FileLock:
    """A lock that is held until `close`, or until every copy of `fd` is closed.

    A child that inherits `fd` keeps the lock: so can work go on under it after this process ended.
    """

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path

    def close(self) -> None:
        """Let go. Twice is as good as once."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None:
        self.close()


def lock_file(path: str, *, shared: bool = False, mode: int = 0o644) -> FileLock:
    """Wait for the lock on `path`, made if absent with its folder, and take it.

    Raises Denied where the file may not be opened, Unavailable where its file system has no locks.
    """
    fd = _open(path, mode)
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    try:
        with interrupts.Window():
            fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        os.close(fd)
        raise Unavailable(f"lock {path}: {error.strerror}", "put the folder on a file system with locks") from error
    except BaseException:
        os.close(fd)
        raise
    return FileLock(fd, path)


def try_lock_file(path: str, *, shared: bool = False, mode: int = 0o644) -> "FileLock | None":
    """As `lock_file`, but None at once where another holds it."""
    fd = _open(path, mode)
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise Unavailable(f"lock {path}: {error.strerror}", "put the folder on a file system with locks") from error
    return FileLock(fd, path)


def _open(path: str, mode: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, flags, mode)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            return os.open(path, flags, mode)
    except OSError as error:
        raise Denied(f"open lock file {path}: {error.strerror}", "check the owner and mode of its folder") from error


def is_flocked(path: str, flags: int = os.O_RDWR) -> bool:
    """Whether somebody holds the `flock` of a file or folder; what is not there is not locked. Raises OSError.

    These are locks of ours alone. Asking takes the lock for a moment where it is free.
    """
    try:
        handle = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
