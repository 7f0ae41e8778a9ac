"""Removing and measuring trees without following links, and at little import cost (`shutil` takes 8 ms)."""

from __future__ import annotations

import os
import stat
import time
from errno import EEXIST, ENAMETOOLONG, ENOENT, ENOTEMPTY

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TIMES, _PAUSE = 100, 0.01
"""How often a folder that fills again is emptied, and seconds between."""
_DEEP = 100


def remove_tree(path: str) -> None:
    """Remove a file or a whole folder. Absent is success; links are removed, never followed.

    What somebody else puts in meanwhile goes too, unless it does not end for a second: a monitor or a check that has
    not heard yet. Raises OSError: a mount point inside (EBUSY), a file system that is read-only.
    """
    parent, name = os.path.split(path)
    try:
        fd = os.open(parent or ".", _DIRECTORY & ~os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        _remove_at(fd, name, 0)
    finally:
        os.close(fd)


def _remove_at(parent: int, name: str, depth: int) -> None:
    """Remove what has that name. Another command may be about the same tree: whatever is gone is well."""
    try:
        _unlink_at(parent, name, depth)
    except FileNotFoundError:
        return


def _unlink_at(parent: int, name: str, depth: int) -> None:
    try:
        os.unlink(name, dir_fd=parent)
        return
    except (IsADirectoryError, PermissionError):
        if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            raise
    try:
        os.rmdir(name, dir_fd=parent)
        return
    except FileNotFoundError:
        raise
    except OSError:
        if depth >= _DEEP:
            # A container may nest folders deeper than a process may have open ones.
            from sonata_core.sdk import safepath

            safepath.remove_tree(parent, name)
            return
        _empty_at(parent, name, depth)
    for _ in range(_TIMES):
        try:
            os.rmdir(name, dir_fd=parent)
            return
        except OSError as error:
            if error.errno not in (ENOTEMPTY, EEXIST):
                raise
        _empty_at(parent, name, depth)
        time.sleep(_PAUSE)
    os.rmdir(name, dir_fd=parent)


def _empty_at(parent: int, name: str, depth: int) -> None:
    fd = _open_folder(parent, name)
    try:
        for entry in os.listdir(fd):
            _remove_at(fd, entry, depth + 1)
    except PermissionError:
        # An ordinary user's own folder without the write or search bit: its owner may give it back.
        os.fchmod(fd, 0o700)
        for entry in os.listdir(fd):
            _remove_at(fd, entry, depth + 1)
    finally:
        os.close(fd)


def _open_folder(parent: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)


def tree_usage(path: str) -> tuple[int, int]:
    """Bytes on disk and inodes of a tree, itself included; a hard-linked inode counts once. Absent is (0, 0)."""
    total, inodes = 0, 0
    for found in _inodes(path):
        total, inodes = total + found.st_blocks * 512, inodes + 1
    return total, inodes


def tree_length(path: str) -> int:
    """Bytes in the files of a tree, as long as they say they are: sparse ones too, folders not. Absent is 0.

    What containers/storage calls its size (`pkg/directory`).
    """
    return sum(found.st_size for found in _inodes(path) if not stat.S_ISDIR(found.st_mode))


def _inodes(path: str) -> Iterator[os.stat_result]:
    """Every inode of a tree once, itself included."""
    try:
        own = os.lstat(path)
    except FileNotFoundError:
        return
    yield own
    seen: set[tuple[int, int]] = set()
    pending = [path] if stat.S_ISDIR(own.st_mode) else []
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError as error:
            if error.errno not in (ENOENT, ENAMETOOLONG):  # nested so deep that it has no path
                raise
            continue
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            yield found
            if stat.S_ISDIR(found.st_mode):
                pending.append(entry.path)
