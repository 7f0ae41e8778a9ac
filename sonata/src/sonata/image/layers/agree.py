"""Whether a layer's folder has what its tar says, beside contents: kinds, modes, owners, links, devices, attributes.

The tar is the one that is made again from the folder and tar-split: its headers are the original ones.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENAMETOOLONG, ENODATA, ENOENT, ENOTDIR, ENOTSUP

from sonata.image.layers import whiteout
from sonata.image.layers.feed import Feed
from sonata.image.layers.tarread import Entry, TarReader, clean
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerFormat
from sonata_core.sdk.safepath import open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_REGULAR, _LINK, _SYMLINK, _CHAR, _BLOCK, _DIR, _FIFO, _GLOBAL = b"0123456g"
_KINDS = {
    _REGULAR: stat.S_IFREG,
    _SYMLINK: stat.S_IFLNK,
    _CHAR: stat.S_IFCHR,
    _BLOCK: stat.S_IFBLK,
    _DIR: stat.S_IFDIR,
    _FIFO: stat.S_IFIFO,
}
_WORDS = {
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
_PLACE = os.O_PATH | os.O_DIRECTORY
_GONE = (ENOENT, ENOTDIR, ELOOP)
_CAPABILITY = b"security.capability"
Spot = tuple[int, bytes]
"""A name in a folder, which is known by its inode: links on the way to it lead to the same spot."""


class Headers:
    """The members of one tar, by where they lie in the end. `digest` and `size` are those of the whole tar."""

    def __init__(self, stream: BinaryIO) -> None:
        feed = Feed(stream)
        self.members: dict[bytes, Entry] = {}
        try:
            for entry in TarReader(feed):
                for _ in feed.pieces(entry.size):
                    pass
                entry.raw = b""
                self._take(entry)
            for _ in feed.rest():
                pass
            self.digest, self.size = feed.digest(), feed.size
        finally:
            feed.close()

    def _take(self, entry: Entry) -> None:
        path = clean(entry.name)
        # No layer has a name twice: tar-split cannot tell two such members apart.
        if path and entry.kind != _GLOBAL:
            self.members[path] = entry


class Agreement:
    """Compares headers with a folder. Use as a context manager. With `nodes` devices and attributes are told of."""

    def __init__(self, root: str, headers: Headers, *, nodes: bool, any_owner: bool) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._headers = headers
        self._nodes = nodes
        self._any_owner = any_owner
        self._linked: dict[bytes, list[Entry]] = {}
        for entry in headers.members.values():
            if entry.kind == _LINK:
                self._linked.setdefault(clean(entry.link), []).append(entry)

    def __enter__(self) -> Agreement:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def differences(self) -> Iterator[str]:
        """What differs, one by one: first what the tar has, then what it does not have. Raises OSError."""
        known: dict[Spot, tuple[bytes, Entry]] = {}
        folders: dict[bytes, int | None] = {b"": os.fstat(self._root).st_ino}
        for path, entry in self._headers.members.items():
            parent, _, base = path.rpartition(b"/")
            place = self._folder(parent, folders, known)
            if path.startswith(whiteout.META_PREFIX) and place is not None:
                # AUFS's own data: some unpack it, some do not, and some take it for a deletion.
                for one in (base, whiteout.deleted_name(base)):
                    known[place, one] = (path, _IMPLIED)
                continue
            if base.startswith(whiteout.PREFIX):
                base = whiteout.deleted_name(base)
                if place is None or path.endswith(whiteout.OPAQUE) or not base:
                    continue
            if place is not None:
                known[place, base] = (path, entry)
            else:
                yield f"{_shown(path)} is missing"
        for path, entry in known.values():
            if entry is not _IMPLIED:
                yield from self._compared(path, entry)
        yield from self._unknown(known)

    def _folder(
        self, path: bytes, folders: dict[bytes, int | None], known: dict[Spot, tuple[bytes, Entry]]
    ) -> int | None:
        """The inode of a folder, and that it and those around it belong here although no header names them."""
        missing = []
        at = path
        while at not in folders:  # not by recursion: a layer may have folders thousands deep
            missing.append(at)
            at = at.rpartition(b"/")[0]
        for one in reversed(missing):
            parent, _, base = one.rpartition(b"/")
            above = folders[parent]
            if above is not None:
                known.setdefault((above, base), (one, _IMPLIED))
            folders[one] = self._inode(one)
        return folders[path]

    def _inode(self, path: bytes) -> int | None:
        try:
            fd = open_in_root(self._root, path, _PLACE)
        except OSError as error:
            if error.errno not in (*_GONE, ENAMETOOLONG):
                raise
            return None
        try:
            return os.fstat(fd).st_ino
        finally:
            os.close(fd)

    def _compared(self, path: bytes, entry: Entry) -> Iterator[str]:
        parent, _, base = path.rpartition(b"/")
        gone = base.startswith(whiteout.PREFIX)
        base = whiteout.deleted_name(base) if gone else base
        if not self._nodes and entry.kind in (_CHAR, _BLOCK):
            return
        fd = open_in_root(self._root, parent, _PLACE)
        try:
            seen = os.stat(base, dir_fd=fd, follow_symlinks=False)
            if gone:
                if self._nodes and (not stat.S_ISCHR(seen.st_mode) or seen.st_rdev):
                    yield f"{_shown(os.path.join(parent, base))} is not deleted"
            elif entry.kind == _LINK:
                yield from self._same_file(path, entry, seen)
            else:
                yield from self._same(path, entry, seen, f"/proc/self/fd/{fd}/".encode() + base)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            yield f"{_shown(os.path.join(parent, base))} is missing"
        finally:
            os.close(fd)

    def _same_file(self, path: bytes, entry: Entry, seen: os.stat_result) -> Iterator[str]:
        target = clean(entry.link)
        parent, _, base = target.rpartition(b"/")
        fd = open_in_root(self._root, parent, _PLACE)
        try:
            other = os.stat(base, dir_fd=fd, follow_symlinks=False)
        finally:
            os.close(fd)
        if (other.st_dev, other.st_ino) != (seen.st_dev, seen.st_ino):
            yield f"{_shown(path)} is no hard link to {_shown(target)}"

    def _same(self, path: bytes, entry: Entry, seen: os.stat_result, name: bytes) -> Iterator[str]:
        kind = _KINDS.get(entry.kind, stat.S_IFREG)
        if stat.S_IFMT(seen.st_mode) != kind:
            found = _WORDS.get(stat.S_IFMT(seen.st_mode), "thing unknown")
            yield f"{_shown(path)} is a {found} instead of a {_WORDS[kind]}"
            return
        # A hard link's own header may have been the last word on the file that it names.
        words = [entry, *self._linked.get(path, ())]
        mode = stat.S_IMODE(seen.st_mode)
        if kind != stat.S_IFLNK and all(mode != one.mode & 0o7777 for one in words):
            yield f"{_shown(path)} has the mode {mode:04o} instead of {entry.mode & 0o7777:04o}"
        owner = (seen.st_uid, seen.st_gid)
        if not self._any_owner and all(owner != (one.uid, one.gid) for one in words):
            yield f"{_shown(path)} belongs to {owner[0]}:{owner[1]} instead of {entry.uid}:{entry.gid}"
        if kind == stat.S_IFLNK and os.readlink(name) != entry.link:
            yield f"{_shown(path)} leads elsewhere than to {os.fsdecode(entry.link)}"
        if kind in (stat.S_IFCHR, stat.S_IFBLK) and seen.st_rdev != os.makedev(entry.major, entry.minor):
            major, minor = os.major(seen.st_rdev), os.minor(seen.st_rdev)
            yield f"{_shown(path)} is device {major}:{minor} instead of {entry.major}:{entry.minor}"
        if self._nodes and all(not one.xattrs or one is entry for one in words):
            yield from _attributes(path, entry, name)

    def _unknown(self, known: dict[Spot, tuple[bytes, Entry]]) -> Iterator[str]:
        """What lies there and comes from no tar."""
        waiting = [b""]
        while waiting:
            path = waiting.pop()
            fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                inode = os.fstat(fd).st_ino
                with os.scandir(fd) as found:
                    for one in sorted(found, key=lambda item: item.name):
                        inner = os.path.join(path, os.fsencode(one.name))
                        if (inode, os.fsencode(one.name)) not in known:
                            yield f"{_shown(inner)} comes from no layer"
                        elif one.is_dir(follow_symlinks=False):
                            waiting.append(inner)
            finally:
                os.close(fd)


_IMPLIED = Entry()
"""A folder that no header names."""


def _attributes(path: bytes, entry: Entry, name: bytes) -> Iterator[str]:
    wanted = dict(entry.xattrs or {})
    wanted.setdefault(_CAPABILITY, b"")
    for key, value in wanted.items():
        if whiteout.is_overlay_xattr(key) or key == b"security.selinux":
            continue
        try:
            seen = os.getxattr(name, key, follow_symlinks=False)
        except OSError as error:
            if error.errno == ENOTSUP:
                return
            if error.errno != ENODATA:
                raise
            seen = b""
        if seen != value:
            yield f"{_shown(path)} has another attribute {os.fsdecode(key)}"


def _shown(path: bytes) -> str:
    return repr("/" + os.fsdecode(path))[1:-1]


def layer_differences(
    stream: BinaryIO, root: str, kind: LayerFormat, *, nodes: bool, any_owner: bool
) -> tuple[str, int, list[str]]:
    """Digest and size of a layer's tar, and the first ways in which its folder is otherwise than it says.

    Only of overlay's own folders: elsewhere other layers' files lie among a layer's own. Raises Damaged, OSError.
    """
    headers = Headers(stream)
    told: list[str] = []
    if kind in (LayerFormat.OVERLAY_TRUSTED, LayerFormat.OVERLAY_USER):
        with Agreement(root, headers, nodes=nodes, any_owner=any_owner) as agreement:
            for one in agreement.differences():
                told.append(one)
                if len(told) == _TOLD:
                    break
    return headers.digest, headers.size, told


_TOLD = 3
"""So many differences are told of one layer."""
