"""Streams of a layer's tar for those who want its headers, and of few files the beginning."""

from __future__ import annotations

import os

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.image.layers.feed import Feed


class OfFeed:
    """The heads of a stream, which has to be read whole."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def take(self, size: int) -> bytes:
        """As of a Feed."""
        return self._feed.take(size)

    def head(self, size: int, wanted: int) -> bytes:
        """Take `size` bytes off; the first `wanted` of them. Raises Damaged where the stream ends before."""
        head = b""
        for piece in self._feed.pieces(size):
            if len(head) < wanted:
                head += piece[: wanted - len(head)]
        return head


class OfSplit:
    """The heads of a layer of the store: its tar-split data has them, and no file is opened but those that are wanted.

    `entries` as of `tarsplit.entries`; `open_file` opens a file of the layer by its name in the tar.
    """

    def __init__(self, entries: Iterator[tuple[int, bytes, int, bytes]], open_file: Callable[[bytes], int]) -> None:
        self._entries = entries
        self._open = open_file
        self._buf = b""
        self._pos = 0
        self._name = b""
        self._left = self._size = 0
        """Bytes of the file that is next, of which some may have been taken."""

    def _next(self) -> bool:
        """Go on to the next piece of the tar; False at its end."""
        for kind, name, size, payload in self._entries:
            if kind == 2 and payload:
                self._buf, self._pos = payload, 0
                return True
            if kind != 2 and size:
                self._name, self._left, self._size = name, size, size
                return True
        return False

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end."""
        end = self._pos + size
        if end <= len(self._buf):
            part = self._buf[self._pos : end]
            self._pos = end
            return part
        return self._gathered(size)

    def _gathered(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = self._buf[self._pos : self._pos + size]
            self._pos += len(part)
            if not part and self._left:
                part = self._content(size)
                self._left -= len(part)
            elif not part and not self._next():
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def head(self, size: int, wanted: int) -> bytes:
        """Pass by `size` bytes; the first `wanted` of them. Raises Damaged where the tar ends before."""
        head = self._gathered(min(size, wanted))
        left = size - len(head)
        while left:
            step = min(left, len(self._buf) - self._pos)
            self._pos += step
            if not step:
                step = min(left, self._left)
                self._left -= step
            if not step and not self._next():
                raise Damaged("the layer's tar ends in the middle of a file")
            left -= step
        return head

    def _content(self, size: int) -> bytes:
        fd = self._open(self._name)
        try:
            part = os.pread(fd, min(size, self._left), self._size - self._left)
        finally:
            os.close(fd)
        if not part:
            raise Damaged(f"{os.fsdecode(self._name)!r} was changed since its layer was unpacked")
        return part
