"""What an image holds that people want to know of before they run it, read from its layers: nothing of it is run."""

from __future__ import annotations

from sonata.image import secrets_in
from sonata.image.layers import whiteout
from sonata.image.layers.feed import Feed
from sonata.image.layers.tarread import TarReader, clean
from sonata.model.image_audit import Finding
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.host import CAPABILITIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.image.layers.tarread import Entry
    from sonata.model.image import ImageConfig
    from sonata_core.models.streams import Readable

_LINK, _SYMLINK, _CHAR, _BLOCK, _FOLDER, _GLOBAL = b"12345g"
_CAPABILITY = b"security.capability"
_HEAD = 1 << 16
"""So many bytes of a file whose name promises a secret are looked at."""


class _Node:
    """A path of the image: who put it there, what is to be said of it, and what is in it."""

    __slots__ = ("findings", "inner", "layer", "size")

    def __init__(self) -> None:
        self.layer = -1
        self.size = 0
        self.findings: tuple[Finding, ...] = ()
        self.inner: dict[bytes, _Node] = {}

    def below(self) -> Iterator[_Node]:
        """This one and all in it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.inner.values()


class Layers:
    """Layers laid upon each other, base first, without unpacking any."""

    def __init__(self) -> None:
        self.wasted: list[int] = []
        """Bytes of each layer in files that later layers replace or remove."""
        self._secrets: list[tuple[bytes, Finding]] = []
        """Of every layer: what a later layer removes can still be read."""
        self._root = _Node()

    def add(self, tar: Readable) -> None:
        """The next layer. Raises Damaged for a malformed tar."""
        self.wasted.append(0)
        feed = Feed(tar, hashed=False)
        try:
            for entry in TarReader(feed):
                head = self._head(entry, feed)
                self._member(entry, clean(entry.name), head)
        finally:
            feed.close()

    def findings(self) -> list[Finding]:
        """What is to be said of the paths that a container sees, and of the secrets of every layer."""
        found = [one for node in self._root.below() for one in node.findings]
        for path, one in self._secrets:
            hidden = self._layer_of(path) != one.layer
            found.append(one.replace(detail=f"{one.detail}, hidden by a later layer") if hidden else one)
        return sorted(found, key=lambda one: (one.kind, one.path, one.layer))

    def _layer_of(self, path: bytes) -> int:
        node = self._find(path)
        return node.layer if node is not None else -1

    def _find(self, path: bytes) -> _Node | None:
        node: _Node | None = self._root
        for part in path.split(b"/"):
            node = node.inner.get(part) if node is not None else None
        return node

    @staticmethod
    def _head(entry: Entry, feed: Feed) -> bytes:
        """Take the content off the feed; its beginning, if the name promises a secret."""
        wanted = secrets_in.is_candidate(clean(entry.name))
        head = b""
        for piece in feed.pieces(entry.size):
            if wanted and len(head) < _HEAD:
                head += piece[: _HEAD - len(head)]
        return head

    def _member(self, entry: Entry, path: bytes, head: bytes) -> None:
        if not path or entry.kind == _GLOBAL:
            return
        layer = len(self.wasted) - 1
        folder, _, base = path.rpartition(b"/")
        if base == whiteout.OPAQUE:
            self._hide_lower(self._at(folder), layer)
        elif base.startswith(whiteout.PREFIX):
            self._remove(self._at(folder), whiteout.deleted_name(base), layer)
        else:
            self._put(entry, path, layer)
            text = secrets_in.in_file(path, head)
            if text:
                self._secrets.append((path, Finding(kind="secret", layer=layer, path=shown(path), detail=text)))

    def _at(self, path: bytes) -> _Node:
        node = self._root
        for part in path.split(b"/") if path else ():
            node = node.inner.setdefault(part, _Node())
        return node

    def _put(self, entry: Entry, path: bytes, layer: int) -> None:
        # A hard link is the same file, and stays when the other one goes.
        same = self._find(clean(entry.link)) if entry.kind == _LINK else None
        linked = tuple(one.replace(path=shown(path), layer=layer) for one in same.findings) if same else ()
        node = self._at(path)
        if entry.kind != _FOLDER and node.inner:
            for inner in list(node.inner):
                self._remove(node, inner, layer)
        self._hide(node, layer)
        node.layer, node.size = layer, entry.size
        node.findings = linked or tuple(_of_entry(entry, path, layer))

    def _hide(self, node: _Node, layer: int) -> None:
        if 0 <= node.layer < layer:
            self.wasted[node.layer] += node.size

    def _remove(self, folder: _Node, name: bytes, layer: int) -> None:
        gone = folder.inner.pop(name, None)
        for node in gone.below() if gone is not None else ():
            self._hide(node, layer)

    def _hide_lower(self, folder: _Node, layer: int) -> None:
        for name, node in list(folder.inner.items()):
            if node.layer < layer:
                self._remove(folder, name, layer)


def _of_entry(entry: Entry, path: bytes, layer: int) -> Iterator[Finding]:
    def finding(kind: str, detail: str) -> Finding:
        return Finding(kind=kind, layer=layer, path=shown(path), detail=detail)

    mode = entry.mode & 0o7777
    if entry.kind in (_CHAR, _BLOCK):
        word = "character" if entry.kind == _CHAR else "block"
        yield finding("device", f"{word} device {entry.major}:{entry.minor}, mode {mode:04o}")
    elif entry.kind == _SYMLINK:
        if _climbs_out(path, entry.link):
            yield finding("link", f"leads out of the root: {shown(entry.link)}")
    elif entry.kind == _FOLDER:
        if mode & 0o1002 == 0o0002:
            yield finding("world-writable", f"folder, mode {mode:04o}, no sticky bit")
    elif entry.kind != _LINK:
        yield from _of_file(entry, mode, finding)


def _of_file(entry: Entry, mode: int, finding: Callable[[str, str], Finding]) -> Iterator[Finding]:
    if mode & 0o4000:
        yield finding("setuid", f"of user {entry.uid}, mode {mode:04o}")
    if mode & 0o2010 == 0o2010:
        yield finding("setgid", f"of group {entry.gid}, mode {mode:04o}")
    if mode & 0o0002:
        yield finding("world-writable", f"file, mode {mode:04o}")
    value = (entry.xattrs or {}).get(_CAPABILITY)
    if value is not None:
        yield finding("capability", capabilities(value))


def capabilities(value: bytes) -> str:
    """The names in a `security.capability` attribute (Linux `uapi/linux/capability.h`, `vfs_cap_data`)."""
    numbers = [int.from_bytes(value[at : at + 4], "little") for at in range(0, len(value) - len(value) % 4, 4)]
    if not numbers or len(numbers) < 3:
        return f"malformed: {value[:24].hex()}"
    permitted = numbers[1] | (numbers[3] << 32 if len(numbers) > 4 else 0)
    names = [name for number, name in enumerate(CAPABILITIES) if permitted >> number & 1]
    return ", ".join(names) if names else "none"


def _climbs_out(path: bytes, target: bytes) -> bool:
    """Whether `..` of a relative target goes above the root: within a container it cannot, for others it may."""
    depth = 0 if target.startswith(b"/") else path.count(b"/")
    for part in target.split(b"/"):
        if part == b"..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in (b"", b"."):
            depth += 1
    return False


def of_config(config: ImageConfig) -> list[Finding]:
    """What the configuration and the history tell."""
    found = []
    if config.user.partition(":")[0] in ("", "0", "root"):
        found.append(Finding(kind="user", layer=-1, path="config", detail="runs as root unless told otherwise"))
    for text in config.env:
        name, _, value = text.partition("=")
        found += _secret("environment", secrets_in.in_pair(name, value))
    for name, value in config.labels.items():
        found += _secret("label", secrets_in.in_pair(name, value))
    for step in config.history:
        for told in dict.fromkeys(secrets_in.in_command(step.created_by)):
            found += _secret("history", told)
    return found


def _secret(place: str, told: str) -> list[Finding]:
    return [Finding(kind="secret", layer=-1, path=place, detail=shown(told.encode()))] if told else []


def shown(text: bytes) -> str:
    """A path as it may be printed: what a terminal would act on is escaped."""
    plain = text.decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in plain)
