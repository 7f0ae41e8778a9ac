"""Layers compressed and decompressed, as streams; what a blob is, its first bytes say."""

from __future__ import annotations

from io import BufferedReader, RawIOBase

from sonata_core.errors import Damaged, Unsupported
from sonata_core.lite import TYPE_CHECKING, Any, StrEnum

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.streams import Readable

_CHUNK = 1 << 18
_XZ_MEMORY = 1 << 27
GZIP_WINDOW = 31
_FAST = 3
"""The levels of gzip that isal has; from there on zlib takes over, slower and smaller."""
_SHARED = 6
"""The highest level of zstd that several threads work at: each of them takes as much memory again."""
_LOWEST, _HIGHEST = -7, 22
"""The levels of zstd."""
_LARGE = 16 << 20
"""More uncompressed bytes than these are compressed by several threads."""
_THREADS = 4
_JOB = 2 << 20
"""What one thread takes at once. The bytes that come out depend on it: another size makes other digests."""
_SKIPPABLE = tuple(bytes([0x50 + low, 0x2A, 0x4D, 0x18]) for low in range(16))


class Compression(StrEnum):
    """How a blob is compressed."""

    NONE = "uncompressed"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


_MAGIC = (
    (b"\x1f\x8b\x08", Compression.GZIP),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\0", Compression.XZ),
)
MAGIC_SIZE = 6


def detect(head: bytes) -> Compression:
    """What a blob with these first bytes (at least MAGIC_SIZE, if it has so many) is compressed with."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return Compression.ZSTD if head[:4] in _SKIPPABLE else Compression.NONE


class _Raw(RawIOBase):
    """A readable stream over a `_step` that returns the next bytes, empty at the end."""

    def __init__(self) -> None:
        self._left = b""
        self._at = 0

    def readable(self) -> bool:
        return True

    def _step(self) -> bytes:
        raise NotImplementedError

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; as many as come at once."""
        if size < 0:
            return self.readall()
        if self._at >= len(self._left):
            self._left, self._at = self._step(), 0
        part = self._left[self._at : self._at + size]
        self._at += len(part)
        return part

    def readinto(self, buffer: Any) -> int:
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


class Decompressor(_Raw):
    """The uncompressed bytes of a stream. `kind` says what the stream was found to be.

    Several members or frames in a row are read as one, as zstd:chunked and parallel gzip write them.
    Raises Damaged for a stream that is malformed or cut short, and beyond `limit` uncompressed bytes.
    """

    def __init__(self, stream: Readable, limit: int | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._limit = limit
        self.size = 0
        self._input = _read_head(stream)
        self.kind = detect(self._input)
        self._engine: Any = None
        self._ended = False
        self._started = False

    def _step(self) -> bytes:
        if self.kind is Compression.NONE:
            part, self._input = self._input or self._stream.read(_CHUNK), b""
            return part
        while not self._ended:
            part = self._advance()
            if part:
                self.size += len(part)
                if self._limit is not None and self.size > self._limit:
                    from sonata.image.layers.feed import too_large

                    raise too_large("blob", self._limit)
                return part
        return b""

    def _advance(self) -> bytes:
        """Give the engine more to do; what it returns may be empty."""
        if self._engine is None and not self._next_member():
            return b""
        engine = self._engine
        try:
            part = self._feed(engine)
        except _errors(self.kind) as error:
            raise Damaged(f"the {self.kind} data of a blob is damaged: {error}") from error
        if engine.eof:
            self._input, self._engine = engine.unused_data, None
        return part

    def _feed(self, engine: Any) -> bytes:
        if self.kind is Compression.GZIP:
            data = engine.unconsumed_tail or self._more()
            return bytes(engine.decompress(data, _CHUNK))
        data = self._more() if engine.needs_input else b""
        return bytes(engine.decompress(data, _CHUNK))

    def _more(self) -> bytes:
        """The next compressed bytes. Raises Damaged where a member lacks its end."""
        data, self._input = self._input or self._stream.read(_CHUNK), b""
        if not data:
            raise Damaged(f"the {self.kind} data of a blob is cut short")
        return data

    def _next_member(self) -> bool:
        """Begin a member, unless the stream is at its end; what follows a member and is none ends it too."""
        while len(self._input) < MAGIC_SIZE and (part := self._stream.read(_CHUNK)):
            self._input += part
        if self._started and (not self._input or detect(self._input) is not self.kind):
            self._finish()
            return False
        self._started = True
        self._engine = _engine(self.kind)
        return True

    def _finish(self) -> None:
        """Read what is left, so that whoever counts and hashes the compressed bytes sees them all."""
        self._ended = True
        if self._input.strip(b"\0"):
            raise Damaged(f"something that is no {self.kind} data follows a blob's compressed data")
        while part := self._stream.read(_CHUNK):
            if part.strip(b"\0"):
                raise Damaged(f"something that is no {self.kind} data follows a blob's compressed data")
        self._input = b""


def _read_head(stream: Readable) -> bytes:
    head = b""
    while len(head) < MAGIC_SIZE and (part := stream.read(_CHUNK)):
        head += part
    return head


def _engine(kind: Compression) -> Any:
    if kind is Compression.GZIP:
        from isal import isal_zlib

        return isal_zlib.decompressobj(GZIP_WINDOW)
    if kind is Compression.ZSTD:
        from sonata.image.layers.zstd_frame import Frame

        return Frame()
    if kind is Compression.BZIP2:
        from bz2 import BZ2Decompressor

        return BZ2Decompressor()
    from lzma import LZMADecompressor

    return LZMADecompressor(memlimit=_XZ_MEMORY)


def _errors(kind: Compression) -> tuple[type[Exception], ...]:
    if kind is Compression.GZIP:
        from isal import isal_zlib

        return (isal_zlib.IsalError,)  # type: ignore[return-value]
    if kind is Compression.ZSTD:
        import zstandard

        return (zstandard.ZstdError,)
    if kind is Compression.BZIP2:
        return (OSError, ValueError)
    from lzma import LZMAError

    return (LZMAError,)


class Compressor(_Raw):
    """A stream compressed while it is read. Raises Unsupported for a kind that nobody should write."""

    def __init__(self, stream: Readable, kind: Compression, level: int | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._waiting: list[bytes] = []
        self._engine = _compress_engine(kind, level, self._is_large)
        # What was read to see whether there is much of it comes first.
        self._waiting.reverse()
        self._ended = False

    def _is_large(self) -> bool:
        """Whether it is worth several threads: a matter of the content alone, so that the same comes out everywhere."""
        size = 0
        while size <= _LARGE and (data := self._stream.read(_CHUNK)):
            self._waiting.append(data)
            size += len(data)
        return size > _LARGE

    def _step(self) -> bytes:
        while not self._ended:
            data = self._waiting.pop() if self._waiting else self._stream.read(_CHUNK)
            if data:
                part: bytes = self._engine.compress(data)
            else:
                part = self._engine.flush()
                self._ended = True
            if part:
                return part
        return b""


def _compress_engine(kind: Compression, level: int | None, is_large: Callable[[], bool]) -> Any:
    if kind is Compression.GZIP:
        if level is not None and level > _FAST:
            import zlib

            return zlib.compressobj(min(level, 9), zlib.DEFLATED, GZIP_WINDOW)
        from isal import isal_zlib

        return isal_zlib.compressobj(2 if level is None else max(level, 0), isal_zlib.DEFLATED, GZIP_WINDOW)
    if kind is Compression.ZSTD:
        return _zstd_engine(zstd_level(level), is_large)
    raise Unsupported(f"layers are not written with the compression {kind}", hint="gzip and zstd are")


def zstd_level(level: int | None) -> int:
    """The level of zstd that is asked for, or the nearest that there is."""
    return 3 if level is None else min(max(level, _LOWEST), _HIGHEST)


def _zstd_engine(level: int, is_large: Callable[[], bool]) -> Any:
    """Compresses much in threads of its own. How many there are changes nothing in what comes out."""
    import os

    import zstandard

    if level > _SHARED or not is_large():
        return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
    threads = min(len(os.sched_getaffinity(0)), _THREADS)
    how = zstandard.ZstdCompressionParameters.from_level(level, threads=threads, job_size=_JOB, write_checksum=True)
    return zstandard.ZstdCompressor(compression_params=how).compressobj()


def decompressed(stream: Readable, limit: int | None = None) -> BufferedReader:
    """The uncompressed bytes of `stream` as a buffered reader; see Decompressor."""
    return BufferedReader(Decompressor(stream, limit), _CHUNK)


class Pieces(_Raw):
    """A stream over pieces as a generator yields them."""

    def __init__(self, pieces: Any) -> None:
        super().__init__()
        self._pieces = iter(pieces)

    def _step(self) -> bytes:
        for piece in self._pieces:
            if piece:
                return bytes(piece)
        return b""
