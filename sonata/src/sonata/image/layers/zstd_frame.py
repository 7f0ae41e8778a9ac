"""One zstd frame taken apart in steps of bounded size, whatever it unpacks to."""

from __future__ import annotations

import zstandard

_WINDOW = 1 << 27  # 128 MiB, what every zstd is asked to be able to read
_BLOCKS = 8
"""Blocks that are unpacked at once: each is at most 128 KiB unpacked (RFC 8878, 3.1.1.2.4), if but 4 bytes packed."""
_HEADER = 3
_RUN = 1
"""The type of a block that is one byte, repeated."""
_SHORTEST = 6
"""Bytes that tell how long a frame's header is."""
_BEYOND = 1 << 40


def is_skippable(head: bytes) -> bool:
    """Whether these first bytes are those of a frame that readers pass over."""
    return head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50


class Frame:
    """A frame, in the manner of the standard library's decompressors."""

    def __init__(self) -> None:
        self._object = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
        self._input = b""
        self._at = 0
        """Where what was not unpacked yet begins in the input."""
        self._next = -1
        """Where the next block's header begins; below 0 before the frame's own header was seen."""
        self._skip = -1
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, _most: int = -1) -> bytes:
        """The next bytes, at most a mebibyte of them; nothing of a skippable frame. Raises ZstdError."""
        if self._skip >= 0:
            return self._pass_over(data)
        if data:
            self._next -= self._at if self._next >= 0 else 0
            self._input, self._at = self._input[self._at :] + data, 0
        if self._next < 0 and not self._begin():
            return b""
        return self._unpack()

    def _begin(self) -> bool:
        """Find the first block; False where more must be seen, or nothing of the frame is to be unpacked."""
        head = self._input
        if is_skippable(head):
            if len(head) >= 8:
                self._skip, self._input = 8 + int.from_bytes(head[4:8], "little"), b""
                self._pass_over(head)
            return False
        if len(head) < _SHORTEST:
            return False
        self._next = zstandard.frame_header_size(head)
        return True

    def _unpack(self) -> bytes:
        begin = self._at
        stop = self._at = self._some_blocks()
        part: bytes = self._object.decompress(memoryview(self._input)[begin:stop])
        if self._object.eof:
            self.eof, self.unused_data = True, self._object.unused_data + self._input[stop:]
        self.needs_input = len(self._input) < self._next + _HEADER
        return part

    def _some_blocks(self) -> int:
        """Where to stop, so that no more than a few blocks come to their ends."""
        data, at, end = self._input, self._next, len(self._input)
        for _ in range(_BLOCKS):
            if at + _HEADER > end:
                break
            header = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            at += _HEADER + (1 if header >> 1 & 3 == _RUN else header >> 3)
            if header & 1:
                # Nothing but a checksum belongs to the frame after this.
                at += _BEYOND
                break
        self._next = at
        return min(at, end)

    def _pass_over(self, data: bytes) -> bytes:
        step = min(self._skip, len(data))
        self._skip -= step
        if not self._skip:
            self.eof, self.unused_data = True, data[step:]
        return b""
