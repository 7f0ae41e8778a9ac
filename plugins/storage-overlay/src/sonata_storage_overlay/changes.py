"""What an overlay layer changed, read from its own folders: whiteouts are deletions, the rest was added or modified."""

from __future__ import annotations

import os
import stat

from sonata_core.models.storage import Change, ChangeKind

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def find_changes(own: list[str], below: list[str]) -> tuple[Change, ...]:
    """Changes of the layer in folders `own` (nearest first) against the layers in `below` (nearest first), sorted."""
    found: dict[str, ChangeKind] = {}
    for index, folder in enumerate(own):
        _walk(folder, "", [*own[index + 1 :], *below], found)
    return tuple(Change(path=path, kind=kind) for path, kind in sorted(found.items()))


def _walk(top: str, path: str, below: list[str], found: dict[str, ChangeKind]) -> None:
    for entry in list(os.scandir(top + path)):
        here = f"{path}/{entry.name}"
        status = entry.stat(follow_symlinks=False)
        old = _below(here, below)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            if old is not None:
                found.setdefault(here, ChangeKind.DELETED)
            continue
        if old is None:
            found.setdefault(here, ChangeKind.ADDED)
        elif not _same(status, old):
            found.setdefault(here, ChangeKind.MODIFIED)
        if entry.is_dir(follow_symlinks=False):
            if old is not None and is_opaque(entry.path):
                _hidden(here, top, below, found)
            _walk(top, here, below, found)


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
    """What the layers below show at a path: the nearest wins; a whiteout or an opaque parent ends the search."""
    for folder in below:
        try:
            status = os.lstat(folder + path)
        except (FileNotFoundError, NotADirectoryError):
            if _ends(folder, path):
                return None
            continue
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            return None
        return status
    return None


def _ends(folder: str, path: str) -> bool:
    """Whether a layer hides `path` of those below it though it has nothing there itself."""
    parent = os.path.dirname(path)
    while parent != "/":
        try:
            status = os.lstat(folder + parent)
        except (FileNotFoundError, NotADirectoryError):
            parent = os.path.dirname(parent)
            continue
        return not stat.S_ISDIR(status.st_mode) or is_opaque(folder + parent)
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
        try:
            names = os.listdir(folder + path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            here = f"{path}/{name}"
            if not os.path.lexists(top + here) and _below(here, below) is not None:
                found.setdefault(here, ChangeKind.DELETED)
