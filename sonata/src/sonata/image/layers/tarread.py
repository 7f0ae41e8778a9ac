"""Headers of a tar stream: ustar, GNU, star and PAX, read as the reader of Go reads them.

Other engines read the same layers with Go's archive/tar, so where tar programs differ (what
overrides what, which types carry content), this follows Go: a layer must mean one thing to all.
"""

from __future__ import annotations

from isal.isal_zlib import adler32

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Taken(Protocol):
        """A stream of bytes, such as a Feed."""

        def take(self, size: int) -> bytes:
            """Exactly `size` bytes, fewer only at the end."""


BLOCK = 512
_ZERO = bytes(BLOCK)
SPECIAL_LIMIT = 1 << 20
"""Bytes that a PAX header, a GNU long name or a sparse map may take."""
MAX_ID = (1 << 32) - 2
_MAX_SIZE = (1 << 63) - 1
_MAX_MAJOR, _MAX_MINOR = (1 << 12) - 1, (1 << 20) - 1  # linux/kdev_t.h
_MAX_SPARSE = 1 << 60
"""Bytes of a sparse file. tmpfs would make a larger one, and nothing that walks it would end."""
_EPOCH_LAST = (1 << 63) - 1
_HEADER_ONLY = frozenset(b"123456")
_XATTR = b"SCHILY.xattr."


def clean(name: bytes) -> bytes:
    """A member's name within the root: no leading slash, no `.`, no `..`, empty for the root itself."""
    if b"/." not in name and b"//" not in name and name[:1] not in (b"/", b".", b""):
        return name.rstrip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


class Entry:
    """One member. `raw` is every byte of the archive since the previous member's content."""

    # fmt: off
    __slots__ = (  # noqa: RUF023
        "name", "link", "kind", "mode", "uid", "gid", "mtime", "atime", "major", "minor",
        "size", "real_size", "sparse", "xattrs", "raw",
    )
    # fmt: on

    def __init__(self) -> None:
        self.name = b""
        self.link = b""
        self.kind = 0x30
        """The type flag: `0` regular, `1` link, `2` symlink, `3`, `4` devices, `5` folder, `6` fifo, `g` global."""
        self.mode = self.uid = self.gid = 0
        self.mtime = self.atime = 0
        """Nanoseconds since the epoch; 0 where a time lies outside what 64 bits hold, as peers do."""
        self.major = self.minor = 0
        self.size = 0
        """Bytes of content in the archive."""
        self.real_size = 0
        """Bytes of the file: more than `size` for a sparse one."""
        self.sparse: list[tuple[int, int]] | None = None
        """Offset and length of each piece of data, for a sparse file."""
        self.xattrs: dict[bytes, bytes] | None = None
        self.raw = b""


class _Pending:
    """What headers said about the member that follows them."""

    __slots__ = ("link", "name", "pax")

    def __init__(self) -> None:
        self.pax: dict[bytes, bytes] | None = None
        self.name = b""
        self.link = b""


class TarReader:
    """Members of an archive, in order. The caller takes each one's content off the feed before the next."""

    def __init__(self, feed: Taken) -> None:
        self._feed = feed
        self._raw: list[bytes] = []
        self._padding = 0
        self._octals: dict[bytes, int] = {}
        self.tail = b""
        """After the last member: the bytes between its content and what is left in the feed."""

    def __iter__(self) -> Iterator[Entry]:
        pending = _Pending()
        while True:
            self._skip_padding()
            header = self._header()
            if header is None:
                self.tail = b"".join(self._raw)
                if pending.pax is not None or pending.name or pending.link:
                    raise Damaged("the layer's tar ends after an extension header")
                return
            kind = header[156]
            if kind in b"xLK":
                self._extension(kind, header, pending)
                continue
            entry = self._entry(kind, header, pending)
            pending = _Pending()
            entry.raw = b"".join(self._raw)
            self._raw = []
            self._padding = -entry.size % BLOCK
            yield entry

    def _skip_padding(self) -> None:
        if self._padding:
            # a last member may lack its padding
            self._raw.append(self._feed.take(self._padding))
            self._padding = 0

    def _header(self) -> bytes | None:
        """The next header block; None at the end of the archive: two zero blocks, or no more bytes."""
        block = self._feed.take(BLOCK)
        if not block:
            return None
        self._raw.append(block)
        if len(block) < BLOCK:
            raise Damaged("the layer's tar ends in the middle of a header")
        if block == _ZERO:
            second = self._feed.take(BLOCK)
            self._raw.append(second)
            if second and second != _ZERO[: len(second)]:
                raise Damaged("the layer's tar has a header after a zero block")
            return None
        _verify_checksum(block)
        return block

    def _special(self, size: int) -> bytes:
        """The content of an extension header, kept as raw bytes too."""
        if not 0 <= size <= SPECIAL_LIMIT:
            raise Damaged(f"a header extension of the layer's tar has {size} bytes; {SPECIAL_LIMIT} are allowed")
        whole = self._feed.take(size + -size % BLOCK)
        self._raw.append(whole)
        if len(whole) < size:
            raise Damaged("the layer's tar ends in the middle of a header extension")
        return whole[:size]

    def _extension(self, kind: int, header: bytes, pending: _Pending) -> None:
        data = self._special(self._number(header[124:136]))
        if kind == 0x78:
            pending.pax = _pax_records(data)
        elif kind == 0x4C:
            pending.name = data.partition(b"\0")[0]
        else:
            pending.link = data.partition(b"\0")[0]

    def _number(self, field: bytes) -> int:
        value = self._octals.get(field)
        if value is None:
            value = _number(field)
            if len(self._octals) < 4096:
                self._octals[field] = value
        return value

    def _entry(self, kind: int, header: bytes, pending: _Pending) -> Entry:
        number = self._number
        entry = Entry()
        entry.name = header[:100].partition(b"\0")[0]
        entry.mode = number(header[100:108])
        entry.uid = number(header[108:116])
        entry.gid = number(header[116:124])
        entry.size = number(header[124:136])
        entry.mtime = number(header[136:148]) * 1_000_000_000
        entry.link = header[157:257].partition(b"\0")[0]
        if header[257:263] == b"ustar\0" or header[257:265] == b"ustar  \0":
            self._ustar(header, entry)
        if kind == 0x67:
            self._special(entry.size)
            entry.size = 0
            entry.kind = kind
            entry.uid = entry.gid = 0
            return entry
        if pending.pax is not None:
            _merge(entry, pending.pax)
        entry.name = pending.name or entry.name
        entry.link = pending.link or entry.link
        if kind == 0:
            kind = 0x35 if entry.name.endswith(b"/") else 0x30
        entry.kind = 0x30 if kind == 0x37 else kind
        if kind in _HEADER_ONLY:
            entry.size = 0
        entry.real_size = entry.size
        self._sparse(entry, header, pending.pax)
        _check(entry)
        return entry

    def _ustar(self, header: bytes, entry: Entry) -> None:
        """Fields that only newer formats have. GNU keeps other things where the prefix is."""
        entry.major = self._number(header[329:337])
        entry.minor = self._number(header[337:345])
        if header[257:265] == b"ustar  \0":
            if header[345]:
                entry.atime = self._number(header[345:357]) * 1_000_000_000
            return
        star = header[508:512] == b"tar\0"
        prefix = header[345 : 476 if star else 500].partition(b"\0")[0]
        if prefix:
            entry.name = prefix + b"/" + entry.name
        if star:
            entry.atime = self._number(header[476:488]) * 1_000_000_000

    def _sparse(self, entry: Entry, header: bytes, pax: dict[bytes, bytes] | None) -> None:
        if entry.kind == 0x53:
            self._old_gnu_sparse(entry, header)
            entry.kind = 0x30
        elif pax is not None and entry.kind == 0x30:
            self._pax_sparse(entry, pax)

    def _old_gnu_sparse(self, entry: Entry, header: bytes) -> None:
        """The map is in the header and in blocks after it."""
        entry.real_size = self._number(header[483:495])
        pieces: list[tuple[int, int]] = []
        area, more = header[386:482], header[482]
        while True:
            for at in range(0, len(area) - len(area) % 24, 24):
                if not area[at]:
                    break
                pieces.append((self._number(area[at : at + 12]), self._number(area[at + 12 : at + 24])))
            if not more:
                break
            if len(pieces) * 24 > SPECIAL_LIMIT:
                raise Damaged(f"the sparse map of {entry.name!r} is too long")
            block = self._special(BLOCK)
            area, more = block[:504], block[504]
        entry.sparse = _checked_map(entry, pieces, entry.size)

    def _pax_sparse(self, entry: Entry, pax: dict[bytes, bytes]) -> None:
        """Formats 0.0 and 0.1 (the map is a record), 1.0 (the map is before the content)."""
        version = (pax.get(b"GNU.sparse.major", b""), pax.get(b"GNU.sparse.minor", b""))
        text = pax.get(b"GNU.sparse.map", b"")
        if version != (b"1", b"0") and not text:
            return
        if version not in ((b"", b""), (b"0", b"0"), (b"0", b"1"), (b"1", b"0")):
            return
        entry.name = pax.get(b"GNU.sparse.name") or entry.name
        real = pax.get(b"GNU.sparse.size") or pax.get(b"GNU.sparse.realsize")
        if real:
            entry.real_size = decimal(real)
        if version == (b"1", b"0"):
            numbers, used = self._leading_map(entry)
            entry.size -= used
        else:
            numbers = [decimal(part) for part in text.split(b",")]
        if len(numbers) % 2:
            raise Damaged(f"the sparse map of {entry.name!r} is odd")
        entry.sparse = _checked_map(entry, list(zip(numbers[::2], numbers[1::2], strict=True)), entry.size)

    def _leading_map(self, entry: Entry) -> tuple[list[int], int]:
        """Numbers in lines: how many pairs, then the pairs; in whole blocks. Also says how many bytes that took."""
        text, used, wanted = b"", 0, 1
        while text.count(b"\n") < wanted:
            if used >= min(entry.size, SPECIAL_LIMIT):
                raise Damaged(f"the sparse map of {entry.name!r} does not end")
            text += self._special(BLOCK)
            used += BLOCK
            if wanted == 1 and b"\n" in text:
                wanted = 1 + 2 * decimal(text.partition(b"\n")[0])
        return [decimal(line) for line in text.split(b"\n")[1:wanted]], used


def _verify_checksum(block: bytes) -> None:
    """Compare the header's sum, bytes unsigned or, as some old programs did, signed. Raises Damaged."""
    try:
        told = _number(block[148:156])
    except Damaged:
        raise Damaged("the layer is no tar archive, or one of its headers is damaged") from None
    # Halves have sums below the modulus of Adler-32, whose lower half is such a sum.
    seen = (adler32(block[:256], 0) & 0xFFFF) + (adler32(block[256:], 0) & 0xFFFF) - sum(block[148:156]) + 256
    if told == seen:
        return
    bare = block[:148] + block[156:]
    if told != seen - 256 * sum(byte > 127 for byte in bare):
        raise Damaged("the layer is no tar archive, or one of its headers is damaged")


def _number(field: bytes) -> int:
    """A number as tar writes it: octal digits, or with the high bit set a big-endian two's complement."""
    if field and field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        value &= (1 << (bits - 1)) - 1
        if field[0] & 0x40:
            value -= 1 << (bits - 1)
        if abs(value) > _MAX_SIZE:
            raise Damaged("a number in a header of the layer's tar is too great")
        return value
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    if not digits.isdigit():
        raise Damaged(f"{digits!r} is no octal number; a header of the layer's tar is damaged")
    try:
        return int(digits, 8)
    except ValueError:
        raise Damaged(f"{digits!r} is no octal number; a header of the layer's tar is damaged") from None


def decimal(text: bytes) -> int:
    """A decimal number of digits only, below 2^63. Raises Damaged."""
    if not text.isdigit() or len(text) > 19 or (value := int(text)) > _MAX_SIZE:
        raise Damaged(f"{text[:32]!r} is no number that a tar may hold")
    return value


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """Records `LENGTH KEY=VALUE\\n`. Pairs of GNU's sparse format 0.0 are gathered into the map of 0.1."""
    records: dict[bytes, bytes] = {}
    pairs: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        space = data.find(b" ", at, at + 21)
        length = decimal(data[at:space]) if space > at else 0
        stop = at + length
        equals = data.find(b"=", space, stop)
        if space < 0 or length < 5 or stop > end or equals < 0 or data[stop - 1] != 0x0A:
            raise Damaged("a PAX header of the layer's tar is malformed")
        key, value = data[space + 1 : equals], data[equals + 1 : stop - 1]
        at = stop
        if not key or b"\0" in key or (b"\0" in value and not key.startswith(_XATTR)):
            raise Damaged("a PAX header of the layer's tar has a NUL where none may be")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            if (len(pairs) % 2 == 0) != (key == b"GNU.sparse.offset"):
                raise Damaged("a PAX header of the layer's tar has a malformed sparse map")
            pairs.append(value)
        else:
            records[key] = value
    if pairs:
        records[b"GNU.sparse.map"] = b",".join(pairs)
    return records


def _merge(entry: Entry, pax: dict[bytes, bytes]) -> None:
    """Let PAX records override what the header says; an empty value leaves it as it is."""
    for key, value in pax.items():
        if key.startswith(_XATTR):
            if entry.xattrs is None:
                entry.xattrs = {}
            entry.xattrs[key[len(_XATTR) :]] = value
        elif value:
            _override(entry, key, value)


def _override(entry: Entry, key: bytes, value: bytes) -> None:
    if key == b"path":
        entry.name = value
    elif key == b"linkpath":
        entry.link = value
    elif key == b"size":
        entry.size = decimal(value)
    elif key == b"uid":
        entry.uid = decimal(value)
    elif key == b"gid":
        entry.gid = decimal(value)
    elif key == b"mtime":
        entry.mtime = _nanoseconds(value)
    elif key == b"atime":
        entry.atime = _nanoseconds(value)


def _nanoseconds(text: bytes) -> int:
    """Seconds with a fraction, as PAX writes them."""
    negative = text.startswith(b"-")
    whole, _, fraction = text.removeprefix(b"-").partition(b".")
    if fraction and not fraction.isdigit():
        raise Damaged(f"{text[:32]!r} is no time; a PAX header of the layer's tar is damaged")
    value = decimal(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
    return -value if negative else value


def _check(entry: Entry) -> None:
    """Ranges that no header may leave. Raises Damaged; a time out of range is taken as the epoch."""
    if not 0 <= entry.uid <= MAX_ID or not 0 <= entry.gid <= MAX_ID:
        raise Damaged(f"{entry.name!r} in the layer has the owner {entry.uid}:{entry.gid}, which no system knows")
    if entry.size < 0 or entry.real_size < 0:
        raise Damaged(f"{entry.name!r} in the layer has a size below zero")
    device = 0 <= entry.major <= _MAX_MAJOR and 0 <= entry.minor <= _MAX_MINOR
    if entry.mode < 0 or not device:
        raise Damaged(f"{entry.name!r} in the layer has a mode or device number that no system knows")
    if not 0 <= entry.mtime <= _EPOCH_LAST:
        entry.mtime = 0
    if not entry.mtime <= entry.atime <= _EPOCH_LAST:
        entry.atime = entry.mtime
    if b"\0" in entry.name or b"\0" in entry.link:
        raise Damaged("a name in the layer has a NUL")


def _checked_map(entry: Entry, pieces: list[tuple[int, int]], stored: int) -> list[tuple[int, int]]:
    """A sparse map: in order, without overlap, within the file, and as long as what is stored. Raises Damaged."""
    if entry.real_size > _MAX_SPARSE:
        raise Damaged(f"the sparse file {entry.name!r} claims {entry.real_size} bytes")
    last = total = 0
    for offset, length in pieces:
        if offset < last or length < 0 or offset + length > entry.real_size:
            raise Damaged(f"the sparse map of {entry.name!r} is malformed")
        last = offset + length
        total += length
    if total != stored:
        raise Damaged(f"the sparse map of {entry.name!r} speaks of {total} bytes; the archive has {stored}")
    return pieces
