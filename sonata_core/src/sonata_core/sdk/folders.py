"""Folders that nobody but their owner may enter."""

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
