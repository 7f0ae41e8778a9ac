"""What an image holds that people want to know of before they run it, read from its layers: nothing of it is run."""

from __future__ import annotations

from sonata.image import accounts, secrets_in
from sonata.image.audit_entries import FOLDER, GLOBAL, LINK, of_entry, shown
from sonata.image.layers import whiteout
from sonata.image.layers.tarread import TarReader, clean
from sonata.model.image_audit import Finding
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from sonata.image.layers.tarread import Entry

    class Heads(Protocol):
        """A layer's tar."""

        def take(self, size: int) -> bytes:
            """Bytes of headers."""

        def head(self, size: int, wanted: int) -> bytes:
            """Pass by a file; its beginning."""


Notes = tuple[tuple[str, str], ...]
"""Of one path: ids of checks, and details."""
HEAD = 1 << 16
"""So many bytes of a file whose name promises a secret are looked at."""
MOST_PATHS = 2_000_000
_MOST_SECRETS = 20_000
_LONGEST = 4096
"""PATH_MAX of Linux."""
_MAX_LAYERS = 1 << 16


class _Folder:
    """A folder of the image: who put it there, and what is in it. Of a file a number says it, and memory is saved."""

    __slots__ = ("inner", "layer", "notes")

    def __init__(self) -> None:
        self.layer = -1
        self.inner: dict[bytes, _Folder | int] = {}
        self.notes: dict[bytes, Notes] | None = None
        """By names within; the root's own under the empty name."""


class Layers:
    """Layers laid upon each other, base first, without unpacking any.

    Raises Damaged beyond MOST_PATHS paths, and for a path that no kernel takes: memory stays bounded.
    """

    def __init__(self) -> None:
        self.wasted: list[int] = []
        """Bytes of each layer in files that later layers replace or remove."""
        self.passwd: bytes | None = None
        """The beginning of `/etc/passwd` as containers see it."""
        self._secrets: list[tuple[bytes, Finding]] = []
        """Of every layer: what a later layer removes can still be read."""
        self._root = _Folder()
        self._paths = 0
        self._memo: dict[Notes, Notes] = {}

    def add(self, heads: Heads) -> None:
        """The next layer. Raises Damaged for a malformed tar."""
        self.wasted.append(0)
        if len(self.wasted) >= _MAX_LAYERS:
            raise Damaged(f"the image has more than {_MAX_LAYERS} layers")
        for entry in TarReader(heads):
            path = clean(entry.name)
            if len(path) > _LONGEST:
                raise Damaged(f"a path of a layer has {len(path)} bytes; {_LONGEST} are allowed")
            wanted = accounts.is_candidate(path) or secrets_in.is_candidate(path)
            head = heads.head(entry.size, HEAD if wanted else 0)
            if entry.kind != GLOBAL:
                self._member(entry, path, head)

    def findings(self) -> Iterator[Finding]:
        """What is to be said of the paths that a container sees, and of the secrets of every layer."""
        for path, name, folder, notes in self._noted():
            layer = _layer_of(folder.inner.get(name, folder))
            for check, detail in notes:
                yield Finding(id=check, layer=layer, path=shown(path) or "/", detail=detail)
        for path, one in self._secrets:
            found = self._find(path)
            hidden = found is None or _layer_of(found) != one.layer
            yield one.replace(detail=f"{one.detail}, hidden by a later layer") if hidden else one

    def _noted(self) -> Iterator[tuple[bytes, bytes, _Folder, Notes]]:
        waiting: list[tuple[bytes, _Folder]] = [(b"", self._root)]
        while waiting:
            place, folder = waiting.pop()
            for name, notes in (folder.notes or {}).items():
                yield place + name, name, folder, notes
            waiting += [(place + name + b"/", one) for name, one in folder.inner.items() if isinstance(one, _Folder)]

    def _find(self, path: bytes) -> _Folder | int | None:
        node: _Folder | int | None = self._root
        for part in path.split(b"/") if path else ():
            if not isinstance(node, _Folder):
                return None
            node = node.inner.get(part)
        return node

    def _member(self, entry: Entry, path: bytes, head: bytes) -> None:
        layer = len(self.wasted) - 1
        above, _, base = path.rpartition(b"/")
        if base == whiteout.OPAQUE:
            self._hide_lower(self._at(above), layer)
        elif base.startswith(whiteout.PREFIX):
            self._remove(self._at(above), whiteout.deleted_name(base), layer)
        else:
            self._put(entry, path, self._notes(entry, path, head))
            self._keep_secrets(path, head, layer)

    def _notes(self, entry: Entry, path: bytes, head: bytes) -> Notes:
        notes: Notes = tuple(of_entry(entry, path))
        if entry.kind == LINK:  # the same file, which stays when the other name goes
            return (*notes, *self._notes_of(clean(entry.link)))
        return (*notes, *accounts.of_file(path, head)) if head else notes

    def _notes_of(self, path: bytes) -> Notes:
        above, _, base = path.rpartition(b"/")
        folder = self._find(above)
        return (folder.notes or {}).get(base, ()) if isinstance(folder, _Folder) else ()

    def _keep_secrets(self, path: bytes, head: bytes, layer: int) -> None:
        if path == b"etc/passwd":
            self.passwd = head
        told = (*accounts.hashes_in(path, head), *secrets_in.in_file(path, head)) if head else ()
        for check, detail in told:
            self._secrets.append((path, Finding(id=check, layer=layer, path=shown(path), detail=detail)))
        if len(self._secrets) > _MOST_SECRETS:
            raise Damaged(f"the image has more than {_MOST_SECRETS} files that look like secrets")

    def _at(self, path: bytes) -> _Folder:
        folder = self._root
        for part in path.split(b"/") if path else ():
            inner = folder.inner.get(part)
            if not isinstance(inner, _Folder):
                inner = self._new(folder, part)
            folder = inner
        return folder

    def _new(self, folder: _Folder, name: bytes) -> _Folder:
        """A folder that no layer told of, also in place of a file."""
        self._remove(folder, name, len(self.wasted) - 1)
        self._count()
        made = folder.inner[name] = _Folder()
        made.layer = len(self.wasted) - 1
        return made

    def _count(self) -> None:
        self._paths += 1
        if self._paths > MOST_PATHS:
            raise Damaged(f"the image has more than {MOST_PATHS} paths: too many to look through")

    def _put(self, entry: Entry, path: bytes, notes: Notes) -> None:
        layer = len(self.wasted) - 1
        above, _, base = path.rpartition(b"/")
        folder = self._at(above)
        if entry.kind == FOLDER or not path:
            (self._at(path) if path else self._root).layer = layer
        else:
            self._remove(folder, base, layer)
            self._count()
            folder.inner[base] = entry.size << 16 | layer
        if notes:
            folder.notes = folder.notes or {}
            folder.notes[base] = self._memo.setdefault(notes, notes) if len(self._memo) < 4096 else notes
        elif folder.notes:
            folder.notes.pop(base, None)

    def _remove(self, folder: _Folder, name: bytes, layer: int) -> None:
        """Take a path away, and all that is below it; what lower layers had there is wasted."""
        if folder.notes:
            folder.notes.pop(name, None)
        gone = folder.inner.pop(name, None)
        if gone is None:
            return
        waiting = [gone]
        while waiting:
            node = waiting.pop()
            self._paths -= 1
            if isinstance(node, _Folder):
                waiting += node.inner.values()
            elif _layer_of(node) < layer:
                self.wasted[_layer_of(node)] += node >> 16

    def _hide_lower(self, folder: _Folder, layer: int) -> None:
        """Take away what lower layers have in a folder, at any depth: what this layer put there before stays."""
        waiting = [(folder, name, one) for name, one in folder.inner.items()]
        at = 0
        while at < len(waiting):
            _, _, node = waiting[at]
            if isinstance(node, _Folder):
                waiting += [(node, name, one) for name, one in node.inner.items()]
            at += 1
        for above, name, node in reversed(waiting):
            if _layer_of(node) < layer and not (isinstance(node, _Folder) and node.inner):
                self._remove(above, name, layer)


def _layer_of(node: _Folder | int) -> int:
    return node.layer if isinstance(node, _Folder) else node & (_MAX_LAYERS - 1)
