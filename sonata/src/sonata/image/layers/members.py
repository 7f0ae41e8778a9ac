"""The members of a layer that lies unpacked: its tar is made again from the folder and tar-split, once."""

from __future__ import annotations

import os

from fastcrc.crc64 import go_iso as crc64

from sonata.image.layers.feed import Window
from sonata.image.layers.tarread import Entry, TarReader, clean
from sonata.image.layers.tarsplit import InFolders, reassemble
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from queue import Queue

_AHEAD = 8
_GLOBAL = b"g"[0]


class Member:
    """A header, and the CRC of the content that the archive has for it."""

    __slots__ = ("crc", "entry", "path")

    def __init__(self, path: bytes, entry: Entry, crc: int) -> None:
        self.path = path
        self.entry = entry
        self.crc = crc


class Members:
    """What a layer's tar has: the root's own header has an empty path. `digest` and `size` are those of the tar."""

    def __init__(self, members: list[Member], digest: str, size: int) -> None:
        self.all = members
        self.digest = digest
        self.size = size


def read_members(tarsplit: str, folders: tuple[str, ...]) -> Members:
    """Read a whole layer. Raises Damaged where its tar cannot be made again, OSError."""
    opened: list[int] = []
    try:
        for folder in folders:
            opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        with open(tarsplit, "rb") as record, InFolders(tuple(opened)) as find:
            stream = _Stream(reassemble(record, find))
            try:
                members = list(_taken(stream))
            finally:
                stream.close()
    finally:
        for fd in opened:
            os.close(fd)
    return Members(members, stream.digest(), stream.size)


def _taken(stream: _Stream) -> Iterator[Member]:
    for entry in TarReader(stream):
        entry.raw = b""
        crc = 0
        for piece in stream.pieces(entry.size):
            crc = crc64(piece, crc)
        if entry.kind != _GLOBAL:
            yield Member(clean(entry.name), entry, crc)
    stream.finish()


class _Stream(Window):
    """Pieces of a tar. They are hashed in a thread, which needs no interpreter for it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        import hashlib
        from queue import Queue
        from threading import Thread

        super().__init__()
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self._waiting: Queue[bytes | None] = Queue(_AHEAD)
        self.size = 0
        self._thread = Thread(target=self._digest, name="sonata-hash", daemon=True)
        self._thread.start()

    def _digest(self) -> None:
        while (piece := self._waiting.get()) is not None:
            self._hash.update(piece)

    def _next(self) -> bytes | None:
        piece = next(self._pieces, None)
        if piece is not None:
            self.size += len(piece)
            self._waiting.put(piece)
        return piece

    def finish(self) -> None:
        """Read what follows the archive's end."""
        for _ in self.rest():
            pass

    def close(self) -> None:
        """Wait until all is hashed."""
        self._waiting.put(None)
        self._thread.join()

    def digest(self) -> str:
        """The digest of all bytes, once closed."""
        return f"sha256:{self._hash.hexdigest()}"
