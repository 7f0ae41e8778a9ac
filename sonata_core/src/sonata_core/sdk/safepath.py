"""Paths inside a root that a stranger filled: an image's files, a container's, a volume's.

Whatever the path and whatever symbolic links lie in it, resolution ends inside the root, as it
would after chroot: `..` stops there, an absolute link starts there, and links of /proc are not
followed. The kernel resolves (openat2, Linux 5.6), so that nobody can swap a link in between.
Failures are OSError with the kernel's errno, as from `os.open`.
"""

from __future__ import annotations

import os
import stat
from errno import EAGAIN, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOSYS, ENOTDIR, ENOTEMPTY

from sonata_core.errors import Damaged, HostLacks
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SYS_OPENAT2 = 437  # one number on every architecture: the call is younger than the unified table
NO_MAGICLINKS = 0x02
NO_SYMLINKS = 0x04
BENEATH = 0x08
IN_ROOT = 0x10
_TRIES = 128
_DEEPEST = 64
_bound: list[Callable[[int, bytes, int, int, int], int]] = []  # the call, bound once: that is not free


def _bind() -> Callable[[int, bytes, int, int, int], int]:
    """Bind openat2 by number: C libraries have no wrapper for it."""
    from struct import Struct

    from sonata_core.sdk.c_library import Long, function, get_errno

    syscall = function("syscall", gives_long=True)
    pack = Struct("=3Q").pack
    number, size = Long(_SYS_OPENAT2), Long(24)

    def call(root: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
        for _ in range(_TRIES):
            got: int = syscall(number, Long(root), path, pack(flags, mode, resolve), size)
            if got >= 0:
                return got
            error = get_errno()
            if error == EAGAIN:  # a rename or mount went on elsewhere while `..` was resolved
                continue
            break
        if error == ENOSYS:
            raise HostLacks("this kernel has no openat2", hint="Linux 5.6 or newer is needed")
        raise OSError(error, os.strerror(error), os.fsdecode(path))

    _bound.append(call)
    return call


def open_in_root(root: int, path: str | bytes, flags: int, mode: int = 0, *, resolve: int = IN_ROOT) -> int:
    """Open `path` as if the folder behind the descriptor `root` were `/`; the result closes on exec.

    `mode` counts only with O_CREAT. O_NOFOLLOW in `flags` is for the last part, as in open(2); `resolve`
    may be NO_SYMLINKS or BENEATH to refuse more. Raises OSError, HostLacks before Linux 5.6.
    """
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise OSError(EINVAL, "a path may not contain NUL", repr(path))
    call = _bound[0] if _bound else _bind()
    keep = mode & 0o7777 if flags & (os.O_CREAT | os.O_TMPFILE & ~os.O_DIRECTORY) else 0
    return call(root, raw or b".", flags | os.O_CLOEXEC, keep, resolve | NO_MAGICLINKS)


def open_parent(root: int, path: str | bytes) -> tuple[int, bytes]:
    """The folder that holds the last part of `path`, opened (O_PATH), and that last part's name.

    Links in the folder's own path are followed inside the root. Raises OSError: EINVAL where
    there is no last part (`/`, `..`).
    """
    head, name = os.path.split(os.fsencode(path).rstrip(b"/"))
    if name in (b"", b".", b".."):
        raise OSError(EINVAL, "the path names no entry of a folder", repr(path))
    return open_in_root(root, head, os.O_PATH | os.O_DIRECTORY), name


def open_regular(root: int, path: str | bytes) -> int:
    """Open a regular file for reading, and nothing else: to open a device or a fifo may do something, or block.

    Raises OSError; Damaged if it is no regular file.
    """
    seen = open_in_root(root, path, os.O_PATH)
    try:
        if not stat.S_ISREG(os.fstat(seen).st_mode):
            raise Damaged(f"{os.fsdecode(path)} is not a regular file")
        return os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(seen)


def read_in_root(root: int, path: str | bytes, limit: int = 1 << 20) -> bytes:
    """The content of a regular file. Raises OSError; Damaged if it is longer than `limit` bytes or no regular file."""
    fd = open_regular(root, path)
    try:
        parts: list[bytes] = []
        left = limit + 1
        while left > 0 and (part := os.read(fd, left)):
            parts.append(part)
            left -= len(part)
        if left <= 0:
            raise Damaged(f"{os.fsdecode(path)} is longer than {limit} bytes")
        return b"".join(parts)
    finally:
        os.close(fd)


def stat_in_root(root: int, path: str | bytes, *, follow: bool = True) -> os.stat_result:
    """What lies at `path`; with `follow=False` a link itself. Raises OSError."""
    fd = open_in_root(root, path, os.O_PATH | (0 if follow else os.O_NOFOLLOW))
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def exists_in_root(root: int, path: str | bytes) -> bool:
    """Whether anything lies at `path`, links followed inside the root."""
    try:
        stat_in_root(root, path)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return False
        raise
    return True


def make_folders(root: int, path: str | bytes, mode: int = 0o755, made: Callable[[int], None] | None = None) -> int:
    """Open the folder `path` (O_PATH), making what is missing of it; `made` is given each new folder's descriptor.

    A dangling link on the way is an error (ENOENT), never a place to make something. Raises OSError.
    """
    done = b""
    fd = open_in_root(root, b".", os.O_PATH | os.O_DIRECTORY)
    try:
        for part in os.fsencode(path).split(b"/"):
            if part in (b"", b"."):
                continue
            done = done + b"/" + part
            inner = _enter(root, fd, done, mode, made)
            os.close(fd)
            fd = inner
    except BaseException:
        os.close(fd)
        raise
    return fd


def _enter(root: int, parent: int, path: bytes, mode: int, made: Callable[[int], None] | None) -> int:
    """Open one folder on the way down, making it if it is not there."""
    flags = os.O_PATH | os.O_DIRECTORY
    try:
        return open_in_root(root, path, flags)
    except FileNotFoundError:
        name = path.rpartition(b"/")[2]
        try:
            os.mkdir(name, mode, dir_fd=parent)
        except FileExistsError as error:
            # there is a name but nothing behind it: a dangling link, unless somebody else was faster
            try:
                return open_in_root(root, path, flags)
            except FileNotFoundError:
                raise OSError(ENOENT, "a symbolic link on the way leads nowhere", os.fsdecode(path)) from error
        fd = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        if made is not None:
            made(fd)
        return fd


def remove_tree(parent: int, name: str | bytes) -> None:
    """Remove `name` of the folder `parent` with all that it holds; absent is success.

    Follows no link and crosses any depth. Trees deeper than a process may have open folders are
    flattened on the way: a folder that lies too deep is renamed up to the top of the tree, where it
    is met again. Raises OSError.
    """
    try:
        os.unlink(name, dir_fd=parent)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        pass  # EISDIR, or EPERM where POSIX is followed: a folder
    try:
        top = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return
    try:
        while not _empty(top, top, 0):
            pass
    finally:
        os.close(top)
    _rmdir(name, parent)


def _rmdir(name: str | bytes, fd: int) -> None:
    try:
        os.rmdir(name, dir_fd=fd)
    except FileNotFoundError:
        return


def _empty(fd: int, top: int, depth: int) -> bool:
    """Remove what lies in `fd`; False if something was moved up to `top`, so that another round is due."""
    clean = True
    with os.scandir(fd) as entries:
        # the type is the kernel's own word for the entry; what changes in between fails below and is met again
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, folder in found:
        if not folder:
            _unlink(name, fd)
        elif depth >= _DEEPEST:
            _move_up(name, fd, top)
            clean = False
        else:
            clean = _remove_folder(name, fd, top, depth) and clean
    return clean


def _remove_folder(name: str, fd: int, top: int, depth: int) -> bool:
    """Empty and remove one folder; False as `_empty`."""
    try:
        os.rmdir(name, dir_fd=fd)
        return True
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (ENOTEMPTY, EEXIST):
            raise
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        clean = _empty(inner, top, depth + 1)
    finally:
        os.close(inner)
    _rmdir(name, fd)
    return clean


def _unlink(name: str, fd: int) -> None:
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno != EISDIR:
            raise


def _move_up(name: str, fd: int, top: int) -> None:
    for _ in range(_TRIES):
        try:
            os.rename(name, ".deep-" + os.urandom(8).hex(), src_dir_fd=fd, dst_dir_fd=top)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (EEXIST, ENOTEMPTY):
                raise
