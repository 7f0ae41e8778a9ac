"""Whether a layer's folder has what its tar says, beside contents: kinds, modes, owners, times, links, devices,
attributes. In one walk; the headers are the original ones, since the tar is made again from the folder and tar-split.
"""

from __future__ import annotations

import os
import stat
from errno import ENODATA, ENOTSUP, EPERM

from fastcrc.crc64 import go_iso as crc64

from sonata.image.layers import whiteout
from sonata.image.layers.expect import Node, expected
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerFormat
from sonata_core.record import Record
from sonata_core.sdk.safepath import open_in_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sonata.image.layers.expect import File
    from sonata.image.layers.members import Member, Members
    from sonata.image.layers.tarread import Entry

_REGULAR, _SYMLINK, _CHAR, _BLOCK, _DIR, _FIFO = b"023456"
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
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CAPABILITY = b"security.capability"
_SECOND = 1_000_000_000
_LAST_COMMON = (1 << 31) - 1
_PIECE = 1 << 20
_LONG = 3000
"""Letters of a path that leave room for one more name."""
_TOLD = 3
"""So many differences are told of one layer."""


class Rules(Record):
    """How to compare. Without `nodes` devices and what only root may set are not asked for."""

    kind: LayerFormat
    nodes: bool
    any_owner: bool = False


def layer_differences(root: str, layer: Members, below: Iterable[Members], rules: Rules) -> list[str]:
    """The first ways in which a layer's folder is otherwise than its tar says. `below` are the layers that it stands
    on, from the base up: where layers are merged, their files lie among its own. Raises OSError.
    """
    told: list[str] = []
    comparison = _Comparison(root, rules)
    try:
        for one in comparison.differences(expected(rules.kind, below, layer)):
            told.append(one)
            if len(told) == _TOLD:
                break
    finally:
        comparison.close()
    return told


class _Comparison:
    def __init__(self, root: str, rules: Rules) -> None:
        self._path = os.fsencode(root)
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._rules = rules
        self._mark = "" if rules.kind is LayerFormat.OVERLAY_FUSE else whiteout.OPAQUE_XATTR.get(rules.kind, "")
        self._read: set[tuple[int, int]] = set()

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._root)

    def differences(self, top: Node) -> Iterator[str]:
        """What differs, one by one."""
        if top.file is not None and top.file.member is not None:
            yield from self._same(b"", top, os.fstat(self._root), f"/proc/self/fd/{self._root}/.".encode())
        waiting = [(b"", top)]
        while waiting:
            path, node = waiting.pop()
            fd = open_in_root(self._root, path, _FOLDER)
            try:
                if path and self._mark:
                    yield from self._same_opaque(path, node, fd)
                more: list[tuple[bytes, Node]] = []
                yield from self._inside(path, node.children or {}, fd, more)
                waiting += more[::-1]
            finally:
                os.close(fd)

    def _inside(
        self, path: bytes, wanted: dict[bytes, Node], fd: int, folders: list[tuple[bytes, Node]]
    ) -> Iterator[str]:
        """Compare the names in one folder; those that are folders too are put aside."""
        with os.scandir(fd) as scan:
            found = {os.fsencode(one.name): one for one in scan}
        place = os.path.join(self._path, path, b"")
        if len(place) > _LONG:
            place = b"/proc/self/fd/%d/" % fd
        for name in sorted(found.keys() | wanted.keys()):
            inner = path + b"/" + name if path else name
            node, one = wanted.get(name), found.get(name)
            if node is None:
                yield f"{_shown(inner)} comes from no layer"
            elif one is None:
                if not self._may_lack(node):
                    yield f"{_shown(inner)} is missing"
            elif not node.optional:
                seen = one.stat(follow_symlinks=False)
                yield from self._same(inner, node, seen, place + name)
                if node.children is not None and stat.S_ISDIR(seen.st_mode):
                    folders.append((inner, node))

    def _may_lack(self, node: Node) -> bool:
        member = node.file.member if node.file is not None else None
        device = member is not None and member.entry.kind in (_CHAR, _BLOCK)
        return node.optional or (device and not self._rules.nodes)

    def _same(self, path: bytes, node: Node, seen: os.stat_result, name: bytes) -> Iterator[str]:
        if node.file is None:
            if not stat.S_ISCHR(seen.st_mode) or seen.st_rdev:
                yield f"{_shown(path)} is not deleted"
            return
        member = node.file.member
        kind = _KINDS.get(member.entry.kind, stat.S_IFREG) if member is not None else stat.S_IFDIR
        if stat.S_IFMT(seen.st_mode) != kind:
            found = _WORDS.get(stat.S_IFMT(seen.st_mode), "thing unknown")
            yield f"{_shown(path)} is a {found} instead of a {_WORDS[kind]}"
            return
        if node.own:
            inode = (seen.st_dev, seen.st_ino)
            if node.file.inode not in (None, inode):
                yield f"{_shown(path)} is no hard link to {_shown(node.linked or path)}"
            node.file.inode = inode
        if member is not None:
            usual = _looks_the_same(node.file.headers, seen)
            if not usual:
                yield from self._same_looks(path, node.file.headers, seen)
            yield from self._same_rest(path, (node, node.file, member), seen, name)
            if not usual:
                yield from self._same_times(path, node, seen)

    def _same_rest(
        self, path: bytes, what: tuple[Node, File, Member], seen: os.stat_result, name: bytes
    ) -> Iterator[str]:
        node, file, member = what
        regular = stat.S_ISREG(seen.st_mode)
        if not regular:
            yield from self._same_kind(path, member, seen, name)
        elif not node.own or member.entry.sparse is not None:
            yield from self._same_content(path, member, seen, name)
        if regular or member.entry.xattrs:
            yield from self._same_attributes(path, file, name)

    def _same_looks(self, path: bytes, headers: list[Entry], seen: os.stat_result) -> Iterator[str]:
        last = headers[0]
        mode = stat.S_IMODE(seen.st_mode)
        if not stat.S_ISLNK(seen.st_mode) and all(mode != one.mode & 0o7777 for one in headers):
            yield f"{_shown(path)} has the mode {mode:04o} instead of {last.mode & 0o7777:04o}"
        owner = (seen.st_uid, seen.st_gid)
        if not self._rules.any_owner and all(owner != (one.uid, one.gid) for one in headers):
            yield f"{_shown(path)} belongs to {owner[0]}:{owner[1]} instead of {last.uid}:{last.gid}"

    def _same_times(self, path: bytes, node: Node, seen: os.stat_result) -> Iterator[str]:
        if node.file is None or (node.children is not None and self._rules.kind is LayerFormat.PLAIN):
            # A folder's time changes with what layers above put into it.
            return
        at = seen.st_mtime_ns // _SECOND
        # Not every file system has times after 2038.
        if all(at != one.mtime // _SECOND <= _LAST_COMMON for one in node.file.headers):
            yield f"{_shown(path)} has the time {at} instead of {node.file.headers[0].mtime // _SECOND}"

    def _same_kind(self, path: bytes, member: Member, seen: os.stat_result, name: bytes) -> Iterator[str]:
        """What only links and devices have."""
        entry = member.entry
        if entry.kind == _SYMLINK and os.readlink(name) != entry.link:
            yield f"{_shown(path)} leads elsewhere than to {os.fsdecode(entry.link)}"
        if entry.kind in (_CHAR, _BLOCK) and seen.st_rdev != os.makedev(entry.major, entry.minor):
            major, minor = os.major(seen.st_rdev), os.minor(seen.st_rdev)
            yield f"{_shown(path)} is device {major}:{minor} instead of {entry.major}:{entry.minor}"

    def _same_attributes(self, path: bytes, file: File, name: bytes) -> Iterator[str]:
        entry = file.headers[0]
        if len(file.headers) > 1 and any(one.xattrs for one in file.headers[1:]):
            return
        wanted = dict(entry.xattrs or {})
        if entry.kind == _REGULAR:
            wanted.setdefault(_CAPABILITY, b"")
        for key, value in wanted.items():
            if whiteout.is_overlay_xattr(key) or key == b"security.selinux":
                continue
            seen = _attribute(name, key)
            if seen is None:
                return
            # What an ordinary user may not set was left out.
            if seen != value and (seen or self._rules.nodes or key.startswith(b"user.")):
                yield f"{_shown(path)} has another attribute {os.fsdecode(key)}"

    def _same_opaque(self, path: bytes, node: Node, fd: int) -> Iterator[str]:
        """Whether a folder hides what lower layers have in it just as its tar says."""
        try:
            opaque = os.getxattr(fd, self._mark) == b"y"
        except OSError as error:
            if error.errno not in (ENODATA, ENOTSUP, EPERM):
                raise
            opaque = False
        if opaque != node.opaque:
            yield f"{_shown(path)} {'hides' if opaque else 'shows'} what lower layers have in it"

    def _same_content(self, path: bytes, member: Member, seen: os.stat_result, name: bytes) -> Iterator[str]:
        """What making the tar again has not read: copies of lower layers' files, and sparse ones."""
        entry = member.entry
        if seen.st_size != entry.real_size:
            yield f"{_shown(path)} has {seen.st_size} bytes instead of {entry.real_size}"
        elif (seen.st_dev, seen.st_ino) not in self._read:
            self._read.add((seen.st_dev, seen.st_ino))
            if _crc(name, entry.sparse or [(0, entry.size)]) != member.crc:
                yield f"{_shown(path)} has another content than its layer has brought"


def _looks_the_same(headers: list[Entry], seen: os.stat_result) -> bool:
    """Whether all is as the only header says: so it is with nearly every file."""
    one = headers[0]
    same = seen.st_uid == one.uid and seen.st_gid == one.gid and seen.st_mode & 0o7777 == one.mode & 0o7777
    return same and seen.st_mtime_ns // _SECOND == one.mtime // _SECOND and len(headers) == 1


def _crc(name: bytes, parts: list[tuple[int, int]]) -> int:
    """The CRC of some parts of a file."""
    fd = os.open(name, _READ)
    try:
        crc = 0
        for start, size in parts:
            at, end = start, start + size
            while at < end and (piece := os.pread(fd, min(end - at, _PIECE), at)):
                crc = crc64(piece, crc)
                at += len(piece)
        return crc
    finally:
        os.close(fd)


def _attribute(name: bytes, key: bytes) -> bytes | None:
    """An attribute, empty where it is not there; None where the file system has none."""
    try:
        return os.getxattr(name, key, follow_symlinks=False)
    except OSError as error:
        if error.errno == ENOTSUP:
            return None
        if error.errno != ENODATA:
            raise
        return b""


def _shown(path: bytes) -> str:
    return repr("/" + os.fsdecode(path))[1:-1]
