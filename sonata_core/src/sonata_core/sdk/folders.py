"""Folders that nobody but their owner may enter, and files that are whole."""

from __future__ import annotations

import os


def make_private(path: str) -> None:
    """Make a folder and those above it that are absent, each of mode 0700. Existing is fine. Raises OSError.

    `os.makedirs` gives its mode to the last one only. A store must be closed at its top: what containers write, files
    with set-id bits among them, lies in it with the owner's own user id.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = os.path.dirname(path.rstrip("/"))
        if not above:
            raise
        make_private(above)  # somebody else may have made it by now, and the one below it too
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return


def write_whole(handle: int, data: bytes, path: str = "") -> None:
    """Write every byte: the last room on a disk takes a part of them, and says no only to the rest.

    Raises OSError, which names `path`.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(handle, rest) :]
        except OSError as error:
            error.filename = error.filename or path or None
            raise
