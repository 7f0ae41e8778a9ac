"""Locks on containers and volumes: files locked with flock, in one order."""

from __future__ import annotations

import fcntl
import os

from sonata_core import interrupts
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.locks import is_flocked

if TYPE_CHECKING:
    from types import TracebackType


class Locks:
    """Lock files below one folder. A descriptor is closed on exec, so that no child inherits a lock."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def hold(self, *names: str) -> Held:
        """All of these, in sorted order, as a context manager."""
        return Held(self, sorted(set(names)))

    def try_hold(self, name: str) -> Held | None:
        """This one if nobody has it, already taken; else None.

        Where it had no file, what it is for may be gone, and its file with it: then the one made here goes at the end.
        """
        try:
            handle, fresh = self._open(name, os.O_EXCL), True
        except FileExistsError:
            handle, fresh = self._open(name), False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if not self.is_current(handle, name):
            os.close(handle)
            return None
        held = Held(self, [name])
        held.handles.append(handle)
        held.fresh = fresh
        return held

    def acquire(self, name: str) -> int:
        """Wait for one lock; its descriptor."""
        while True:
            handle = self._open(name)
            try:
                with interrupts.Window():
                    fcntl.flock(handle, fcntl.LOCK_EX)
            except BaseException:
                os.close(handle)
                raise
            if self.is_current(handle, name):
                return handle
            os.close(handle)

    def forget(self, *names: str) -> None:
        """Remove lock files, while holding them."""
        for name in names:
            try:
                os.unlink(self._path(name))
            except FileNotFoundError:
                pass

    def taken(self) -> list[str]:
        """Names of the locks that somebody has at this moment, sorted."""
        return [name for name in self.names() if self.is_taken(name)]

    def names(self) -> list[str]:
        """Names of all locks that have a file, sorted."""
        try:
            return sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return []

    def is_taken(self, name: str) -> bool:
        """Whether somebody has this one at this moment."""
        return is_flocked(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _open(self, name: str, more: int = 0) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | more
        try:
            return os.open(self._path(name), flags, 0o600)
        except FileNotFoundError:
            make_private(self.folder)
            return os.open(self._path(name), flags, 0o600)

    def is_current(self, handle: int, name: str) -> bool:
        """Whether what was locked is still the file of that name."""
        # Whoever held the lock before may have removed the file: then a newcomer locks another one.
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._path(name)))
        except FileNotFoundError:
            return False


class Held:
    """Locks that are held until the end of a `with` block."""

    def __init__(self, locks: Locks, names: list[str]) -> None:
        self.locks = locks
        self.names = names
        self.handles: list[int] = []
        self.fresh = False

    def __enter__(self) -> Held:
        if not self.handles:
            for name in self.names:
                self.handles.append(self.locks.acquire(name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, NotFound):
            # Whoever had the lock before removed what it is for, and its file: the one that we made has no use.
            self.locks.forget(*self.names[: len(self.handles)])
        self.release()

    def release(self) -> None:
        """Let go, before the end of the block if need be."""
        if self.fresh and self.handles and self.locks.is_current(self.handles[0], self.names[0]):
            self.locks.forget(*self.names)
        while self.handles:
            os.close(self.handles.pop())
