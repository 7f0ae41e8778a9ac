"""A kernel that makes no call and remembers all of them, so that mount and namespace logic is tested unprivileged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable


class RecordingKernel:
    """Records every call as `(name, arguments…)`; keeps a table of what is mounted where.

    `fail(name, number, at=1)` lets the at-th call of `name` from now fail with an errno. Descriptors
    that it gives out start at 1000; `open_descriptors` are those not closed.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.mounted: list[str] = []
        self.open_descriptors: set[int] = set()
        self._next = 1000
        self._faults: list[tuple[str, int, Callable[[], bool]]] = []

    def fail(self, name: str, number: int, at: int = 1) -> None:
        left = [at]

        def due() -> bool:
            left[0] -= 1
            return left[0] == 0

        self._faults.append((name, number, due))

    def named(self, name: str) -> list[tuple[object, ...]]:
        """The arguments of all calls of that name, in order."""
        return [call[1:] for call in self.calls if call[0] == name]

    def _note(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))
        for fault, number, due in self._faults:
            if fault == name and due():
                raise OSError(number, os.strerror(number), name)

    def _descriptor(self) -> int:
        self._next += 1
        self.open_descriptors.add(self._next)
        return self._next

    def mount(self, source: str, target: str, fstype: str, flags: int, data: str) -> None:
        self._note("mount", source, target, fstype, flags, data)
        if fstype or source:
            self.mounted.append(target)

    def umount(self, target: str, flags: int) -> None:
        self._note("umount", target, flags)
        if target not in self.mounted:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), target)
        self.mounted.reverse()
        self.mounted.remove(target)
        self.mounted.reverse()

    def fsopen(self, fstype: str) -> int:
        self._note("fsopen", fstype)
        return self._descriptor()

    def fsconfig_string(self, context: int, key: str, value: str) -> None:
        self._note("fsconfig_string", context, key, value)
        if len(value) > 255:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), key)

    def fsconfig_flag(self, context: int, key: str) -> None:
        self._note("fsconfig_flag", context, key)

    def fsconfig_create(self, context: int) -> None:
        self._note("fsconfig_create", context)

    def fsmount(self, context: int, attributes: int) -> int:
        self._note("fsmount", context, attributes)
        return self._descriptor()

    def move_mount(self, descriptor: int, target: str) -> None:
        self._note("move_mount", descriptor, target)
        self.mounted.append(target)

    def open_tree(self, path: str, recursive: bool) -> int:
        self._note("open_tree", path, recursive)
        return self._descriptor()

    def mount_setattr(self, descriptor: int, attributes: int, recursive: bool, userns: int) -> None:
        self._note("mount_setattr", descriptor, attributes, recursive, userns)

    def open_path(self, path: str) -> int:
        self._note("open_path", path)
        return self._descriptor()

    def close(self, descriptor: int) -> None:
        self._note("close", descriptor)
        self.open_descriptors.discard(descriptor)

    def setns(self, descriptor: int, kind: int) -> None:
        self._note("setns", descriptor, kind)

    def unshare(self, flags: int) -> None:
        self._note("unshare", flags)

    def prctl(self, option: int, argument: int) -> int:
        self._note("prctl", option, argument)
        return 0
