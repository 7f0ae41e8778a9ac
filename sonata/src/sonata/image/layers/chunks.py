"""Reading zstd:chunked: a layer's exact tar, of files that are at hand and of parts of the blob (see `chunked.py`).

The table of contents and the tar-split data say how the tar goes together. Neither is trusted: whoever reads the tar
compares its digest with the image's config. What a blob may ask for is bounded.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO

from sonata.image.layers.compress import Decompressor, Pieces
from sonata.image.layers.tarsplit import parse_line
from sonata.image.layers.toc import TABLE_LIMIT, Content, Piece, unpack_table
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.record import Record

if TYPE_CHECKING:
    from typing import BinaryIO

PREFIX = "io.github.containers.zstd-chunked."
PACKED_LIMIT = 32 << 20
"""Bytes of the largest table, as it lies in the blob: it is held in memory."""
SPLIT_LIMIT = 256 << 20
_GAP = 64 << 10
"""Parts of the blob with fewer bytes between them are asked for as one: a request costs more than the bytes."""
_MAX_SPANS = 100
_MAX_EXTRA = 32
_PIECE = 1 << 18

Part = Callable[[int, int], "BinaryIO"]
"""The bytes of the blob from an offset on, so many."""


class Local(Protocol):
    """What is at hand."""

    def file(self, wanted: "Wanted") -> int | None:
        """A descriptor of a file with this size and CRC-64."""

    def piece(self, piece: Piece) -> bytes | None:
        """These very bytes: they have the digest."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


class Places(Record):
    """Where in a blob its tables are."""

    table: tuple[int, int, int]
    """Offset, bytes, bytes unpacked."""
    split: tuple[int, int, int]
    checksum: str


class Wanted(Record):
    """A file of the layer that is put together. Name, size and CRC-64 are those of its tar-split data."""

    name: bytes
    size: int
    crc: int
    content: Content


def places_of(annotations: Mapping[str, str], size: int) -> Places | None:
    """What the annotations of a layer's descriptor say; None for what is not zstd:chunked, or makes no sense."""
    table = _numbers(annotations.get(f"{PREFIX}manifest-position", ""), size)
    split = _numbers(annotations.get(f"{PREFIX}tarsplit-position", ""), size)
    checksum = annotations.get(f"{PREFIX}manifest-checksum", "")
    if table is None or split is None or not checksum.startswith("sha256:"):
        return None
    if max(table[1], split[1]) > PACKED_LIMIT or table[2] > TABLE_LIMIT or split[2] > SPLIT_LIMIT:
        return None
    return Places(table=table, split=split, checksum=checksum)


def _numbers(text: str, size: int) -> tuple[int, int, int] | None:
    parts = text.split(":")
    if len(parts) not in (3, 4) or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts):
        return None
    if len(parts) == 4 and parts[3] != "1":
        return None
    offset, packed, plain = (int(part) for part in parts[:3])
    return (offset, packed, plain) if packed and offset + packed <= size else None


class Chunks:
    """One blob's tables, read and checked. `lines` are the tar's parts: kind, name, size and payload of each."""

    def __init__(self, part: Part, places: Places) -> None:
        self._part = part
        self.table = _all(part, places.table)
        if f"sha256:{hashlib.sha256(self.table).hexdigest()}" != places.checksum:
            raise Damaged("the table of contents of a layer does not have the digest that its manifest says")
        table = unpack_table(self.table, places.table[2], places.table[0])
        split = _all(part, places.split)
        if table.tar_split != f"sha256:{hashlib.sha256(split).hexdigest()}":
            raise Damaged("the tar-split data of a layer do not have the digest that its table of contents says")
        self._split, self._split_size = split, places.split[2]
        self._contents = table.contents

    def lines(self) -> Iterator[tuple[int, bytes, int, bytes]]:
        """What the tar goes together of, in order. Raises Damaged."""
        plain = Decompressor(BytesIO(self._split), self._split_size)
        kept, position = b"", 0
        while part := plain.read(_PIECE):
            *whole, kept = (kept + part).split(b"\n")
            for line in whole:
                yield parse_line(line, position)
                position += 1
        if kept:
            raise Damaged("a layer's tar-split data is cut short")

    def files(self) -> Iterator[Wanted]:
        """Every file that is not empty, in the order of the tar. Raises Damaged."""
        for kind, name, size, payload in self.lines():
            if kind == 1 and size:
                yield self._wanted(name, size, payload)

    def _wanted(self, name: bytes, size: int, payload: bytes) -> Wanted:
        content = self._contents.get(name)
        if content is None or content.size != size:
            raise Damaged(f"the table of contents of a layer and its tar-split data disagree about {name!r}")
        return Wanted(name=name, size=size, crc=int.from_bytes(payload, "big"), content=content)

    def spans(self, local: Local) -> list[tuple[int, int]]:
        """The parts of the blob that are needed beside what `local` has. Raises Damaged."""
        found: list[tuple[int, int]] = []
        for wanted in self.files():
            fd = local.file(wanted)
            if fd is not None:
                os.close(fd)
                continue
            found += [
                (piece.begin, piece.end)
                for piece in wanted.content.pieces
                if not piece.zeros and local.piece(piece) is None
            ]
        return spans_of(found)

    def tar(self, local: Local, spans: list[tuple[int, int]]) -> Iterator[bytes]:
        """The tar, in pieces: from `local`, and from the blob what that does not have. Raises Damaged."""
        blob = _Spans(self._part, spans)
        for kind, name, size, payload in self.lines():
            if kind == 2:
                yield payload
            elif size:
                wanted = self._wanted(name, size, payload)
                found = local.file(wanted)
                if found is not None:
                    yield from _file(found, size)
                else:
                    yield from _content(wanted.content, local, blob)


def _content(content: Content, local: Local, blob: "_Spans") -> Iterator[bytes]:
    for piece in content.pieces:
        if piece.zeros:
            yield from _zeros(piece.size)
            continue
        found = local.piece(piece)
        if found is not None:
            yield found
        else:
            yield from _unpacked(piece, blob.read(piece.begin, piece.end))


def _zeros(size: int) -> Iterator[bytes]:
    nothing = bytes(min(size, _PIECE))
    while size:
        part = nothing[:size]
        size -= len(part)
        yield part


class _Spans:
    """Parts of a blob, asked for in as few requests as makes sense, and read from front to back."""

    def __init__(self, part: Part, spans: list[tuple[int, int]]) -> None:
        self._part = part
        self._spans = spans
        self._next = 0
        self._at = self._end = 0
        self._stream: BinaryIO | None = None
        self._extra = _MAX_EXTRA

    def read(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes from `begin` to `end`. Raises Damaged for what lies before the last that was read."""
        while begin >= self._end and self._next < len(self._spans) and self._spans[self._next][0] <= begin:
            self._open()
        if begin >= self._end:
            yield from self._one(begin, end)
            return
        if begin < self._at or end > self._end:
            raise Damaged("the files of a layer do not lie in its blob in the order of its tar")
        self._skip(begin - self._at)
        while self._at < end:
            yield self._take(end - self._at)

    def _one(self, begin: int, end: int) -> Iterator[bytes]:
        """What was to come from a file that is not what it was any more."""
        self._extra -= 1
        if self._extra < 0:
            raise Damaged("files of the store changed while they were read")
        stream = self._part(begin, end - begin)
        try:
            while begin < end and (part := stream.read(min(end - begin, _PIECE))):
                begin += len(part)
                yield part
        finally:
            stream.close()

    def _open(self) -> None:
        if self._stream is not None:
            self._skip(self._end - self._at)
            self._stream.close()
        self._at, self._end = self._spans[self._next]
        self._next += 1
        self._stream = self._part(self._at, self._end - self._at)

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._take(size))

    def _take(self, size: int) -> bytes:
        assert self._stream is not None
        part = self._stream.read(min(size, _PIECE))
        if not part:
            raise Damaged("a part of a blob came short")
        self._at += len(part)
        return part


def spans_of(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Parts of a blob as few requests ask for them: what lies between near ones comes too."""
    gap, parts = _GAP, sorted(parts)
    while len(found := _merged(parts, gap)) > _MAX_SPANS:
        gap *= 2
    return found


def _merged(parts: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for begin, end in parts:
        if spans and begin <= spans[-1][1] + gap:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    return spans


def _all(part: Part, place: tuple[int, int, int]) -> bytes:
    stream = part(place[0], place[1])
    try:
        found = bytearray()
        while len(found) < place[1] and (piece := stream.read(place[1] - len(found))):
            found += piece
    finally:
        stream.close()
    if len(found) != place[1]:
        raise Damaged("a table of a layer's blob came short")
    return bytes(found)


def _unpacked(piece: Piece, packed: Iterator[bytes]) -> Iterator[bytes]:
    """A piece's plain bytes. Raises Damaged for fewer, more, or others than the table says."""
    plain = Decompressor(Pieces(packed), piece.size)
    left, digest = piece.size, hashlib.sha256()
    while left and (part := plain.read(min(left, _PIECE))):
        left -= len(part)
        digest.update(part)
        yield part
    if left or plain.read(1) or digest.digest() != piece.digest:
        raise Damaged("a piece of a layer is not what its table of contents says")


def _file(fd: int, size: int) -> Iterator[bytes]:
    try:
        while size and (part := os.read(fd, min(size, _PIECE))):
            size -= len(part)
            yield part
    finally:
        os.close(fd)
    if size:
        raise Damaged("a file of the store was cut while it was read")
