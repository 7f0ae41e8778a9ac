"""What a server answers (RFC 9112): a head of bounded size, and a body that ends where the head says."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata_transport_registry.patience import Limit

_LONGEST_LINE = 1 << 16
_MOST_LINES = 100
_LONGEST_HEAD = 1 << 18
_MOST_INTERIM = 8
_CHUNK_DIGITS = 15
_NAMES = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


class Broken(OSError):
    """The connection ended too early, or what came is no HTTP."""


class Refused(OSError):
    """A proxy does not connect. Its text says so."""


class Headers:
    """Headers by their names, whatever the case."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def get(self, name: str, default: str = "") -> str:
        """The value; several are one, with commas between."""
        found = self.getlist(name)
        return ", ".join(found) if found else default

    def getlist(self, name: str) -> list[str]:
        """The values in their order."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key == wanted]


class Head(Record):
    """The first line and the headers of an answer."""

    status: int
    headers: Headers
    old: bool = False
    """Whether the server speaks HTTP/1.0, which ends every body with its connection."""


def read_head(stream: BinaryIO) -> Head:
    """The next answer's head; those before the last one (1xx) are passed over. Raises Broken, OSError."""
    for _ in range(_MOST_INTERIM):
        head = _one_head(stream)
        if head.status >= 200:
            return head
    raise Broken("interim answers without end")


def _one_head(stream: BinaryIO) -> Head:
    first = _line(stream)
    version, _, rest = first.partition(b" ")
    code = rest[:3]
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not code.isdigit() or len(code) < 3 or rest[3:4] not in (b"", b" "):
        raise Broken("the answer is no HTTP/1.1")
    return Head(status=int(code), headers=_headers(stream), old=version == b"HTTP/1.0")


def _headers(stream: BinaryIO) -> Headers:
    pairs: list[tuple[str, str]] = []
    size = 0
    while line := _line(stream):
        size += len(line)
        name, colon, value = line.partition(b":")
        name = name.lower()
        # A line that begins with a space goes on with the one before: nobody has written such a thing for decades.
        if not colon or not name or not _NAMES.issuperset(name):
            raise Broken("a header that is none")
        if len(pairs) >= _MOST_LINES or size > _LONGEST_HEAD:
            raise Broken("too many headers")
        pairs.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
    return Headers(pairs)


def _line(stream: BinaryIO) -> bytes:
    """A line without its end. Raises Broken for one that is too long, or lacks its end."""
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise Broken("the connection ended in a line" if len(line) < _LONGEST_LINE else "a line is too long")
    line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
    if b"\r" in line or b"\0" in line:
        raise Broken("a line with a character that no line has")
    return line


class Answer:
    """An answer whose body may be read once. `limit` gives a block of it its time; `done` takes the connection back."""

    def __init__(
        self, method: str, head: Head, stream: BinaryIO, limit: Callable[[str], Limit], done: Callable[[bool], None]
    ) -> None:
        self.status = head.status
        self.headers = head.headers
        self.limit = limit
        self._stream = stream
        self._done: Callable[[bool], None] | None = done
        self._chunked = False
        self._left = self._length(method, head)
        """Bytes of the body, or of its chunk, that are still to come; below 0 where only the connection's end tells."""
        closes = "close" in head.headers.get("Connection").lower()
        self._lasting = not (head.old or closes or self._left < 0) and not (
            self._chunked and head.headers.getlist("Content-Length")
        )
        self._ended = False
        if self._left == 0 and not self._chunked:
            self._finish()

    def _length(self, method: str, head: Head) -> int:
        coding, lengths = head.headers.get("Transfer-Encoding"), set(head.headers.getlist("Content-Length"))
        if method == "HEAD" or head.status in (204, 304):
            return 0
        if coding:
            if coding.strip().lower() != "chunked" or head.old:
                raise Broken("a body in a coding that is not known")
            self._chunked = True
            return 0
        if not lengths:
            return -1
        length = lengths.pop()
        if lengths or not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise Broken("a length that is none")
        return int(length)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end. Raises Broken where the body lacks its end, OSError."""
        if self._ended or not size:
            return b""
        if self._chunked and not self._left and not self._next_chunk():
            return b""
        data = self._stream.read(size if self._left < 0 else min(size, self._left))
        if self._left < 0:
            if not data:
                self._finish()
            return data
        if not data:
            raise Broken("the connection ended in a body")
        self._left -= len(data)
        if not self._left:
            if self._chunked:
                self._require_line_end()
            else:
                self._finish()
        return data

    def _next_chunk(self) -> bool:
        """Begin a chunk; False at the last, when what follows the body was read too."""
        digits = _line(self._stream).partition(b";")[0].strip()
        if not digits or len(digits) > _CHUNK_DIGITS or digits.strip(b"0123456789abcdefABCDEF"):
            raise Broken("a chunk whose size is none")
        self._left = int(digits, 16)
        if not self._left:
            _headers(self._stream)
            self._finish()
        return bool(self._left)

    def _require_line_end(self) -> None:
        if _line(self._stream):
            raise Broken("a chunk is longer than its size")

    def _finish(self) -> None:
        """All of the body came: the connection may be used again."""
        self._end(self._lasting)

    def close(self) -> None:
        """Be done with it. The connection is closed unless all of the body was read. Idempotent."""
        self._end(False)

    def _end(self, lasting: bool) -> None:
        done, self._done = self._done, None
        self._ended = True
        if done is not None:
            done(lasting)


def read_some(answer: Answer, size: int, what: str) -> bytes:
    """At most `size` bytes of a body, soon. Raises RegistryFailure, OSError."""
    with answer.limit(what):
        return answer.read(size)
