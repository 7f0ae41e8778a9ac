"""What an overlay layer changed, read from its own folders: whiteouts are deletions, the rest was added or modified."""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOENT, ENOTDIR

from sonata_core.models.storage import Change, ChangeKind
from sonata_core.sdk.safepath import IN_ROOT, NO_SYMLINKS, open_in_root

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque")
_MARK, _OPAQUE_MARK = ".wh.", ".wh..wh..opq"
"""How fuse-overlayfs, and layers as its stores keep them, say what is deleted."""


def find_changes(own: list[str], below: list[str], *, fuse: bool = False) -> tuple[Change, ...]:
    """Changes of the layer in folders `own` (nearest first) against the layers in `below` (nearest first), sorted.

    With `fuse`, files `.wh.NAME` delete as well, beside what the kernel's overlay writes.
    """
    found: dict[str, ChangeKind] = {}
    for index, folder in enumerate(own):
        _walk(folder, "", [*own[index + 1 :], *below], found, fuse)
    # A folder in which something came or went has changed, also where its times were set back.
    for path in [path for path, kind in found.items() if kind is not ChangeKind.MODIFIED]:
        found.setdefault(path.rpartition("/")[0] or path, ChangeKind.MODIFIED)
    return tuple(Change(path=path, kind=kind) for path, kind in sorted(found.items()))


def _walk(top: str, path: str, below: list[str], found: dict[str, ChangeKind], fuse: bool) -> None:
    for name, status in _entries(top, path):
        mark = fuse and name.startswith(_MARK)
        if mark and name == _OPAQUE_MARK:
            continue
        here = f"{path}/{name[len(_MARK) :] if mark else name}"
        old = _below(here, below, fuse)
        if mark or (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0):
            if old is not None:
                found.setdefault(here, ChangeKind.DELETED)
            continue
        if old is None:
            found.setdefault(here, ChangeKind.ADDED)
        elif not _same(status, old):
            found.setdefault(here, ChangeKind.MODIFIED)
        if stat.S_ISDIR(status.st_mode):
            if old is not None and is_opaque(top + here, fuse):
                _hidden(here, (top, *below), found, fuse)
            _walk(top, here, below, found, fuse)


def _entries(top: str, path: str) -> list[tuple[str, os.stat_result]]:
    """What a folder of a layer holds. A running container may swap it for a link meanwhile: none is followed."""
    root = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_in_root(root, path.lstrip("/"), os.O_RDONLY | os.O_DIRECTORY, resolve=IN_ROOT | NO_SYMLINKS)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return []
        raise
    finally:
        os.close(root)
    try:
        found = []
        for name in os.listdir(fd):
            try:
                found.append((name, os.stat(name, dir_fd=fd, follow_symlinks=False)))
            except FileNotFoundError:
                continue
        return found
    finally:
        os.close(fd)


def is_opaque(path: str, fuse: bool) -> bool:
    """Whether a folder hides what lower layers have there."""
    if fuse and _look(f"{path}/{_OPAQUE_MARK}") is not None:
        return True
    for name in _OPAQUE:
        try:
            if os.getxattr(path, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _below(path: str, below: list[str], fuse: bool) -> os.stat_result | None:
    """What the layers below show at a path: the nearest wins; a whiteout or an opaque parent ends the search.

    Folders are entered one by one, because a link in one of them would lead out of the layer.
    """
    *parents, last = path.strip("/").split("/")
    for folder in below:
        here = folder
        for part in parents:
            status = _seen(here, part, fuse)
            if status is None:
                break
            if not stat.S_ISDIR(status.st_mode):
                return None
            here = f"{here}/{part}"
        else:
            status = _seen(here, last, fuse)
            if status is not None:
                return None if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else status
        if _ends(folder, parents, fuse):
            return None
    return None


def _seen(folder: str, name: str, fuse: bool) -> os.stat_result | None:
    """What a layer has at a name, or its word that there is nothing: no folder, whatever is below."""
    found = _look(f"{folder}/{name}")
    if found is None and fuse:
        mark = _look(f"{folder}/{_MARK}{name}")
        return None if mark is None else os.stat_result((stat.S_IFCHR, *(0 for _ in range(9))))
    return found


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _ends(folder: str, parents: list[str], fuse: bool) -> bool:
    """Whether a layer hides what those below it have, though it has nothing there itself."""
    for part in parents:
        folder = f"{folder}/{part}"
        if _look(folder) is None:
            return False
        if is_opaque(folder, fuse):
            return True
    return False


def _same(new: os.stat_result, old: os.stat_result) -> bool:
    """A folder that was only copied up, for what lies in it, is no change."""
    if not (stat.S_ISDIR(new.st_mode) and stat.S_ISDIR(old.st_mode)):
        return False
    return (new.st_mode, new.st_uid, new.st_gid, new.st_mtime_ns) == (
        old.st_mode,
        old.st_uid,
        old.st_gid,
        old.st_mtime_ns,
    )


def _hidden(path: str, layers: tuple[str, ...], found: dict[str, ChangeKind], fuse: bool) -> None:
    """What an opaque folder hides is deleted, unless it is there again."""
    top, *below = layers
    for folder in below:
        for name, _ in _entries(folder, path):
            here = f"{path}/{name}"
            if not os.path.lexists(top + here) and _below(here, below, fuse) is not None:
                found.setdefault(here, ChangeKind.DELETED)
