"""An OCI layout's files, wherever they lie: in a folder or in an archive."""

from __future__ import annotations

import os

from sonata_core.lite import Protocol
from sonata_core.naming import digest_parts
from sonata_core.sdk.content import Section, open_regular, read_small


class Tree(Protocol):
    """What a reader needs: `TarIndex` is one as it is."""

    def read(self, name: str, limit: int) -> bytes:
        """A whole small file. Raises NotFound, Damaged."""

    def open(self, name: str, offset: int = 0) -> Section:
        """A stream of a file. Raises NotFound."""

    def close(self) -> None:
        """Be done."""


class FolderTree:
    """A layout in a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, name: str, limit: int) -> bytes:
        """A whole small file. Raises NotFound, Damaged."""
        return read_small(f"{self._folder}/{name}", limit)

    def open(self, name: str, offset: int = 0) -> Section:
        """A stream of a file. Raises NotFound."""
        fd, size = open_regular(f"{self._folder}/{name}")
        skipped = min(offset, size)
        return Section(fd, skipped, size - skipped, os.close)

    def close(self) -> None:
        """Nothing is held."""


def blob_path(digest: str) -> str:
    """The file of a blob, its digest checked. Raises Damaged."""
    algorithm, hexadecimal = digest_parts(digest)
    return f"blobs/{algorithm}/{hexadecimal}"
