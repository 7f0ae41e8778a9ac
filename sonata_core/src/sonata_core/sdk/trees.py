"""Removing and measuring trees without following links, and at little import cost (`shutil` takes 8 ms)."""

from __future__ import annotations

import os
import stat

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove a file or a whole folder. Absent is success; links are removed, never followed.

    Raises OSError: a mount point inside (EBUSY), a file system that is read-only.
    """
    parent, name = os.path.split(path)
    try:
        fd = os.open(parent or ".", _DIRECTORY & ~os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        _remove_at(fd, name)
    finally:
        os.close(fd)


def _remove_at(parent: int, name: str) -> None:
    """Remove what has that name. Another command may be about the same tree: whatever is gone is well."""
    try:
        _unlink_at(parent, name)
    except FileNotFoundError:
        return


def _unlink_at(parent: int, name: str) -> None:
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
        _empty_at(parent, name)
    os.rmdir(name, dir_fd=parent)


def _empty_at(parent: int, name: str) -> None:
    fd = _open_folder(parent, name)
    try:
        for entry in os.listdir(fd):
            _remove_at(fd, entry)
    except PermissionError:
        # An ordinary user's own folder without the write or search bit: its owner may give it back.
        os.fchmod(fd, 0o700)
        for entry in os.listdir(fd):
            _remove_at(fd, entry)
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
    try:
        own = os.lstat(path)
    except FileNotFoundError:
        return 0, 0
    total, inodes = own.st_blocks * 512, 1
    seen: set[tuple[int, int]] = set()
    pending = [path] if stat.S_ISDIR(own.st_mode) else []
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except FileNotFoundError:
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
            total += found.st_blocks * 512
            inodes += 1
            if stat.S_ISDIR(found.st_mode):
                pending.append(entry.path)
    return total, inodes
