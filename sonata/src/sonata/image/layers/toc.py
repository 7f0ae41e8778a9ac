"""The table of contents of a zstd:chunked layer: which pieces its files are of, and where they lie in the blob.

It is read value by value, so that a table of many megabytes takes no more memory than what is kept of it.
"""

import codecs
from io import BytesIO

from sonata.image.layers.compress import Decompressor
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata_core.models.streams import Readable

TABLE_LIMIT = 50 << 20
"""Bytes of the largest table, unpacked, that is read: as in containers/storage."""
_VALUE_LIMIT = 1 << 20
"""Characters of the longest entry."""
_PIECES_LIMIT = 250_000
"""Pieces that are kept: of files of 64 KiB, 16 GB."""
_READ = 1 << 18
_SPACE = " \t\r\n"


class Piece(Record):
    """A part of a file. In the blob it is a frame of its own, from `begin` to `end`."""

    at: int
    """Where in the file."""
    size: int
    begin: int
    end: int
    digest: bytes
    """The SHA-256 of the plain bytes."""
    zeros: bool = False
    """There is nothing but zeros in it: nobody needs to fetch them."""


class Content(Record):
    """A file's content, as pieces that follow each other."""

    size: int
    digest: bytes
    pieces: tuple[Piece, ...]


class Table:
    """What a table says. Raises Damaged for what is none, and for what contradicts itself.

    `limit` is where the blob's data end, which no file may go beyond.
    """

    def __init__(self, text: "Readable", limit: int) -> None:
        self.contents: dict[bytes, Content] = {}
        """By the name in the tar; only files that are not empty."""
        self.tar_split = ""
        """The digest of the tar-split data."""
        self._limit = limit
        self._open: tuple[bytes, dict[str, Any], list[dict[str, Any]]] | None = None
        self._left = _PIECES_LIMIT
        said: dict[str, Any] = {}
        for key, value in _members(_Text(text)):
            if key == "":
                self._entry(value)
            else:
                said[key] = value
        self._end_file()
        if said.get("version") != 1 or not isinstance(said.get("tarSplitDigest", ""), str):
            raise _malformed()
        self.tar_split = said.get("tarSplitDigest", "")

    def _entry(self, entry: Any) -> None:
        if not isinstance(entry, dict) or not isinstance(entry.get("name", ""), str):
            raise _malformed()
        kind = entry.get("type")
        if kind == "chunk":
            if self._open is None or entry.get("name", "") != self._open[1].get("name", ""):
                raise Damaged("the table of contents of a layer has a piece of no file")
            self._count()
            self._open[2].append(entry)
            return
        self._end_file()
        if kind == "reg" and entry.get("size"):
            self._count()
            try:
                self._open = entry.get("name", "").encode(), entry, [entry]
            except UnicodeEncodeError as error:
                raise _malformed() from error

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Damaged(f"the table of contents of a layer has more than {_PIECES_LIMIT} pieces")

    def _end_file(self) -> None:
        if self._open is None:
            return
        (name, entry, rows), self._open = self._open, None
        if name in self.contents:
            raise Damaged(f"the table of contents of a layer has {name!r} twice")
        size, end = _number(entry, "size"), _number(entry, "endOffset")
        pieces = tuple(_pieces(rows, size, end))
        if end > self._limit or not pieces or pieces[-1].at + pieces[-1].size != size:
            raise Damaged(f"the table of contents of a layer places {name!r} where it cannot be")
        self.contents[name] = Content(size=size, digest=_digest(entry, "digest"), pieces=pieces)


def unpack_table(packed: bytes, size: int, limit: int) -> Table:
    """A table as it lies in a blob, or as a peer keeps it, unpacked; it has at most `size` bytes. Raises Damaged."""
    return Table(Decompressor(BytesIO(packed), size), limit)


def _pieces(rows: "list[dict[str, Any]]", size: int, end: int) -> "Iterator[Piece]":
    """Checked to follow each other in the file and in the blob."""
    whole, at = len(rows) == 1, 0
    begins = [_number(row, "offset") for row in rows]
    for row, begin, stop in zip(rows, begins, [*begins[1:], end], strict=True):
        long = _number(row, "chunkSize") or (size if whole else 0)
        digest = _digest(row, "digest" if whole and not row.get("chunkDigest") else "chunkDigest")
        if not long or at + long > size or _number(row, "chunkOffset") != at or begin >= stop:
            raise Damaged("the table of contents of a layer has a file of pieces that do not fit together")
        yield Piece(at=at, size=long, begin=begin, end=stop, digest=digest, zeros=row.get("chunkType") == "zeros")
        at += long


def _number(entry: "dict[str, Any]", key: str) -> int:
    found = entry.get(key, 0)
    if type(found) is not int or not 0 <= found < 1 << 60:
        raise Damaged(f"the table of contents of a layer has the {key} {found!r:.80}")
    return found


def _digest(entry: "dict[str, Any]", key: str) -> bytes:
    found = entry.get(key)
    if isinstance(found, str) and found.startswith("sha256:") and len(found) == 71 and found.isascii():
        try:
            return bytes.fromhex(found[7:])
        except ValueError:
            pass
    raise Damaged(f"the table of contents of a layer has the {key} {found!r:.80}")


def _malformed() -> Damaged:
    return Damaged("the table of contents of a layer is malformed")


def _members(text: "_Text") -> "Iterator[tuple[str, Any]]":
    """Names and values of an object; of its list `entries` one by one, without a name."""
    seen: set[str] = set()
    text.take("{")
    while text.peek() != "}":
        key = text.value()
        if not isinstance(key, str) or key in seen:
            raise _malformed()
        seen.add(key)
        text.take(":")
        if key == "entries":
            yield from (("", entry) for entry in _items(text))
        else:
            yield key, text.value()
        if text.peek() != "}":
            text.take(",")
    if "entries" not in seen:
        raise _malformed()


def _items(text: "_Text") -> "Iterator[Any]":
    text.take("[")
    while text.peek() != "]":
        yield text.value()
        if text.peek() != "]":
            text.take(",")
    text.take("]")


class _Text:
    """JSON, value by value."""

    def __init__(self, stream: "Readable") -> None:
        from json import JSONDecoder

        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._scan = JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False

    def peek(self) -> str:
        """The next character that is no space. Raises Damaged at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if self._ended:
                raise _malformed()
            self._more()

    def take(self, sign: str) -> None:
        """Pass over that character. Raises Damaged where there is another."""
        if self.peek() != sign:
            raise _malformed()
        self._at += 1

    def value(self) -> Any:
        """The next value. Raises Damaged, also for one that is too long."""
        self.peek()
        while True:
            try:
                found, end = self._scan(self._text, self._at)
                # of a number that reaches the end of what was read more may come
                if end < len(self._text) or self._ended:
                    self._at = end
                    return found
            except RecursionError as error:
                raise _malformed() from error
            except ValueError as error:
                if self._ended:
                    raise _malformed() from error
            if self._ended or len(self._text) - self._at > _VALUE_LIMIT:
                raise _malformed()
            self._more()

    def _more(self) -> None:
        part = self._stream.read(_READ)
        try:
            more = self._decode(part, not part)
        except ValueError as error:
            raise _malformed() from error
        self._text, self._at = self._text[self._at :] + more, 0
        self._ended = not part
