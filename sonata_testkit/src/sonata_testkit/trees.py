"""Writing a layer's own files the way its format wants them, and reading back what is seen."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from sonata_core.models.storage import LayerFormat, UnpackTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPAQUE = {
    LayerFormat.OVERLAY_TRUSTED: "trusted.overlay.opaque",
    LayerFormat.OVERLAY_USER: "user.overlay.opaque",
}


class LayerWriter:
    """Fills an `UnpackTarget` as the engine's tar applier does: deletions and replacements in the target's format."""

    def __init__(self, target: UnpackTarget) -> None:
        self.target = target

    def path(self, name: str) -> str:
        return os.path.join(self.target.path, name)

    def folder(self, name: str, mode: int = 0o755) -> None:
        """A folder of this layer, its parents included."""
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            place = self.path("/".join(parts[:depth]))
            if not os.path.isdir(place):
                os.mkdir(place)
                os.chmod(place, mode)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """A file; whatever the layers below have there is replaced."""
        if "/" in name:
            self.folder(os.path.dirname(name))
        place = self.path(name)
        _clear(place)
        with open(place, "wb") as file:
            file.write(content)
        os.chmod(place, mode)

    def delete(self, name: str) -> None:
        """What the layers below have there is gone."""
        if "/" in name:
            self.folder(os.path.dirname(name))
        _clear(self.path(name))
        if self.target.format is LayerFormat.OVERLAY_FUSE:
            parent, _, base = name.rpartition("/")
            self.file(f"{parent}/.wh.{base}" if parent else f".wh.{base}", b"")
        elif self.target.format is not LayerFormat.PLAIN:
            os.mknod(self.path(name), stat.S_IFCHR, os.makedev(0, 0))

    def opaque(self, name: str) -> None:
        """A folder that hides all that the layers below have in it."""
        if self.target.format is LayerFormat.PLAIN:
            _clear(self.path(name))
        self.folder(name)
        if self.target.format is LayerFormat.OVERLAY_FUSE:
            self.file(f"{name}/.wh..wh..opq", b"")
        elif self.target.format in _OPAQUE:
            os.setxattr(self.path(name), _OPAQUE[self.target.format], b"y")


def _clear(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def seen(root: str) -> Mapping[str, bytes]:
    """All files that are seen below a folder, with their content."""
    found = {}
    for top, _, names in os.walk(root):
        for name in names:
            path = os.path.join(top, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = file.read()
    return found


def disk_use(path: str) -> int:
    """Bytes on disk of a folder's files, each inode once."""
    inodes = {}
    for top, dirs, names in os.walk(path):
        for name in (*dirs, *names):
            status = os.lstat(os.path.join(top, name))
            inodes[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(inodes.values())
