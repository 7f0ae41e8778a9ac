"""Making files as somebody else, with root's rights kept."""

from __future__ import annotations

import ctypes

from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3


def as_owner(uid: int, gid: int, work: Callable[[], T]) -> T:
    """Run `work` in a thread whose new files belong to `uid` and `gid`, and which may still do all that root may.

    A file system that belongs to a user namespace, such as a container's tmpfs, and an id-mapped mount take files of
    ids that are mapped there only (EOVERFLOW otherwise). Raises OSError, and what `work` raises.
    """

    def body() -> T:
        libc = syscalls.libc()
        # These two are the calling thread's alone, also in the C library, and answer with the former id.
        libc.setfsgid(gid)
        libc.setfsuid(uid)
        if libc.setfsuid(-1) != uid or libc.setfsgid(-1) != gid:
            raise PermissionError(1, "ids of new files cannot be chosen")
        _raise_permitted()
        return work()

    return syscalls.in_thread(body)


def _raise_permitted() -> None:
    """Take back the capabilities about files, which leave with the id of root (capabilities(7))."""
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    data = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    syscalls.call("capget", header, data)
    data[0], data[3] = data[1], data[4]
    syscalls.call("capset", header, data)
