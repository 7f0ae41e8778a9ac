"""Writing zstd:chunked: a layer as zstd whose files can be fetched one by one (containers/storage, pkg/chunked).

Each file's content is a frame of its own; a large one is cut into pieces, each a frame, where its bytes say so: what
was put into it or taken out of it changes one or two of them. Behind them come, as frames that a plain reader skips, a
table of contents, the tar-split data and a footer that says where both are.
"""

from __future__ import annotations

import hashlib
from binascii import b2a_base64

from sonata.image.layers.compress import zstd_level
from sonata.image.layers.feed import Feed
from sonata.image.layers.tarread import Entry, TarReader, clean
from sonata.image.layers.tarsplit import Writer
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sonata_core.models.streams import Readable

_PREFIX = "io.github.containers.zstd-chunked."
_SKIPPABLE = 0x184D2A50
_MAGIC = b"GNUlInUx"
_KINDS = {0x30: "reg", 0x31: "hardlink", 0x32: "symlink", 0x33: "char", 0x34: "block", 0x35: "dir", 0x36: "fifo"}
_WHOLE = 1 << 16
"""Files up to so many bytes are one piece."""
_LEAST, _MOST = 1 << 14, 1 << 18
"""Bytes of a piece, unless it is a file's last."""
_LOW = bytes(byte & 15 for byte in range(256))
_CUT = b"\5\4\1\3"
"""A piece ends with four bytes of these low halves: once in 64 KiB of noise, and in text, too."""


def write_chunked(stream: Readable, level: int | None, write: Callable[[bytes], object]) -> dict[str, str]:
    """Compress a plain tar, all of it; the annotations that the layer's descriptor must have.

    A tar that a table of contents cannot describe (names that are not UTF-8, sparse files, a name twice) becomes
    plain zstd, without annotations. Raises Damaged for what is no tar.
    """
    feed = Feed(stream, hashed=False)
    try:
        return _Writer(zstd_level(level), write).run(feed)
    finally:
        feed.close()


class _Out:
    """Frames written one after the other, with their place."""

    def __init__(self, level: int, write: Callable[[bytes], object]) -> None:
        import zstandard

        self._maker = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._write = write
        self._frame: Any = None
        self.at = 0

    def put(self, data: bytes) -> None:
        """More of the frame that is open, or of a new one."""
        if self._frame is None:
            self._frame = self._maker.compressobj()
        self.raw(self._frame.compress(data))

    def end(self) -> None:
        """End the open frame, if any."""
        if self._frame is not None:
            self.raw(self._frame.flush())
            self._frame = None

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        if data:
            self.at += len(data)
            self._write(data)

    def whole(self, data: bytes) -> bytes:
        """Data as one frame."""
        made: bytes = self._maker.compress(data)
        return made

    def skippable(self, data: bytes) -> int:
        """A frame that readers skip; where its data begins."""
        self.raw(_SKIPPABLE.to_bytes(4, "little") + len(data).to_bytes(4, "little"))
        begin = self.at
        self.raw(data)
        return begin


class _Split:
    """tar-split lines, kept compressed in memory: some hundredths of the layer."""

    def __init__(self) -> None:
        import zstandard

        self._packer = zstandard.ZstdCompressor(level=3).compressobj()
        self.parts: list[bytes] = []
        self.plain = 0
        self.lines = Writer(self, self)  # type: ignore[arg-type]

    def compress(self, data: bytes) -> bytes:
        self.plain += len(data)
        return self._packer.compress(data)

    def flush(self) -> bytes:
        return self._packer.flush()

    def write(self, data: bytes) -> None:
        self.parts.append(data)


class _Writer:
    def __init__(self, level: int, write: Callable[[bytes], object]) -> None:
        self._out = _Out(level, write)
        self._split = _Split()
        self._entries: list[dict[str, object]] = []
        self._whole = True

    def run(self, feed: Feed) -> dict[str, str]:
        reader = TarReader(feed)
        for entry in reader:
            self._member(entry, feed)
        for piece in (reader.tail, *feed.rest()):
            self._raw(piece)
        self._out.end()
        self._split.lines.close()
        return self._tables() if self._whole else {}

    def _raw(self, data: bytes) -> None:
        if data:
            self._out.put(data)
            self._split.lines.segment(data)

    def _member(self, entry: Entry, feed: Feed) -> None:
        self._raw(entry.raw)
        crc, row = self._content(entry, feed)
        self._split.lines.file(entry.name, entry.size, crc)
        if self._whole:
            self._describe(entry, row)

    def _content(self, entry: Entry, feed: Feed) -> tuple[int, dict[str, Any]]:
        """A file's content as a frame of its own: its CRC-64, and what the table says of it."""
        from fastcrc.crc64 import go_iso as crc64

        if not entry.size:
            return 0, {}
        out, crc, digest, left = self._out, 0, hashlib.sha256(), entry.size
        out.end()
        begin = out.at
        rows: list[dict[str, object]] = []
        for piece in _cut(feed.pieces(entry.size)) if entry.size > _WHOLE else (feed.take(entry.size),):
            left -= len(piece)
            crc = crc64(piece, crc)
            digest.update(piece)
            if self._whole and entry.size > _WHOLE:
                own = hashlib.sha256(piece).hexdigest()
                rows.append({"offset": out.at, "chunkSize": len(piece), "chunkDigest": f"sha256:{own}"})
            out.raw(out.whole(piece))
        if left:
            raise Damaged("the layer's tar ends in the middle of a file")
        whole = {"size": entry.size, "digest": "sha256:" + digest.hexdigest(), "offset": begin, "endOffset": out.at}
        return crc, {**whole, "pieces": rows}

    def _describe(self, entry: Entry, row: dict[str, Any]) -> None:
        kind, pieces = _KINDS.get(entry.kind), row.pop("pieces", [])
        if kind is None or entry.sparse is not None or (row and kind != "reg"):
            self._whole = False
            return
        try:
            self._split.lines.claim(clean(entry.name))
            names = {"name": entry.name.decode(), "linkName": entry.link.decode()}
            xattrs = {
                key.decode(): b2a_base64(value, newline=False).decode() for key, value in (entry.xattrs or {}).items()
            }
        except (UnicodeDecodeError, Damaged):
            self._whole = False
            return
        values: dict[str, object] = {
            **names,
            "mode": entry.mode,
            "uid": entry.uid,
            "gid": entry.gid,
            "devMajor": entry.major,
            "devMinor": entry.minor,
            "xattrs": xattrs,
            **row,
        }
        found = {key: value for key, value in values.items() if value or key == "name"}
        first, *others = pieces if len(pieces) > 1 else ({},)
        self._entries.append({"type": kind, **found, "modtime": _time(entry.mtime), **first})
        at = first.get("chunkSize", 0)
        for piece in others:
            self._entries.append({"type": "chunk", "name": names["name"], "chunkOffset": at, **piece})
            at += piece["chunkSize"]

    def _tables(self) -> dict[str, str]:
        """Table, tar-split and footer; the annotations that tell of them."""
        import json

        split = b"".join(self._split.parts)
        split_digest = "sha256:" + hashlib.sha256(split).hexdigest()
        document = {"version": 1, "entries": self._entries, "tarSplitDigest": split_digest}
        plain = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        toc = self._out.whole(plain)
        toc_at = self._out.skippable(toc)
        split_at = self._out.skippable(split)
        numbers = (toc_at, len(toc), len(plain), 1, split_at, len(split), self._split.plain)
        self._out.skippable(b"".join(number.to_bytes(8, "little") for number in numbers) + _MAGIC)
        return {
            f"{_PREFIX}manifest-checksum": "sha256:" + hashlib.sha256(toc).hexdigest(),
            f"{_PREFIX}manifest-position": f"{toc_at}:{len(toc)}:{len(plain)}:1",
            f"{_PREFIX}tarsplit-position": f"{split_at}:{len(split)}:{self._split.plain}",
        }


def _cut(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut where they say so, however they came."""
    kept = b""
    for piece in pieces:
        kept += piece
        if len(kept) > 4 * _MOST:
            *whole, kept = _cut_whole(kept, _MOST)
            yield from whole
    *whole, kept = _cut_whole(kept, 1)
    yield from whole


def _cut_whole(data: bytes, least: int) -> Iterator[bytes]:
    """Pieces, as long as there are `least` bytes; then the rest, which may be nothing."""
    low, at = data.translate(_LOW), 0
    while len(data) - at >= least:
        found = low.find(_CUT, at + _LEAST, at + _MOST)
        end = min(found + len(_CUT) if found >= 0 else at + _MOST, len(data))
        yield data[at:end]
        at = end
    yield data[at:]


def _time(nanoseconds: int) -> str:
    """RFC 3339 in UTC, as Go writes it."""
    from datetime import UTC, datetime

    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return "1970-01-01T00:00:00Z"
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{text.rjust(19, '0')}{fraction}Z"
