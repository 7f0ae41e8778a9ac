"""What differs between two trees, as containers/storage finds it: for drivers that have no quicker way."""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOENT, ENOTDIR

from sonata_core.errors import Unavailable
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import Change, ChangeKind
from sonata_core.sdk.safepath import IN_ROOT, NO_SYMLINKS, open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def tree_changes(new: str, old: str | None) -> list[Change]:
    """Paths of the tree `new` that are not as in `old` (None: an empty tree), folders before what is in them.

    A folder counts as modified where its owner or mode differ, or where anything in it does. Raises Unavailable.
    """
    fds = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for path in (new, *([old] if old else []))]
    try:
        found: dict[bytes, ChangeKind] = {}
        _compare(fds[0], fds[1] if old else None, b"", found)
        return in_order(Change(path=os.fsdecode(path), kind=kind) for path, kind in found.items())
    except OSError as error:
        raise Unavailable(f"reading {error.filename or new}: {error.strerror}") from error
    finally:
        for fd in fds:
            os.close(fd)


def in_order(changes: Iterable[Change]) -> list[Change]:
    """Folders before what is in them, names in order."""
    return sorted(changes, key=lambda one: os.fsencode(one.path).split(b"/"))


def _compare(new: int, old: int | None, top: bytes, found: dict[bytes, ChangeKind]) -> None:
    """Breadth first, so that no depth of folders is too deep."""
    waiting = [(top, old is not None)]
    while waiting:
        path, both = waiting.pop()
        ours = _names(new, path)
        theirs = _names(old, path) if both and old is not None else {}
        for name, seen in ours.items():
            here, before = path + b"/" + name, theirs.get(name)
            if before is None:
                _note(found, here, ChangeKind.ADDED)
            elif _differs(seen, before):
                _note(found, here, ChangeKind.MODIFIED)
            if stat.S_ISDIR(seen.st_mode):
                waiting.append((here, before is not None and stat.S_ISDIR(before.st_mode)))
        for name in theirs.keys() - ours.keys():
            _note(found, path + b"/" + name, ChangeKind.DELETED)


def _note(found: dict[bytes, ChangeKind], path: bytes, kind: ChangeKind) -> None:
    """A change, and with it the folders around it."""
    found[path] = kind if kind is not ChangeKind.MODIFIED else found.get(path, kind)
    parent = path.rpartition(b"/")[0]
    while parent and parent not in found:
        found[parent] = ChangeKind.MODIFIED
        parent = parent.rpartition(b"/")[0]


def _names(root: int, path: bytes) -> dict[bytes, os.stat_result]:
    try:
        fd = open_in_root(root, path.lstrip(b"/") or b".", _FOLDER, resolve=IN_ROOT | NO_SYMLINKS)
    except OSError as error:
        if error.errno in (ENOENT, ENOTDIR, ELOOP):
            return {}
        raise
    try:
        seen = {}
        for name in os.listdir(fd):
            try:
                seen[os.fsencode(name)] = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
        return seen
    finally:
        os.close(fd)


def _differs(new: os.stat_result, old: os.stat_result) -> bool:
    if (new.st_mode, new.st_uid, new.st_gid, new.st_rdev) != (old.st_mode, old.st_uid, old.st_gid, old.st_rdev):
        return True
    if stat.S_ISDIR(new.st_mode):
        return False
    return (new.st_mtime_ns, new.st_size) != (old.st_mtime_ns, old.st_size)
