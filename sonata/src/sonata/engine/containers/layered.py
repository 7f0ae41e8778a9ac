"""A root filesystem seen through its layers without mounting it: for commands that make nothing.

Names are looked up as overlayfs does: the topmost layer that has one answers, a whiteout or an opaque folder hides
what lies below. Every step is taken from an open folder to one of its own entries and never through a link, so that
whatever an image holds, nothing outside its layers is seen.
"""

from __future__ import annotations

import os
import stat

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque")
_LINKS = 40
"""As many symbolic links on one way as the kernel follows."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Place = list[int]
"""A folder as open folders of those layers in which it shows, topmost first."""


class LayeredRoot:
    """`with LayeredRoot(folders) as root`: the layers' folders, topmost first."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._folders = folders
        self._opened: Place = []

    def __enter__(self) -> LayeredRoot:
        self._top = [self._keep(os.open(folder, _FOLDER)) for folder in self._folders]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._opened:
            os.close(self._opened.pop())

    def read(self, path: str, limit: int = 8 << 20) -> bytes:
        """A regular file's content; empty where there is none, or none that may be read."""
        place, name = self._find(path)
        for folder in place:
            try:
                handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            except OSError:
                continue
            try:
                seen = os.fstat(handle)
                return os.pread(handle, limit, 0) if stat.S_ISREG(seen.st_mode) else b""
            finally:
                os.close(handle)
        return b""

    def kind(self, path: str) -> int:
        """The file type (`S_IFDIR`, …) at a path; 0 where there is nothing."""
        place, name = self._find(path)
        if not name:
            return stat.S_IFDIR if place else 0
        found = _entry(place, name)
        return 0 if found is None else stat.S_IFMT(found.st_mode)

    def _find(self, path: str) -> tuple[Place, str]:
        """The folder that has the path's last name once links are followed, and that name; empty for a folder."""
        above: list[Place] = []
        place, links = self._top, 0
        left = [part for part in path.split("/") if part not in ("", ".")][::-1]
        while left:
            part = left.pop()
            if part == "..":
                place = above.pop() if above else self._top
                continue
            found = _entry(place, part)
            if found is None:
                return [], part
            if stat.S_ISLNK(found.st_mode):
                links += 1
                target = _link(place, part)
                if links > _LINKS or not target:
                    return [], part
                if target.startswith("/"):
                    place, above = self._top, []
                left += [word for word in target.split("/") if word not in ("", ".")][::-1]
            elif stat.S_ISDIR(found.st_mode):
                above.append(place)
                place = self._enter(place, part)
            else:
                return (place, part) if not left else ([], part)
        return place, ""

    def _enter(self, place: Place, name: str) -> Place:
        inner: Place = []
        for folder in place:
            seen = _stat(folder, name)
            if seen is None:
                continue
            if not stat.S_ISDIR(seen.st_mode):
                break
            handle = self._keep(os.open(name, _FOLDER, dir_fd=folder))
            inner.append(handle)
            if _opaque(handle):
                break
        return inner

    def _keep(self, handle: int) -> int:
        self._opened.append(handle)
        return handle


def _entry(place: Place, name: str) -> os.stat_result | None:
    for folder in place:
        seen = _stat(folder, name)
        if seen is not None:
            return None if stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0 else seen
        if _stat(folder, f".wh.{name}") is not None:  # as fuse-overlayfs deletes
            return None
    return None


def _stat(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None


def _link(place: Place, name: str) -> str:
    for folder in place:
        try:
            return os.readlink(name, dir_fd=folder)
        except OSError:
            continue
    return ""


def _opaque(folder: int) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(folder, name) == b"y":
                return True
        except OSError:
            continue
    return _stat(folder, ".wh..wh..opq") is not None
