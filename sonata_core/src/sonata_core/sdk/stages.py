"""Staging folders kept alive by a lock file, in the form that containers/storage gives them.

Below a parent folder lie `lock-R` (held locked by the owner) and `temp-dir-R/`. Whoever can lock
`lock-R` knows that its owner is gone and may remove both: that is how Podman and others clean up
after us and we after them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

from sonata_core.errors import InUse
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from sonata_core.models.storage import StorageFinding

_LOCK = "lock-"
_FOLDER = "temp-dir-"


def try_lock(fd: int) -> bool:
    """Lock a whole file for writing without waiting, so that POSIX record locks conflict. False: someone has it."""
    request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


class Stage:
    """One staging folder. `path` may be filled and renamed away; `close` removes what is left, once or twice."""

    def __init__(self, parent: str) -> None:
        make_private(parent)
        self.fd, self.lock = _new_lock(parent)
        self.path = os.path.join(parent, _FOLDER + os.path.basename(self.lock)[len(_LOCK) :])
        try:
            os.mkdir(self.path, 0o700)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the folder, then the lock file, then let go of the lock."""
        if self.fd < 0:
            return
        try:
            remove_tree(self.path)
            _unlink(self.lock)
        finally:
            os.close(self.fd)
            self.fd = -1


def clear(stage: Stage) -> None:
    """Close a stage, and remove what others left below the same parent who were killed. Best while no lock is held.

    Raises InUse for what cannot be deleted.
    """
    try:
        stage.close()
    except OSError as error:
        raise InUse(f"{error.filename}: {error.strerror}", hint="`sonata system check` names what stayed") from error
    reap_stages(os.path.dirname(stage.path))


def set_aside(path: str, parent: str) -> Stage | None:
    """Move a folder into a new stage below `parent`, so that it is gone at once and deleted when the stage is closed.

    None: it was absent, or no stage can be had (a full disk, another file system), so that it still has to be removed.
    """
    try:
        stage = Stage(parent)
    except OSError:
        return None
    try:
        os.rename(path, os.path.join(stage.path, f"0-{os.path.basename(path)}"))
    except OSError:
        stage.close()
        return None
    return stage


def _new_lock(parent: str) -> tuple[int, str]:
    while True:
        path = os.path.join(parent, f"{_LOCK}{int.from_bytes(os.urandom(5), 'big')}")
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        # A reaper may have locked and removed the file between its making and our lock.
        if try_lock(fd) and os.path.exists(path):
            return fd, path
        os.close(fd)


def dead_stages(parent: str) -> list[str]:
    """Names after `lock-` or `temp-dir-` of stages whose owner is gone. Looks only; takes no stage over."""
    return [name for name, fd in _dead(parent) if _closed(fd)]


def reap_stages(parent: str) -> list[str]:
    """Remove the stages whose owner is gone; those of living owners stay. Returns what was removed.

    One that cannot be removed, for a file in it that may not be deleted, stays, and keeps nobody from work.
    """
    gone = []
    for name, fd in _dead(parent):
        try:
            remove_tree(os.path.join(parent, _FOLDER + name))
            _unlink(os.path.join(parent, _LOCK + name))
            gone.append(name)
        except OSError:
            continue
        finally:
            os.close(fd)
    return gone


def stage_findings(parent: str, *, repair: bool) -> list[StorageFinding]:
    """What a storage driver's check says of stages whose owner is gone; with `repair` they are removed."""
    from sonata_core.models.storage import StorageFinding

    return [
        StorageFinding(
            what="stale staging folder",
            path=os.path.join(parent, _FOLDER + name),
            evidence=f"nobody holds {_LOCK}{name}",
            repair="remove the folder and its lock file",
        )
        for name in (reap_stages(parent) if repair else dead_stages(parent))
    ]


def _dead(parent: str) -> list[tuple[str, int]]:
    try:
        names = os.listdir(parent)
    except FileNotFoundError:
        return []
    dead = []
    for name in names:
        if not name.startswith(_LOCK):
            continue
        try:
            fd = os.open(os.path.join(parent, name), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        if try_lock(fd):
            dead.append((name[len(_LOCK) :], fd))
        else:
            os.close(fd)
    return dead


def _closed(fd: int) -> bool:
    os.close(fd)
    return True


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
