"""The kernel calls, made for real. The only home of system call numbers.

The C module behind `ctypes` is loaded by the first call that needs it: commands that only read need none.
"""

from __future__ import annotations

import os
import struct

from sonata.host.kernel import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_RECURSIVE,
    MOUNT_ATTR_IDMAP,
    MOVE_MOUNT_F_EMPTY_PATH,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
    Kernel,
)
from sonata_core.sdk import syscalls

# Numbers from 424 on are the same on every architecture (Linux 5.1 unified the tables).
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_FSOPEN = 430
_FSCONFIG = 431
_FSMOUNT = 432
_MOUNT_SETATTR = 442
_QUOTACTL_FD = 443

_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CMD_CREATE = 0, 1, 6


class LinuxKernel(Kernel):
    """`Kernel` through the C library. One object may be shared by threads."""

    def mount(self, source: str, target: str, fstype: str, flags: int, data: str) -> None:
        from sonata_core.sdk.c_library import UnsignedLong

        syscalls.call(
            "mount",
            os.fsencode(source),
            os.fsencode(target),
            os.fsencode(fstype) if fstype else None,
            UnsignedLong(flags),
            os.fsencode(data) if data else None,
            path=target,
        )

    def umount(self, target: str, flags: int) -> None:
        syscalls.call("umount2", os.fsencode(target), flags, path=target)

    def fsopen(self, fstype: str) -> int:
        return _numbered(_FSOPEN, os.fsencode(fstype), _FSOPEN_CLOEXEC, path=fstype)

    def fsconfig_string(self, context: int, key: str, value: str) -> None:
        self._fsconfig(context, _SET_STRING, key, value)

    def fsconfig_flag(self, context: int, key: str) -> None:
        self._fsconfig(context, _SET_FLAG, key, None)

    def fsconfig_create(self, context: int) -> None:
        self._fsconfig(context, _CMD_CREATE, None, None)

    def _fsconfig(self, context: int, command: int, key: str | None, value: str | None) -> None:
        try:
            _numbered(
                _FSCONFIG,
                context,
                command,
                None if key is None else os.fsencode(key),
                None if value is None else os.fsencode(value),
                0,
            )
        except OSError as error:
            raise OSError(error.errno, _messages(context) or error.strerror, key) from error

    def fsmount(self, context: int, attributes: int) -> int:
        return _numbered(_FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes)

    def move_mount(self, descriptor: int, target: str) -> None:
        _numbered(_MOVE_MOUNT, descriptor, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH, path=target)

    def open_tree(self, path: str, recursive: bool) -> int:
        flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (AT_RECURSIVE if recursive else 0)
        return _numbered(_OPEN_TREE, AT_FDCWD, os.fsencode(path), flags, path=path)

    def mount_setattr(self, descriptor: int, attributes: int, recursive: bool, userns: int) -> None:
        wanted = attributes | (MOUNT_ATTR_IDMAP if userns >= 0 else 0)
        # struct mount_attr { attr_set, attr_clr, propagation, userns_fd }
        structure = struct.pack("=4Q", wanted, 0, 0, max(userns, 0))
        flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
        _numbered(_MOUNT_SETATTR, descriptor, b"", flags, structure, len(structure))

    def open_path(self, path: str) -> int:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def setns(self, descriptor: int, kind: int) -> None:
        syscalls.setns(descriptor, kind)

    def unshare(self, flags: int) -> None:
        syscalls.unshare(flags)

    def prctl(self, option: int, argument: int) -> int:
        from sonata_core.sdk.c_library import UnsignedLong

        zero = UnsignedLong(0)
        return syscalls.call("prctl", option, UnsignedLong(argument), zero, zero, zero)


def _numbered(number: int, *arguments: object, path: str | None = None) -> int:
    from sonata_core.sdk.c_library import Long

    plain = [Long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return syscalls.call("syscall", Long(number), *plain, path=path)


def _messages(context: int) -> str:
    """What the kernel wrote to the file system context: `e text` lines."""
    found = []
    while True:
        try:
            found.append(os.read(context, 4096).decode(errors="replace").strip().removeprefix("e "))
        except OSError:
            return "; ".join(found)


def quotactl_fd(handle: int, command: int, ident: int, data: bytearray) -> None:
    """quotactl_fd(2): what `command` says about the quota of `ident` on the file system of a descriptor."""
    import ctypes

    buffer = (ctypes.c_char * len(data)).from_buffer(data)
    _numbered(_QUOTACTL_FD, handle, ctypes.c_uint(command), ctypes.c_uint(ident), buffer)
