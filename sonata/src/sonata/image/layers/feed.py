"""Byte streams in the sizes that a parser wants; read ahead by a thread of its own, which also hashes."""

from __future__ import annotations

import hashlib

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from queue import Queue

    from sonata_core.models.streams import Readable

CHUNK = 1 << 19
_AHEAD = 6


def too_large(what: str, limit: int) -> Damaged:
    """The error for what unpacks to more than is allowed."""
    return Damaged(
        f"the {what} unpacks to more than the {limit} bytes that are allowed",
        hint="if it may be that large, raise image_layer_max_size and image_layer_max_ratio in containers.conf",
    )


class Window:
    """Bytes that come in chunks, taken in the sizes that a parser wants. `_next` is the next chunk, None at the end."""

    def __init__(self) -> None:
        self._ended = False
        self._buf = b""
        self._pos = 0

    def _next(self) -> bytes | None:
        raise NotImplementedError

    def _fill(self) -> bool:
        """Put the next chunk under the reading position; False at the end."""
        chunk = None if self._ended else self._next()
        if chunk is None:
            self._ended = True
            return False
        self._buf = self._buf[self._pos :] + chunk if self._pos < len(self._buf) else chunk
        self._pos = 0
        return True

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end of the stream."""
        end = self._pos + size
        if end <= len(self._buf):
            part = self._buf[self._pos : end]
            self._pos = end
            return part
        while len(self._buf) - self._pos < size and self._fill():
            pass
        part = self._buf[self._pos : self._pos + size]
        self._pos += len(part)
        return part

    def pieces(self, size: int) -> Iterator[bytes]:
        """`size` bytes in pieces as they come. Raises Damaged where the stream ends before."""
        while size:
            have = len(self._buf) - self._pos
            if not have:
                if not self._fill():
                    raise Damaged("the layer's tar ends in the middle of a file")
                continue
            # bytes sliced whole are not copied
            part = self._buf[self._pos : self._pos + size]
            self._pos += len(part)
            size -= len(part)
            yield part

    def rest(self) -> Iterator[bytes]:
        """Whatever is left, in pieces."""
        while self._pos < len(self._buf) or self._fill():
            part = self._buf[self._pos :]
            self._pos = len(self._buf)
            yield part


class Feed(Window):
    """Takes bytes off a stream in the sizes that a parser wants.

    Reading (and with it decompression) and hashing go on in a thread: both let go of the
    interpreter's lock, so that they overlap with what the caller does with the bytes.
    """

    def __init__(self, stream: Readable, limit: int | None = None, *, hashed: bool = True) -> None:
        from queue import Queue
        from threading import Thread

        super().__init__()
        self._stream = stream
        self._limit = limit
        self._hash = hashlib.sha256()
        self._hashed = hashed
        self.size = 0
        self._chunks: Queue[bytes | BaseException | None] = Queue(_AHEAD)
        self._stop = False
        self._thread = Thread(target=self._read, name="sonata-feed", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while not self._stop:
                chunk = self._stream.read(CHUNK)
                if not chunk:
                    break
                self.size += len(chunk)
                if self._limit is not None and self.size > self._limit:
                    raise too_large("layer", self._limit)
                if self._hashed:
                    self._hash.update(chunk)
                self._chunks.put(chunk)
            self._chunks.put(None)
        except BaseException as error:  # carried over to the thread that asked
            self._chunks.put(error)

    def _next(self) -> bytes | None:
        chunk = self._chunks.get()
        if chunk is not None and not isinstance(chunk, bytes):
            self._ended = True
            raise chunk
        return chunk

    def digest(self) -> str:
        """The digest of all bytes; only when the end was reached."""
        return "sha256:" + self._hash.hexdigest()

    def close(self) -> None:
        """End the thread; what it still waits to hand over is dropped."""
        self._stop = True
        while not self._ended:
            chunk = self._chunks.get()
            self._ended = not isinstance(chunk, bytes)
        self._thread.join()
