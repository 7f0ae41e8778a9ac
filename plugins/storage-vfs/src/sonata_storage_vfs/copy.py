"""Copying a tree as it is: reflinks where there are any; hard links, owners, modes, xattrs and times kept."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

_FICLONE = 0x40049409
_CHUNK = 1 << 24
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_XATTRS = (errno.ENOTSUP, errno.ENODATA, errno.EPERM)


def copy_tree(source: str, target: str) -> None:
    """Fill the existing folder `target` with what `source` has, its own mode, owner and times included."""
    seen: dict[tuple[int, int], str] = {}
    _copy_folder(source, target, seen, os.lstat(source))


def _copy_folder(source: str, target: str, seen: dict[tuple[int, int], str], status: os.stat_result) -> None:
    for entry in list(os.scandir(source)):
        place = os.path.join(target, entry.name)
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            os.mkdir(place, 0o700)
            _copy_folder(entry.path, place, seen, found)
            continue
        key = (found.st_dev, found.st_ino)
        if found.st_nlink > 1 and key in seen:
            os.link(seen[key], place, follow_symlinks=False)
            continue
        _copy_node(entry.path, place, found)
        _dress(entry.path, place, found)
        seen[key] = place
    _dress(source, target, status)


def _copy_node(source: str, target: str, status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        _copy_file(source, target, status.st_size)
    elif kind == stat.S_IFLNK:
        os.symlink(os.readlink(source), target)
    else:
        os.mknod(target, status.st_mode, status.st_rdev)


def _copy_file(source: str, target: str, size: int) -> None:
    old = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        new = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not _cloned(old, new):
                _copy_extents(old, new, size)
        finally:
            os.close(new)
    finally:
        os.close(old)


def _cloned(old: int, new: int) -> bool:
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError:
        return False
    return True


def _copy_extents(old: int, new: int, size: int) -> None:
    """Copy what is data; holes stay holes."""
    position = 0
    while position < size:
        try:
            position = os.lseek(old, position, os.SEEK_DATA)
            end = os.lseek(old, position, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            end = size
        while position < end:
            count = _copy_range(old, new, position, end - position)
            if count == 0:
                break
            position += count
        else:
            continue
        break
    os.ftruncate(new, size)


def _copy_range(old: int, new: int, offset: int, count: int) -> int:
    try:
        return os.copy_file_range(old, new, min(count, _CHUNK), offset, offset)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return os.pwrite(new, os.pread(old, min(count, 1 << 20), offset), offset)


def _dress(source: str, target: str, status: os.stat_result) -> None:
    """Owner, mode, extended attributes, times: in the order in which none undoes another."""
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))
    try:
        for name in os.listxattr(source, follow_symlinks=False):
            value = os.getxattr(source, name, follow_symlinks=False)
            os.setxattr(target, name, value, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_XATTRS:
            raise
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
