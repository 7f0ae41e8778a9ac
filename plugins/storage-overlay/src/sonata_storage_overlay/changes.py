"""What an overlay layer changed, read from its own folders: whiteouts are deletions, the rest was added or modified."""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOENT, ENOTDIR

from sonata_core.models.storage import Change, ChangeKind
from sonata_core.sdk.safepath import IN_ROOT, NO_SYMLINKS, open_in_root

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def find_changes(own: list[str], below: list[str]) -> tuple[Change, ...]:
    """Changes of the layer in folders `own` (nearest first) against the layers in `below` (nearest first), sorted."""
    found: dict[str, ChangeKind] = {}
    for index, folder in enumerate(own):
        _walk(folder, "", [*own[index + 1 :], *below], found)
    return tuple(Change(path=path, kind=kind) for path, kind in sorted(found.items()))


def _walk(top: str, path: str, below: list[str], found: dict[str, ChangeKind]) -> None:
    for name, status in _entries(top, path):
        here = f"{path}/{name}"
        old = _below(here, below)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            if old is not None:
                found.setdefault(here, ChangeKind.DELETED)
            continue
        if old is None:
            found.setdefault(here, ChangeKind.ADDED)
        elif not _same(status, old):
            found.setdefault(here, ChangeKind.MODIFIED)
        if stat.S_ISDIR(status.st_mode):
            if old is not None and is_opaque(top + here):
                _hidden(here, top, below, found)
            _walk(top, here, below, found)


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


def is_opaque(path: str) -> bool:
    """Whether a folder hides what lower layers have there."""
    for name in _OPAQUE:
        try:
            if os.getxattr(path, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _below(path: str, below: list[str]) -> os.stat_result | None:
    """What the layers below show at a path: the nearest wins; a whiteout or an opaque parent ends the search.

    Folders are entered one by one, because a link in one of them would lead out of the layer.
    """
    *parents, last = path.strip("/").split("/")
    for folder in below:
        here = folder
        for part in parents:
            here = f"{here}/{part}"
            status = _look(here)
            if status is None:
                break
            if not stat.S_ISDIR(status.st_mode):
                return None
        else:
            status = _look(f"{here}/{last}")
            if status is not None:
                return None if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else status
        if _ends(folder, parents):
            return None
    return None


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _ends(folder: str, parents: list[str]) -> bool:
    """Whether a layer hides what those below it have, though it has nothing there itself."""
    for part in parents:
        folder = f"{folder}/{part}"
        if _look(folder) is None:
            return False
        if is_opaque(folder):
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


def _hidden(path: str, top: str, below: list[str], found: dict[str, ChangeKind]) -> None:
    """What an opaque folder hides is deleted, unless it is there again."""
    for folder in below:
        for name, _ in _entries(folder, path):
            here = f"{path}/{name}"
            if not os.path.lexists(top + here) and _below(here, below) is not None:
                found.setdefault(here, ChangeKind.DELETED)
