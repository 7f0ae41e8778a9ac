"""tar-split: what a layer's tar has besides its files' content, so that the exact tar can be put together again.

A gzip stream of JSON lines, the format of vbatts/tar-split that containers/storage keeps beside a
layer: segments (type 2) carry raw bytes, files (type 1) a name, a size and a CRC-64/ISO of content
that lies in the layer's folder.
"""

from __future__ import annotations

import os
import stat
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from fastcrc.crc64 import go_iso as crc64
from isal import isal_zlib

from sonata.image.layers.tarread import clean
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.safepath import open_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from re import Match
    from typing import BinaryIO, Self

SEGMENT_LIMIT = 1 << 20
_LINE_LIMIT = 64 << 20
_BATCH = 1 << 16
_PIECE = 1 << 20
_GZIP_WINDOW = 31
_SMALL = 1 << 16
_GATHERED = 1 << 19
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Writer:
    """Writes the lines. Names must be cleaned by the caller and unique: peers refuse duplicates.

    `packer` compresses in another way than with gzip: an object with `compress` and `flush`.
    """

    def __init__(self, out: BinaryIO, packer: Any = None) -> None:
        self._out = out
        self._zip = packer or isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP_WINDOW)
        self._lines: list[bytes] = []
        self._waiting = 0
        self._position = 0
        self._seen: set[int] = set()

    def claim(self, clean: bytes) -> None:
        """Note a member's cleaned name. Raises Damaged if there was one of that name."""
        # hashes, not names: a layer may have millions
        mark = hash(clean)
        if mark in self._seen:
            raise Damaged(f"duplicates of file paths not supported: {os.fsdecode(clean)!r} is twice in the layer")
        self._seen.add(mark)

    def segment(self, raw: bytes) -> None:
        """Bytes that are no file's content."""
        if raw:
            payload = b2a_base64(raw, newline=False)
            self._put(b'{"type":2,"payload":"%s","position":%d}\n' % (payload, self._position))

    def file(self, name: bytes, size: int, crc: int) -> None:
        """A member; one with a size above 0 stands for that many bytes of content."""
        if size:
            payload = b'"%s"' % b2a_base64(crc.to_bytes(8, "big"), newline=False)
            text = b'{"type":1,%s"size":%d,"payload":%s,"position":%d}\n'
            self._put(text % (_name_field(name), size, payload, self._position))
        else:
            self._put(b'{"type":1,%s"payload":null,"position":%d}\n' % (_name_field(name), self._position))

    def _put(self, line: bytes) -> None:
        self._position += 1
        self._lines.append(line)
        self._waiting += len(line)
        if self._waiting >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._out.write(self._zip.compress(b"".join(self._lines)))
        self._lines.clear()
        self._waiting = 0

    def close(self) -> None:
        """End the gzip stream; the file stays open."""
        self._flush()
        self._out.write(self._zip.flush())


def _name_field(name: bytes) -> bytes:
    if not name:
        return b""
    if name.isascii() and name.isalnum():
        return b'"name":"%s",' % name
    try:
        from json import dumps

        return b'"name":%s,' % dumps(name.decode()).encode()
    except UnicodeDecodeError:
        return b'"name_raw":"%s",' % b2a_base64(name, newline=False)


def reassemble(tarsplit: BinaryIO, open_file: Callable[[bytes], int]) -> Iterator[bytes]:
    """The exact tar again, in pieces of about half a mebibyte.

    `open_file` opens a file of the layer by its name in the tar and returns a descriptor, which is
    closed here; `InFolders` makes them. Raises Damaged where a file differs from what was unpacked.
    """
    waiting: list[bytes] = []
    size_waiting = 0
    for kind, name, size, payload in entries(tarsplit):
        if kind == 2:
            waiting.append(payload)
            size_waiting += len(payload)
        elif size > _SMALL:
            yield b"".join(waiting)
            waiting, size_waiting = [], 0
            yield from _content(open_file(name), name, size, payload)
        elif size:
            waiting.append(_small_content(open_file(name), name, size, payload))
            size_waiting += size
        if size_waiting >= _GATHERED:
            yield b"".join(waiting)
            waiting, size_waiting = [], 0
    if waiting:
        yield b"".join(waiting)


def entries(tarsplit: BinaryIO, *, files_only: bool = False) -> Iterator[tuple[int, bytes, int, bytes]]:
    """Kind, name, size and decoded payload of every line. Raises Damaged."""
    usual = _usual_lines()
    for position, line in enumerate(_lines(tarsplit)):
        if files_only and line.startswith(b'{"type":2'):
            continue
        found = usual(line)
        if found is None:
            yield parse_line(line, position)
            continue
        raw, name, size, crc, at = found.groups()
        if int(at) != position:
            raise _malformed(position)
        try:
            yield (
                (2, b"", 0, a2b_base64(raw, strict_mode=True))
                if name is None
                else (1, name, int(size), a2b_base64(crc))
            )
        except Base64Error as error:
            raise _malformed(position) from error


def _usual_lines() -> Callable[[bytes], Match[bytes] | None]:
    """What takes the lines apart that nearly all are, several times as fast as reading them as JSON."""
    import re

    segment = rb'"type":2,"payload":"([A-Za-z0-9+/=]*)"'
    file = rb'"type":1,"name":"([ !#-\[\]-~]+)","size":([1-9][0-9]{0,17}),"payload":"([A-Za-z0-9+/]{11}=)"'
    return re.compile(rb'\{(?:%s|%s),"position":([0-9]{1,18})\}' % (segment, file)).fullmatch


def _malformed(position: int) -> Damaged:
    return Damaged(f"line {position} of a layer's tar-split data is malformed")


def parse_line(line: bytes, position: int) -> tuple[int, bytes, int, bytes]:
    """Kind, name, size and decoded payload of a line. Raises Damaged."""
    from json import loads

    try:
        entry = loads(line)
        kind = entry["type"]
        raw = entry.get("name_raw")
        name = a2b_base64(raw, strict_mode=True) if raw else entry.get("name", "").encode()
        payload = a2b_base64(entry.get("payload") or "", strict_mode=True)
        size = entry.get("size", 0)
        sane = kind in (1, 2) and isinstance(size, int) and size >= 0 and entry["position"] == position
    except (ValueError, KeyError, TypeError, AttributeError, Base64Error):
        sane = False
    if not sane:
        raise _malformed(position)
    return kind, name, size, payload


def _small_content(fd: int, name: bytes, size: int, payload: bytes) -> bytes:
    """A file's content in one piece; the descriptor is closed."""
    try:
        content = os.read(fd, size + 1)
        while 0 < len(content) < size and (more := os.read(fd, size + 1 - len(content))):
            content += more
    finally:
        os.close(fd)
    if len(content) != size or crc64(content).to_bytes(8, "big") != payload:
        raise _changed(name)
    return content


def _content(fd: int, name: bytes, size: int, payload: bytes) -> Iterator[bytes]:
    left, crc = size, 0
    try:
        while left and (piece := os.read(fd, min(left, _PIECE))):
            crc = crc64(piece, crc)
            left -= len(piece)
            yield piece
        if left or crc.to_bytes(8, "big") != payload or os.read(fd, 1):
            raise _changed(name)
    finally:
        os.close(fd)


def _changed(name: bytes) -> Damaged:
    return Damaged(f"{os.fsdecode(name)!r} was changed since its layer was unpacked", hint="pull the image again")


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Decompressed lines, each of bounded length. Raises Damaged."""
    unzip = isal_zlib.decompressobj(_GZIP_WINDOW)
    kept = b""
    try:
        while part := stream.read(_BATCH):
            text = unzip.decompress(part, _LINE_LIMIT)
            while text:
                *lines, kept = (kept + text).split(b"\n")
                yield from lines
                if len(kept) > _LINE_LIMIT:
                    raise Damaged("a line of a layer's tar-split data is too long")
                text = unzip.decompress(unzip.unconsumed_tail, _LINE_LIMIT) if unzip.unconsumed_tail else b""
    except isal_zlib.IsalError as error:  # type: ignore[misc]
        raise Damaged(f"a layer's tar-split data is damaged: {error}") from error
    if not unzip.eof or kept:
        raise Damaged("a layer's tar-split data is cut short")


class InFolders:
    """Opens a file in the first of some folders (descriptors) that has it: a layer's `diff`, `diff1` and so on.

    Every folder is a root of its own: no link leads out of it. The folder of the last file stays open until the end of
    the `with` block, since the next file mostly lies there too. Raises Damaged where none has the file.
    """

    def __init__(self, folders: tuple[int, ...]) -> None:
        self._folders = folders
        self._above = b""
        self._parents: tuple[int, ...] = ()

    def __call__(self, name: bytes) -> int:
        above, _, last = clean(name).rpartition(b"/")
        if above != self._above or not self._parents:
            self._enter(above)
        for parent in self._parents:
            try:
                # no waiting for a fifo that took the file's place
                fd = os.open(last or b".", _READ, dir_fd=parent)
            except OSError:
                continue
            if stat.S_ISREG(os.fstat(fd).st_mode):
                return fd
            os.close(fd)
        raise Damaged(f"{os.fsdecode(name)!r} is missing from its layer", hint="pull the image again")

    def _enter(self, above: bytes) -> None:
        self._leave()
        found = []
        for folder in self._folders:
            try:
                found.append(open_in_root(folder, above, os.O_PATH | os.O_DIRECTORY))
            except OSError:
                continue
        self._above, self._parents = above, tuple(found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        parents, self._parents = self._parents, ()
        for parent in parents:
            os.close(parent)
