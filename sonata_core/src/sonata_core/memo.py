"""Small answers kept on disk so that a warm start need not work them out again.

A memo is a convenience: whatever is wrong with it (absent, another owner's, half written,
stale), it answers None and the caller does the work. Its folder is private (0700), since what
it says decides which code is imported.
"""

from __future__ import annotations

import os
import stat
from binascii import crc32

from sonata_core import json_text as json
from sonata_core.lite import Any
from sonata_core.sdk.folders import make_private

_PLACES = 32
"""Answers kept side by side for one key, by the paths that they depend on."""


def stamp_of(*paths: str) -> str:
    """A text that changes when any of the files does: identity, size and times, or absence."""
    parts = []
    for path in paths:
        try:
            seen = os.stat(path)
        except OSError:
            parts.append(f"{path}:-")
            continue
        parts.append(f"{path}:{seen.st_mtime_ns}:{seen.st_ctime_ns}:{seen.st_size}:{seen.st_ino}")
    return "\n".join(parts)


class Memo:
    """A private folder of answers, one JSON file each."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def get(self, key: str, stamp: str) -> Any | None:
        """The value kept under `key` if it was kept with this `stamp`, else None."""
        try:
            if not self._private():
                return None
            handle = os.open(self._path(key, stamp), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            seen = os.fstat(handle)
            if seen.st_uid != os.geteuid() or not stat.S_ISREG(seen.st_mode):
                return None
            kept = json.loads(_read(handle, seen.st_size))
        except (OSError, ValueError):
            return None
        finally:
            os.close(handle)
        if not isinstance(kept, dict) or kept.get("stamp") != stamp:
            return None
        return kept.get("value")

    def put(self, key: str, stamp: str, value: Any) -> None:
        """Keep a value that JSON can hold. Failure to keep it is no failure."""
        path = self._path(key, stamp)
        temporary = f"{path}.{os.getpid()}.tmp"
        try:
            make_private(self.folder)
            if not self._private():
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(temporary, flags, 0o600)
        except OSError:
            return
        try:
            os.write(handle, json.dumps({"stamp": stamp, "value": value}).encode())
            os.rename(temporary, path)
        except OSError:
            _forget(temporary)
        finally:
            os.close(handle)

    def _path(self, key: str, stamp: str) -> str:
        """Where an answer lies. Other files (another configuration, another installation) have another place."""
        paths = "\n".join(line.partition(":")[0] for line in stamp.splitlines())
        return f"{self.folder}/{key}-{crc32(paths.encode(errors='surrogateescape')) % _PLACES:02}.json"

    def _private(self) -> bool:
        seen = os.lstat(self.folder)
        return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid() and not seen.st_mode & 0o077


def _read(handle: int, size: int) -> bytes:
    content = bytearray()
    while piece := os.read(handle, size + 1):
        content += piece
    return bytes(content)


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
