"""Writing tar archives that are the same bytes for the same content: no times, no owners."""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import copy_verified, file_error, write_all

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata_core.models.image import Descriptor

_BLOCK = 512
_FILE, _SYMLINK, _FOLDER = b"0", b"2", b"5"


class TarWriter:
    """Appends entries to a seekable file; what does not verify is taken back."""

    def __init__(self, fd: int, mode: int = 0o444) -> None:
        self._fd = fd
        self._mode = mode
        self._at = 0

    def add_blob(self, name: str, blob: Descriptor, stream: BinaryIO) -> None:
        """Append a blob, verified on the way. Raises Damaged and leaves the archive as it was."""
        start = self._at
        os.lseek(self._fd, start + _BLOCK, os.SEEK_SET)
        try:
            size = copy_verified(stream, lambda chunk: write_all(self._fd, chunk), blob)
        except BaseException:
            os.ftruncate(self._fd, start)
            raise
        self._finish(start, _header(name, size, self._mode, _FILE), size)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Append a small file."""
        start = self._at
        os.lseek(self._fd, start + _BLOCK, os.SEEK_SET)
        write_all(self._fd, content)
        self._finish(start, _header(name, len(content), self._mode, _FILE), len(content))

    def add_link(self, name: str, target: str) -> None:
        """Append a symbolic link, of mode 0 as peers write it."""
        self._finish(self._at, _header(name, 0, 0, _SYMLINK, target), 0)

    def add_folder(self, name: str) -> None:
        """Append a folder; its name ends with a slash."""
        self._finish(self._at, _header(name, 0, 0o755, _FOLDER), 0)

    def end(self) -> None:
        """Append the end mark."""
        os.ftruncate(self._fd, self._at + 2 * _BLOCK)

    def _finish(self, start: int, header: bytes, size: int) -> None:
        """Write the header and round up: what `ftruncate` adds is zeros."""
        self._at = start + _BLOCK + -(-size // _BLOCK) * _BLOCK
        try:
            os.pwrite(self._fd, header, start)
            os.ftruncate(self._fd, self._at)
        except OSError as error:
            raise file_error("write", error) from error


def _header(name: str, size: int, mode: int, kind: bytes, target: str = "") -> bytes:
    """A ustar header, with GNU's form of numbers for sizes of 8 GiB and more. Names have at most 100 bytes."""
    encoded, link = name.encode(), target.encode()
    assert len(encoded) <= 100
    assert len(link) <= 100
    number = b"%011o\0" % size if size < 8 << 30 else (size | 1 << 95).to_bytes(12, "big")
    header = bytearray(_BLOCK)
    header[: len(encoded)] = encoded
    header[100:136] = b"%07o\0%07o\0%07o\0" % (mode, 0, 0) + number
    header[136:148] = b"%011o\0" % 0
    header[148:156] = b"        "
    header[156:157] = kind
    header[157 : 157 + len(link)] = link
    header[257:265] = b"ustar\x0000"
    header[329:345] = b"%07o\0%07o\0" % (0, 0)
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)
