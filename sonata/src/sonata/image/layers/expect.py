"""What must lie in a layer's folder by the tars that were unpacked into it: the rules of `unpack.py`, on paper."""

from __future__ import annotations

from sonata.image.layers import whiteout
from sonata.image.layers.tarread import clean
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerFormat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.image.layers.members import Member, Members

_LINK, _SYMLINK, _DIR = b"125"
_MOST_LINKS = 255


class File:
    """A file with all its names. A hard link's own header may be the last word on what it names."""

    __slots__ = ("headers", "inode", "member")

    def __init__(self, member: Member | None) -> None:
        self.member = member
        """None: a folder that no header names."""
        self.headers = [member.entry] if member is not None else []
        self.inode: tuple[int, int] | None = None
        """Device and inode, once it was seen."""


class Node:
    """A name in a folder."""

    __slots__ = ("children", "file", "gone", "linked", "opaque", "optional", "own")

    def __init__(self, file: File | None, *, own: bool) -> None:
        self.file = file
        self.children: dict[bytes, Node] | None = None
        self.own = own
        """Whether the layer itself has brought it, and none below."""
        self.linked = b""
        """What a hard link was made to."""
        self.gone = self.opaque = self.optional = False

    def is_folder(self) -> bool:
        """Whether names may lie in it."""
        return self.children is not None


class Expected:
    """The names that a layer's folder must have. Layers are put in from the base up; the last one is the layer."""

    def __init__(self, kind: LayerFormat) -> None:
        self._kind = kind
        self._merged = kind is LayerFormat.PLAIN
        self.root = Node(File(None), own=False)
        self.root.children = {}
        self._folders: dict[bytes, Node] = {}
        self._brought: set[bytes] = set()

    def add(self, layer: Members, *, own: bool) -> None:
        """Put one layer's members in."""
        for member in layer.all:
            parent, _, base = member.path.rpartition(b"/")
            if not base:
                if self._merged:
                    self.root.file = File(member)
            elif member.path.startswith(whiteout.META_PREFIX) and member.path != whiteout.OPAQUE:
                self._allow(member.path.partition(b"/")[0])
            elif base.startswith(whiteout.PREFIX) and self._kind is not LayerFormat.OVERLAY_FUSE:
                self._delete(parent, base)
            else:
                self._put(member, parent, base, own=own)
        self._folders.clear()
        self._brought.clear()
        if not own:
            _disown(self.root)

    def _allow(self, name: bytes) -> None:
        """AUFS's own data at the top: some unpack it, some do not, and some take it for a deletion."""
        for one in (name, whiteout.deleted_name(name)):
            node = Node(File(None), own=True)
            node.optional = True
            if self.root.children is not None:
                self.root.children.setdefault(one, node)

    def _put(self, member: Member, parent: bytes, base: bytes, *, own: bool) -> None:
        if self._merged:
            self._brought.add(member.path)
        folder = self._folder(parent, make=True)
        if folder is None or folder.children is None:
            return
        kind = member.entry.kind
        node = Node(File(member), own=own)
        before = folder.children.get(base)
        if kind == _DIR:
            kept = before is not None and before.is_folder()
            node.children = before.children if before is not None and kept else {}
            node.opaque = before is not None and kept and before.opaque
        elif kind == _LINK:
            self._link(node, member)
        folder.children[base] = node
        if kind == _DIR or (before is not None and before.file is not None):
            # What a path means may have changed.
            self._folders.clear()

    def _link(self, node: Node, member: Member) -> None:
        target = clean(member.entry.link)
        parent, _, base = target.rpartition(b"/")
        folder = self._folder(parent, make=False)
        found = (folder.children or {}).get(base) if folder is not None else None
        node.linked = target
        if found is not None and found.file is not None:
            node.file = found.file
            found.file.headers.append(member.entry)

    def _delete(self, parent: bytes, base: bytes) -> None:
        folder = self._folder(parent, make=not self._merged)
        if folder is None or folder.children is None:
            return
        if base == whiteout.OPAQUE:
            folder.opaque = not self._merged
            if self._merged:
                self._keep_own(folder, parent)
            return
        name = whiteout.deleted_name(base)
        if not name:
            return
        self._folders.clear()
        folder.children.pop(name, None)
        if not self._merged:
            node = Node(None, own=True)
            node.gone = True
            folder.children[name] = node

    def _keep_own(self, folder: Node, parent: bytes) -> None:
        """An opaque folder of a merged tree: only what this layer has brought before, by these names, stays."""
        self._folders.clear()
        waiting = [(parent, folder)]
        while waiting:
            path, node = waiting.pop()
            for name, inner in list((node.children or {}).items()):
                whole = path + b"/" + name if path else name
                if whole in self._brought:
                    waiting.append((whole, inner))
                elif node.children is not None:
                    del node.children[name]

    def _folder(self, path: bytes, *, make: bool) -> Node | None:
        """The folder that a path leads to through links; without `make` None where there is none."""
        found = self._folders.get(path)
        if found is None:
            found = self._walk(path, make=make)
            if found is not None:
                self._folders[path] = found
        return found

    def _walk(self, path: bytes, *, make: bool) -> Node | None:
        trail = [self.root]
        # Where a link leads must be there; only what the member itself names is made.
        todo = [(part, make) for part in path.split(b"/")[::-1]] if path else []
        links = 0
        while todo:
            part, may_make = todo.pop()
            children = trail[-1].children
            if part in (b"", b"."):
                continue
            if part == b"..":
                trail = trail[:-1] or trail
                continue
            node = children.get(part) if children is not None else None
            if node is None:
                if children is None or not may_make:
                    return None
                node = children[part] = Node(File(None), own=True)
                node.children = {}
            target = _target(node)
            if target is None:
                trail.append(node)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            trail = [self.root] if target.startswith(b"/") else trail
            todo += [(one, False) for one in target.split(b"/")[::-1]]
        return trail[-1] if trail[-1].is_folder() else None


def _target(node: Node) -> bytes | None:
    """Where a symbolic link leads."""
    if node.file is None or node.file.member is None or node.file.member.entry.kind != _SYMLINK:
        return None
    return node.file.member.entry.link


def _disown(root: Node) -> None:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        node.own = False
        waiting += (node.children or {}).values()


def expected(kind: LayerFormat, below: Iterable[Members], layer: Members) -> Node:
    """The root of what a layer's folder must have. `below`, from the base up, counts where layers are merged."""
    whole = Expected(kind)
    if kind is LayerFormat.PLAIN:
        for one in below:
            whole.add(one, own=False)
    whole.add(layer, own=True)
    return whole.root
