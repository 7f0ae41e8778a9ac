"""A layer packed anew on its way: taken apart, hashed, compressed as asked, and kept in a file without a name."""

from __future__ import annotations

import os

from sonata.image.layers.compress import Compression, Compressor
from sonata_core.errors import Unavailable
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO, Self

    from sonata.image.layers.feed import Feed
    from sonata.image.progress import Progress
    from sonata_core.models.image import Descriptor
    from sonata_core.models.streams import Readable

_BLOCK = 1 << 20


class Packed:
    """What came of a layer: a file to read from its start, its digest and size, the plain tar's digest and size."""

    def __init__(self, out: _Hashed, diff_digest: Digest, diff_size: int, notes: Mapping[str, str]) -> None:
        self.file = out.file
        self.digest = Digest("sha256:" + out.hash.hexdigest())
        self.size = out.size
        self.diff_digest = diff_digest
        self.diff_size = diff_size
        self.notes = notes
        """Annotations that the layer's descriptor must have."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


class Plain:
    """A plain tar that is read on, its digest and size in bytes taken on the way."""

    def __init__(self, stream: Readable) -> None:
        import hashlib

        self._stream = stream
        self._hash = hashlib.sha256()
        self.done = 0

    @property
    def digest(self) -> Digest:
        """Of what was read so far."""
        return Digest("sha256:" + self._hash.hexdigest())

    def read(self, size: int = _BLOCK) -> bytes:
        """The next bytes."""
        part = self._stream.read(size)
        self._hash.update(part)
        self.done += len(part)
        return part


def pack(stream: Readable, kind: Compression, level: int | None, folder: str, *, chunked: bool = False) -> Packed:
    """A plain tar packed into a file without a name: a sink must know the digest before the content.

    `chunked` makes zstd:chunked of zstd. The caller checks `diff_digest`, and closes what it gets. Raises Unsupported,
    Unavailable, Damaged for what is no tar where that matters, what the stream raises.
    """
    out = _Hashed(spool(folder))
    try:
        if chunked and kind is Compression.ZSTD:
            packed = _chunked(stream, level, out)
        else:
            packed = _compressed(stream, kind, level, out)
        out.file.seek(0)
    except BaseException:
        out.file.close()
        raise
    return packed


def _compressed(stream: Readable, kind: Compression, level: int | None, out: _Hashed) -> Packed:
    """A thread reads and hashes ahead of the one that compresses."""
    from sonata.image.layers.feed import Feed

    feed = Feed(stream)
    try:
        ahead = _Ahead(feed)
        packed = ahead if kind is Compression.NONE else Compressor(ahead, kind, level)
        while part := packed.read(_BLOCK):
            out.write(part)
        return Packed(out, Digest(feed.digest()), feed.size, {})
    finally:
        feed.close()


def _chunked(stream: Readable, level: int | None, out: _Hashed) -> Packed:
    from sonata.image.layers.chunked import write_chunked

    plain = Plain(stream)
    notes = write_chunked(plain, level, out.write)
    return Packed(out, plain.digest, plain.done, notes)


class _Ahead:
    """What a feed has, in pieces as they come."""

    def __init__(self, feed: Feed) -> None:
        self._pieces = feed.rest()

    def read(self, size: int = _BLOCK) -> bytes:
        """The next bytes; as many as come at once."""
        return next(self._pieces, b"")


class _Hashed:
    """A file that is written, its digest and size taken on the way."""

    def __init__(self, file: BinaryIO) -> None:
        import hashlib

        self.file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, part: bytes) -> None:
        self.hash.update(part)
        self.size += len(part)
        self.file.write(part)


class Told:
    """A stream that tells how far it was read."""

    def __init__(self, stream: BinaryIO, blob: Descriptor, progress: Progress) -> None:
        self._stream = stream
        self._blob = blob
        self._progress = progress
        self._done = 0

    def read(self, size: int = -1) -> bytes:
        """As the stream's own."""
        part = self._stream.read(size)
        self._done += len(part)
        self._progress.blob(self._blob.digest, "copying", self._done, self._blob.size)
        return part

    def readinto(self, buffer: Any) -> int:
        """As the stream's own, without a copy where it can."""
        into = getattr(self._stream, "readinto", None)
        if into is None:
            part = self.read(len(buffer))
            buffer[: len(part)] = part
            return len(part)
        count: int = into(buffer) or 0
        self._done += count
        self._progress.blob(self._blob.digest, "copying", self._done, self._blob.size)
        return count

    def seekable(self) -> bool:
        """As the stream's own."""
        seekable = getattr(self._stream, "seekable", None)
        return seekable is not None and bool(seekable())

    def seek(self, offset: int) -> int:
        """Begin again there: what broke on its way is sent once more."""
        self._done = self._stream.seek(offset)
        return self._done

    def close(self) -> None:
        """Close the stream too."""
        self._stream.close()


def spool(folder: str) -> BinaryIO:
    """A file without a name in `folder`: it is gone with the process, however that ends. Raises Unavailable."""
    try:
        make_private(folder)
        return os.fdopen(os.open(folder, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600), "w+b")
    except OSError as error:
        raise Unavailable(f"a temporary file in {folder}: {error.strerror}") from error
