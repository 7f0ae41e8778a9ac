"""What was read of the store's record files, for as long as those stay the same.

`inspect` of 500 containers asks 500 times for the same three files. Each is replaced whole by whoever
changes it, so identity, time and size tell whether it is still the one that was read.
"""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Recent:
    """Values by name, each with the state of the files that it was read from."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[tuple[int, ...], ...], Any]] = {}

    def get(self, name: str, paths: Iterable[str], read: Callable[[], Any]) -> Any:
        """The value of `read`, called again only if one of the files is not what it was. Not to be changed."""
        # Looked at before reading: what changes in between is read again the next time.
        state = tuple(_state(path) for path in paths)
        kept = self._kept.get(name)
        if kept is None or kept[0] != state:
            kept = self._kept[name] = (state, read())
        return kept[1]


def _state(path: str) -> tuple[int, ...]:
    try:
        seen = os.stat(path)
    except OSError:
        return ()
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size
