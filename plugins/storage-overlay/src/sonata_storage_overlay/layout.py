"""One layer's folder as containers/storage lays it out: `<home>/<id>/{diff,link,lower,work,merged}` and `<home>/l/`.

`lower` and `l/` are what Podman 4 reads; `lower-layers` (ids, parent first) is what newer ones
prefer. Both are written; a layer that has only `lower` is read through its links.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP

from sonata_core.errors import Damaged, NotFound
from sonata_core.models.ids import LayerId

LINKS = "l"
TEMPDIRS = "tempdirs"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LINK_LENGTH = 26
_CHILDLESS = "user.sonata.childless"
_HEX = frozenset("0123456789abcdef")


class Lower:
    """One layer below another: the driver's home that has it, and its id. `link` is its short name, where known."""

    __slots__ = ("home", "id", "link")

    def __init__(self, home: str, layer: str, link: str) -> None:
        self.home, self.id, self.link = home, layer, link

    @property
    def folder(self) -> str:
        return os.path.join(self.home, self.id)


def is_layer_id(name: str) -> bool:
    """Whether a name in the driver's home is a layer's."""
    return len(name) == 64 and _HEX.issuperset(name)


def new_link() -> str:
    """26 random characters of the base32 alphabet."""
    return "".join(_ALPHABET[byte & 31] for byte in os.urandom(_LINK_LENGTH))


def is_link(name: str) -> bool:
    """Whether a name in `l/` is one that we or a peer made."""
    return len(name) == _LINK_LENGTH and all(letter in _ALPHABET for letter in name)


def read_text(path: str) -> str | None:
    """A small file's text, None where there is none: what is no file has no text."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno != ELOOP:
            raise
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return os.read(fd, 1 << 16).decode("ascii", "replace").strip()
    finally:
        os.close(fd)


def write_text(path: str, text: str) -> None:
    """Make a new file of mode 0644 with this text, whatever the umask."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.fchmod(fd, 0o644)
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def lowers_of(homes: tuple[str, ...], folder: str) -> list[Lower]:
    """The layers below one, nearest first, each found in the first home that has it.

    Raises Damaged when one is named that no store has.
    """
    ids = read_text(os.path.join(folder, "lower-layers"))
    if ids:
        return [_by_id(homes, layer, folder) for layer in ids.split(":")]
    return linked_lowers(homes, folder)


def linked_lowers(homes: tuple[str, ...], folder: str) -> list[Lower]:
    """The same as `lower` alone says it, which is what Podman 4 reads. Raises Damaged."""
    links = read_text(os.path.join(folder, "lower"))
    return [_by_link(homes, link, folder) for link in links.split(":")] if links else []


def _by_id(homes: tuple[str, ...], layer: str, folder: str) -> Lower:
    if is_layer_id(layer):
        for home in homes:
            if os.path.isdir(os.path.join(home, layer, "diff")):
                return Lower(home, layer, "")
    raise _gone(layer, folder)


def _by_link(homes: tuple[str, ...], link: str, folder: str) -> Lower:
    name = link.removeprefix(f"{LINKS}/")
    for home in homes:
        try:
            target = os.readlink(os.path.join(home, LINKS, name))
        except OSError:
            continue
        parts = target.split("/")
        if len(parts) == 3 and parts[0] == ".." and is_layer_id(parts[1]):
            return Lower(home, parts[1], name)
    raise _gone(link, folder)


def _gone(name: str, folder: str) -> Damaged:
    layer = os.path.basename(folder)
    return Damaged(
        f"layer {layer}: the layer below it, {name}, is in no store",
        hint="`sonata system check` lists the images that need it; pull them again",
        layer=layer,
    )


def link_of(folder: str) -> str:
    """The short name of a layer. Raises NotFound for no such layer, Damaged for one without its `link`."""
    link = read_text(os.path.join(folder, "link"))
    if link:
        return link
    layer = os.path.basename(folder)
    if not os.path.isdir(folder):
        raise NotFound(f"layer {layer} not known")
    raise Damaged(f"layer {layer}: its file `link` is absent or empty", hint="run `sonata system check --repair`")


def diffs_of(folder: str) -> list[str]:
    """`diff`, then `diff1`, `diff2`, … : content that was set aside when owners were shifted."""
    found = [os.path.join(folder, "diff")]
    while os.path.isdir(older := os.path.join(folder, f"diff{len(found)}")):
        found.append(older)
    return found


def volatile_mark(folder: str) -> str:
    """What the kernel puts beside a layer while it is mounted `volatile`."""
    return os.path.join(folder, "work", "work", "incompat", "volatile")


def layer_ids(home: str) -> list[LayerId]:
    """Ids of all layers that have a folder in a home, sorted."""
    try:
        names = os.listdir(home)
    except FileNotFoundError:
        return []
    return [LayerId(name) for name in sorted(names) if is_layer_id(name)]


def mark_childless(folder: str, *, childless: bool) -> None:
    """Note on a layer's folder that none stands on it, so that removing it need not look at all others.

    A container's layer is noted so, until it gets a child. It is a note in an extended attribute, which peers do not
    look at, and whose absence (a file system without them, a layer that a peer made) costs that look.
    """
    try:
        if childless:
            os.setxattr(folder, _CHILDLESS, b"1")
        else:
            os.removexattr(folder, _CHILDLESS)
    except OSError:
        return


def is_childless(folder: str) -> bool:
    """Whether a layer is noted to have none above it."""
    try:
        return os.getxattr(folder, _CHILDLESS) == b"1"
    except OSError:
        return False


def child_of(home: str, link: str) -> str | None:
    """A layer whose nearest lower is the one with this short name."""
    wanted = f"{LINKS}/{link}".encode()
    top = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        layers = [name for name in os.listdir(top) if is_layer_id(name)]
        return next((layer for layer in layers if _starts(top, f"{layer}/lower", wanted)), None)
    finally:
        os.close(top)


def _starts(top: int, path: str, wanted: bytes) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=top)
    except OSError:
        return False
    try:
        return os.read(fd, len(wanted)) == wanted
    finally:
        os.close(fd)
