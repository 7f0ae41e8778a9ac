"""System calls that Python 3.11 lacks, raised as OSError. The C module behind `ctypes` is loaded on first use."""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL
    from typing import TypeVar

    T = TypeVar("T")

CLONE_NEWNS = 0x00020000
CLONE_FS = 0x00000200
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000


def libc() -> CDLL:
    """The C library of this process, with errno kept."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object, path: str | None = None) -> int:
    """Call the C library's function `name`; raises OSError, naming `path`, when it answers -1."""
    from sonata_core.sdk import c_library

    result = int(c_library.function(name)(*arguments))
    if result == -1:
        number = c_library.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def setns(descriptor: int, kind: int) -> None:
    """Enter a namespace with the calling thread. Raises OSError."""
    call("setns", descriptor, kind)


def unshare(flags: int) -> None:
    """Give the calling thread namespaces or file system attributes of its own. Raises OSError."""
    call("unshare", flags)


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a file system type or data. Raises OSError naming the target."""
    from sonata_core.sdk.c_library import UnsignedLong

    call("mount", os.fsencode(source), os.fsencode(target), None, UnsignedLong(flags), None, path=target)


def sync_file_system(folder: str) -> None:
    """syncfs(2): wait until all of the file system that a folder is on lies on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        call("syncfs", descriptor, path=folder)
    finally:
        os.close(descriptor)


def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread that ends afterwards, so that what it unshares or enters ends too.

    Whatever `work` raises is raised here.
    """
    import _thread

    results: list[T] = []
    troubles: list[BaseException] = []
    done = _thread.allocate_lock()
    done.acquire()

    def body() -> None:
        try:
            results.append(work())
        except BaseException as trouble:  # carried to the caller's thread, never swallowed
            troubles.append(trouble)
        finally:
            done.release()

    _thread.start_new_thread(body, ())
    done.acquire()
    if troubles:
        raise troubles[0]
    return results[0]
