"""A tar of what a folder holds, or of what changed in it: for commit, export and diffs of layers without tar-split.

The folder may be a running container's, which changes under our hands: folders are resolved inside
the root without following links, and a file is written with the size that its header promised.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENODATA, ENOENT, ENOTDIR, ENOTSUP

from sonata.image.layers import whiteout
from sonata.image.layers.tarread import Entry
from sonata.image.layers.tarwrite import TRAILER, member_header, padding
from sonata_core.errors import Unavailable
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.storage import ChangeKind, LayerFormat
from sonata_core.sdk.safepath import IN_ROOT, NO_SYMLINKS, open_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sonata_core.models.process import IdMap, IdMapping
    from sonata_core.models.storage import Change

_PIECE = 1 << 20
NOBODY = 65534
"""The owner of what belongs to none of a container's ids."""
_GONE = (ENOENT, ENOTDIR, ELOOP)
_KEPT_XATTRS = ("security.capability", "security.ima")
_IN_ROOT_NO_LINKS = IN_ROOT | NO_SYMLINKS


def tree_tar(
    path: str,
    layer_format: LayerFormat = LayerFormat.PLAIN,
    *,
    mapping: IdMapping | None = None,
    below: Callable[[str], bool] | None = None,
    mtime: int | None = None,
    root: bool = True,
) -> Iterator[bytes]:
    """The tar of a whole folder, in pieces; without `root` it has no entry for the folder itself.

    With an overlay format it is a layer's own folder: devices 0:0 become whiteouts (`.wh.` files are those of
    fuse-overlayfs), opaque folders get
    their mark if `below(path)` says that a lower layer has them (None: always). With `plain` nothing is
    a whiteout: a container's root, as `export` wants it. `mapping` turns host owners back into the
    container's, nobody's for one that has none; `mtime` (seconds) replaces all times. Raises Unavailable.
    """
    writer = _Writer(path, mapping, mtime)
    try:
        yield from writer.tree(layer_format, below, root=root)
        yield TRAILER
    except OSError as error:
        raise Unavailable(f"reading {path}: {error.strerror}") from error
    finally:
        writer.close()


def changes_tar(
    path: str, changes: Iterable[Change], *, mapping: IdMapping | None = None, mtime: int | None = None
) -> Iterator[bytes]:
    """The tar of changes in a merged tree: what was added or modified as it is now, what was deleted as whiteouts."""
    writer = _Writer(path, mapping, mtime)
    try:
        for change in sorted(changes, key=lambda one: os.fsencode(one.path).split(b"/")):
            yield from writer.change(os.fsencode(change.path).strip(b"/"), change.kind)
        yield TRAILER
    except OSError as error:
        raise Unavailable(f"reading {path}: {error.strerror}") from error
    finally:
        writer.close()


def copy_tar(folder: int, name: bytes, shown: bytes, mapping: IdMapping | None = None) -> Iterator[bytes]:
    """The tar of one entry of a folder with all that it holds, under the name `shown`; no link is followed.

    An empty `name` is the folder itself; an empty `shown` leaves its own entry out: what it holds lies at the top.
    Raises Unavailable, also for what has gone meanwhile.
    """
    yield from _copied((folder, name, shown), mapping, _packed)
    yield TRAILER


def copy_members(
    folder: int, name: bytes, shown: bytes, mapping: IdMapping | None = None
) -> Iterator[tuple[Entry, int]]:
    """As `copy_tar`, but each member with the open descriptor of its content, -1 for one that has none.

    A descriptor stays open until the next member is asked for.
    """
    yield from _copied((folder, name, shown), mapping, _opened)


def _packed(entry: Entry, fd: int) -> Iterator[bytes]:
    """A member's header and content, as long as its header says: what shrinks meanwhile is filled with zeros."""
    yield member_header(entry)
    left = entry.size
    while left:
        piece = os.read(fd, min(left, _PIECE)) or bytes(min(left, _PIECE))
        left -= len(piece)
        yield piece
    if fd >= 0:
        yield padding(entry.size)


def _opened(entry: Entry, fd: int) -> Iterator[tuple[Entry, int]]:
    yield entry, fd


def _copied(
    what: tuple[int, bytes, bytes], mapping: IdMapping | None, give: Callable[[Entry, int], Iterator[Any]]
) -> Iterator[Any]:
    folder, name, shown = what
    try:
        seen = os.stat(name or b".", dir_fd=folder, follow_symlinks=False)
        whole = stat.S_ISDIR(seen.st_mode)
        place = b"/proc/self/fd/%d/" % folder + (name if whole and name else b".")
        writer = _Writer(os.fsdecode(place), mapping, None, shown if whole else b"")
        writer.give = give
    except OSError as error:
        raise Unavailable(f"reading {os.fsdecode(shown or name)}: {error.strerror}") from error
    try:
        if whole:
            yield from writer.tree(LayerFormat.PLAIN, None, root=bool(shown))
        else:
            yield from writer.one(name, shown, seen)
    except OSError as error:
        raise Unavailable(f"reading {os.fsdecode(shown or name)}: {error.strerror}") from error
    finally:
        writer.close()


class _Writer:
    """Members of one folder; `prefix` is put before their names."""

    def __init__(self, path: str, mapping: IdMapping | None, mtime: int | None, prefix: bytes = b"") -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._prefix = prefix
        self._maps = (mapping.uids, mapping.gids) if mapping is not None else ((), ())
        self._mtime = mtime
        self._first_names: dict[tuple[int, int], bytes] = {}
        self.give: Callable[[Entry, int], Iterator[Any]] = _packed
        """What becomes of a member and the descriptor of its content."""

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._root)

    def _open_folder(self, path: bytes) -> int:
        return open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, resolve=_IN_ROOT_NO_LINKS)

    def one(self, name: bytes, shown: bytes, seen: os.stat_result) -> Iterator[Any]:
        """One entry that is no folder, under another name."""
        yield from self._member(self._root, shown, name, seen)

    def tree(
        self, layer_format: LayerFormat, below: Callable[[str], bool] | None, *, root: bool = True
    ) -> Iterator[Any]:
        """Everything, folders before what is in them, names in order."""
        overlay = layer_format is not LayerFormat.PLAIN
        waiting = [b""]
        while waiting:
            path = waiting.pop()
            parent, _, base = path.rpartition(b"/")
            try:
                folder = self._open_folder(parent)
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            try:
                seen = _look(folder, base)
                if seen is None:
                    continue
                if overlay and stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0:
                    # fuse-overlayfs deletes the name of its mark, too, beside making that mark.
                    if layer_format is not LayerFormat.OVERLAY_FUSE or not base.startswith(whiteout.PREFIX):
                        yield self._whiteout(path, seen)
                    continue
                if path or root:
                    yield from self._member(folder, path, base, seen)
            finally:
                os.close(folder)
            if not stat.S_ISDIR(seen.st_mode):
                continue
            names, opaque = self._inside(path, layer_format if overlay else None)
            if opaque and path and (below is None or below("/" + os.fsdecode(path))):
                yield self._mark(path + b"/" + whiteout.OPAQUE, seen)
            waiting += [path + b"/" + name if path else name for name in reversed(names)]

    def _inside(self, path: bytes, layer_format: LayerFormat | None) -> tuple[list[bytes], bool]:
        """Sorted names in a folder, and whether it is opaque."""
        try:
            fd = self._open_folder(path)
        except OSError as error:
            if error.errno in _GONE:
                return [], False
            raise
        try:
            names = sorted(os.fsencode(name) for name in os.listdir(fd))
            marks = whiteout.opaque_xattrs(layer_format) if layer_format is not None else ()
            # fuse-overlayfs writes the file too, which then is one of the names.
            marks = () if layer_format is LayerFormat.OVERLAY_FUSE and whiteout.OPAQUE in names else marks
            return names, any(_xattr(fd, mark) == b"y" for mark in marks)
        finally:
            os.close(fd)

    def change(self, path: bytes, kind: ChangeKind) -> Iterator[bytes]:
        """One change; what is gone since it was found is left out."""
        parent, _, base = path.rpartition(b"/")
        if kind is ChangeKind.DELETED:
            yield self._whiteout(path, None)
            return
        try:
            folder = self._open_folder(parent)
        except OSError as error:
            if error.errno in _GONE:
                return
            raise
        try:
            seen = _look(folder, base)
            if seen is not None:
                yield from self._member(folder, path, base, seen)
        finally:
            os.close(folder)

    def _entry(self, name: bytes, seen: os.stat_result) -> Entry:
        entry = Entry()
        entry.name = name
        entry.mode = stat.S_IMODE(seen.st_mode)
        entry.uid = _inner_id(self._maps[0], seen.st_uid)
        entry.gid = _inner_id(self._maps[1], seen.st_gid)
        entry.mtime = seen.st_mtime_ns if self._mtime is None else self._mtime * 1_000_000_000
        return entry

    def _mark(self, name: bytes, seen: os.stat_result | None) -> bytes:
        """An empty file whose name says what is deleted."""
        entry = Entry()
        entry.name = name
        if seen is not None:
            entry = self._entry(name, seen)
            entry.mode = 0
        elif self._mtime is not None:
            entry.mtime = self._mtime * 1_000_000_000
        else:
            import time

            entry.mtime = time.time_ns()
        return member_header(entry)

    def _whiteout(self, path: bytes, seen: os.stat_result | None) -> bytes:
        parent, slash, base = path.rpartition(b"/")
        return self._mark(parent + slash + whiteout.PREFIX + base, seen)

    def _member(self, folder: int, path: bytes, base: bytes, seen: os.stat_result) -> Iterator[Any]:
        """What lies at a path, given on; sockets are left out."""
        form = stat.S_IFMT(seen.st_mode)
        if form == stat.S_IFSOCK:
            return
        path = b"/".join(part for part in (self._prefix, path) if part)
        entry = self._entry(path, seen)
        first = self._first_names.setdefault((seen.st_dev, seen.st_ino), path) if seen.st_nlink > 1 else path
        if form == stat.S_IFDIR:
            entry.name, entry.kind = (path or b".") + b"/", 0x35
        elif first != path:
            entry.kind, entry.link = 0x31, first
        elif form == stat.S_IFREG:
            yield from self._file(folder, base, entry, seen)
            return
        elif form == stat.S_IFLNK:
            entry.kind, entry.link = 0x32, os.readlink(base, dir_fd=folder)
        else:
            entry.kind = {stat.S_IFCHR: 0x33, stat.S_IFBLK: 0x34}.get(form, 0x36)
            entry.major, entry.minor = os.major(seen.st_rdev), os.minor(seen.st_rdev)
        entry.xattrs = _xattrs(b"/proc/self/fd/%d/%s" % (folder, base or b"."))
        yield from self.give(entry, -1)

    def _file(self, folder: int, base: bytes, entry: Entry, seen: os.stat_result) -> Iterator[Any]:
        """A regular file, opened."""
        try:
            fd = os.open(base, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            if error.errno in _GONE:
                return
            raise
        try:
            now = os.fstat(fd)
            if (now.st_dev, now.st_ino) != (seen.st_dev, seen.st_ino):
                return  # replaced since it was looked at
            entry.size = now.st_size
            entry.xattrs = _xattrs(fd)
            yield from self.give(entry, fd)
        finally:
            os.close(fd)


def _look(folder: int, base: bytes) -> os.stat_result | None:
    try:
        return os.stat(base or b".", dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def _xattr(fd: int, name: str) -> bytes:
    try:
        return os.getxattr(fd, name)
    except OSError as error:
        if error.errno in (ENODATA, ENOTSUP):
            return b""
        raise


def _xattrs(place: int | bytes) -> dict[bytes, bytes] | None:
    """The attributes that a layer keeps: capabilities, IMA, and the user's, but for overlayfs's own."""
    try:
        names = os.listxattr(place) if isinstance(place, int) else os.listxattr(place, follow_symlinks=False)
    except OSError:
        return None  # a file system without attributes, or the file has gone
    found: dict[bytes, bytes] = {}
    for name in names:
        raw = os.fsencode(name)
        if name in _KEPT_XATTRS or (name.startswith("user.") and not whiteout.is_overlay_xattr(raw)):
            try:
                value = (
                    os.getxattr(place, name)
                    if isinstance(place, int)
                    else os.getxattr(place, name, follow_symlinks=False)
                )
            except OSError:
                continue
            found[raw] = value
    return found or None


def _inner_id(maps: tuple[IdMap, ...], found: int) -> int:
    if not maps:
        return found
    for part in maps:
        if part.host_id <= found < part.host_id + part.size:
            return part.container_id + found - part.host_id
    # What no id of the container's owns is nobody's there, as its own processes see it.
    return NOBODY
