"""Filling a new volume with what the image has at its place."""

from __future__ import annotations

import os
import stat

from sonata_core.sdk.safepath import open_in_root

_CHUNK = 1 << 20


def copy_up(root: str, target: str, volume: str) -> bool:
    """Copy the content of `target` inside `root` into the empty folder `volume`, with owners, modes and times.

    The folder takes on the owner and mode of `target`. Nothing is read from outside `root`; what
    is no file, folder or link is passed over. False: there is no such folder in `root`.
    """
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = open_in_root(top, target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    finally:
        os.close(top)
    into = os.open(volume, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _copy_folder(source, into, {})
        return True
    finally:
        os.close(into)
        os.close(source)


def _copy_folder(source: int, into: int, links: dict[tuple[int, int], tuple[int, str]]) -> None:
    with os.scandir(source) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        _copy_entry(source, into, name, links)
    _like(os.fstat(source), into)


def _copy_entry(source: int, into: int, name: str, links: dict[tuple[int, int], tuple[int, str]]) -> None:
    seen = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(seen.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=into)
        os.chown(name, seen.st_uid, seen.st_gid, dir_fd=into, follow_symlinks=False)
    elif stat.S_ISDIR(seen.st_mode):
        os.mkdir(name, 0o700, dir_fd=into)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        inner, made = os.open(name, flags, dir_fd=source), os.open(name, flags, dir_fd=into)
        try:
            _copy_folder(inner, made, links)
        finally:
            os.close(inner)
            os.close(made)
    elif stat.S_ISREG(seen.st_mode):
        _copy_file(source, into, name)


def _copy_file(source: int, into: int, name: str) -> None:
    old = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=into)
    try:
        seen = os.fstat(old)
        while os.sendfile(new, old, None, _CHUNK):
            pass
        for key in os.listxattr(old):
            if key.startswith(("user.", "security.capability")):
                os.setxattr(new, key, os.getxattr(old, key))
        _like(seen, new)
    finally:
        os.close(old)
        os.close(new)


def _like(seen: os.stat_result, handle: int) -> None:
    os.fchown(handle, seen.st_uid, seen.st_gid)
    os.fchmod(handle, stat.S_IMODE(seen.st_mode))
    os.utime(handle, ns=(seen.st_atime_ns, seen.st_mtime_ns))
