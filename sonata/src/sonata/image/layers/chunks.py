"""Reading zstd:chunked: a layer's exact tar, of files that are at hand and of parts of the blob (see `chunked.py`).

The table of contents and the tar-split data say how the tar goes together. Neither is trusted: whoever reads the tar
compares its digest with the image's config. What a blob may ask for is bounded.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO

from sonata.image.layers.compress import Decompressor
from sonata.image.layers.tarsplit import parse_line
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from typing import BinaryIO

PREFIX = "io.github.containers.zstd-chunked."
TABLE_LIMIT = 32 << 20
"""Bytes of the largest table of contents, unpacked, that is read."""
SPLIT_LIMIT = 256 << 20
_GAP = 64 << 10
"""Parts of the blob with fewer bytes between them are asked for as one: a request costs more than the bytes."""
_MAX_SPANS = 256
_PIECE = 1 << 18

Local = Callable[[int, int], int | None]
"""A descriptor of a file with this size and CRC-64, or None."""
Part = Callable[[int, int], "BinaryIO"]
"""The bytes of the blob from an offset on, so many."""


class Places(Record):
    """Where in a blob its tables are."""

    table: tuple[int, int, int]
    """Offset, bytes, bytes unpacked."""
    split: tuple[int, int, int]
    checksum: str


class Content(Record):
    """Where in the blob a file's content is, as frames of its own."""

    size: int
    begin: int
    end: int


def places_of(annotations: Mapping[str, str], size: int) -> Places | None:
    """What the annotations of a layer's descriptor say; None for what is not zstd:chunked, or makes no sense."""
    table = _numbers(annotations.get(f"{PREFIX}manifest-position", ""), size)
    split = _numbers(annotations.get(f"{PREFIX}tarsplit-position", ""), size)
    checksum = annotations.get(f"{PREFIX}manifest-checksum", "")
    if table is None or split is None or not checksum.startswith("sha256:"):
        return None
    if max(table[1], table[2]) > TABLE_LIMIT or max(split[1], split[2]) > SPLIT_LIMIT:
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
        table = _all(part, places.table)
        if f"sha256:{hashlib.sha256(table).hexdigest()}" != places.checksum:
            raise Damaged("the table of contents of a layer does not have the digest that its manifest says")
        document = _document(_unpacked(table, places.table[2]))
        split = _all(part, places.split)
        if document.get("tarSplitDigest") != f"sha256:{hashlib.sha256(split).hexdigest()}":
            raise Damaged("the tar-split data of a layer do not have the digest that its table of contents says")
        self._split, self._split_size = split, places.split[2]
        self._contents = dict(_contents(document.get("entries"), places.table[0]))

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

    def files(self) -> Iterator[tuple[int, int]]:
        """Size and CRC-64 of every file's content, as `Local` takes them."""
        for kind, _, size, payload in self.lines():
            if kind == 1 and size:
                yield size, int.from_bytes(payload, "big")

    def tar(self, local: Local) -> Iterator[bytes]:
        """The tar, in pieces: contents come from `local`, and from the blob where that has none. Raises Damaged."""
        spans = _Spans(self._part, self._missing(local))
        for kind, name, size, payload in self.lines():
            if kind == 2:
                yield payload
                continue
            if not size:
                continue
            found = local(size, int.from_bytes(payload, "big"))
            if found is not None:
                yield from _file(found, size)
                continue
            content = self._content(name, size)
            yield from _unpacked_file(content, spans.read(content.begin, content.end))

    def missing(self, local: Local) -> int:
        """Bytes of the blob that are needed beside what `local` has."""
        return sum(content.end - content.begin for content in self._missing(local))

    def _missing(self, local: Local) -> list[Content]:
        found = []
        for kind, name, size, payload in self.lines():
            if kind == 1 and size:
                fd = local(size, int.from_bytes(payload, "big"))
                if fd is None:
                    found.append(self._content(name, size))
                else:
                    os.close(fd)
        return found

    def _content(self, name: bytes, size: int) -> Content:
        content = self._contents.get(name)
        if content is None or content.size != size:
            raise Damaged(f"the table of contents of a layer and its tar-split data disagree about {name!r}")
        return content


class _Spans:
    """Parts of a blob, asked for in as few requests as makes sense, and read from front to back."""

    def __init__(self, part: Part, contents: list[Content]) -> None:
        self._part = part
        gap = _GAP
        self._spans = _merged(contents, gap)
        while len(self._spans) > _MAX_SPANS:
            gap *= 4
            self._spans = _merged(contents, gap)
        self._next = 0
        self._at = self._end = 0
        self._stream: BinaryIO | None = None

    def read(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes from `begin` to `end`. Raises Damaged for what lies before the last that was read."""
        if self._stream is None or begin >= self._end:
            self._open(begin)
        if begin < self._at or end > self._end:
            raise Damaged("the files of a layer do not lie in its blob in the order of its tar")
        self._skip(begin - self._at)
        while self._at < end:
            yield self._take(end - self._at)

    def _open(self, begin: int) -> None:
        if self._stream is not None:
            self._skip(self._end - self._at)
            self._stream.close()
        while self._next < len(self._spans) and self._spans[self._next][1] <= begin:
            self._next += 1
        if self._next == len(self._spans):
            raise Damaged("the files of a layer do not lie in its blob in the order of its tar")
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


def _merged(contents: list[Content], gap: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for begin, end in sorted((one.begin, one.end) for one in contents):
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


def _unpacked(packed: bytes, size: int) -> bytes:
    plain = Decompressor(BytesIO(packed), size)
    found = bytearray()
    while part := plain.read(_PIECE):
        found += part
    return bytes(found)


def _document(text: bytes) -> dict[str, Any]:
    from json import loads

    try:
        found = loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged("the table of contents of a layer is malformed") from error
    if not isinstance(found, dict) or found.get("version") != 1 or not isinstance(found.get("entries"), list):
        raise Damaged("the table of contents of a layer is malformed")
    return found


def _contents(entries: Any, limit: int) -> Iterator[tuple[bytes, Content]]:
    """Every file with content, by its name in the tar. Raises Damaged for places outside the data.

    Entries of the type `chunk` divide a file into pieces: they are not needed where it is read whole.
    """
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name", ""), str):
            raise Damaged("the table of contents of a layer is malformed")
        if entry.get("type") != "reg" or not entry.get("size"):
            continue
        begin, end, size = (_number(entry, key) for key in ("offset", "endOffset", "size"))
        if not begin < end <= limit:
            raise Damaged("the table of contents of a layer places a file outside the blob")
        try:
            yield entry.get("name", "").encode(), Content(size=size, begin=begin, end=end)
        except UnicodeEncodeError as error:
            raise Damaged("the table of contents of a layer is malformed") from error


def _number(entry: dict[str, Any], key: str) -> int:
    found = entry.get(key, 0)
    if type(found) is not int or not 0 <= found < 1 << 60:
        raise Damaged(f"the table of contents of a layer has the {key} {found!r}")
    return found


def _unpacked_file(content: Content, packed: Iterator[bytes]) -> Iterator[bytes]:
    """A file's content. Raises Damaged for fewer or more bytes."""
    from sonata.image.layers.compress import Pieces

    plain = Decompressor(Pieces(packed), content.size)  # type: ignore[arg-type]
    left = content.size
    while left and (part := plain.read(min(left, _PIECE))):
        left -= len(part)
        yield part
    if left or plain.read(1):
        raise Damaged("a file of a layer has another size than its table of contents says")


def _file(fd: int, size: int) -> Iterator[bytes]:
    try:
        while size and (part := os.read(fd, min(size, _PIECE))):
            size -= len(part)
            yield part
    finally:
        os.close(fd)
    if size:
        raise Damaged("a file of the store was cut while it was read")
