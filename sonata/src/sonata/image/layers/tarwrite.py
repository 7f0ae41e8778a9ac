"""Members of a tar as bytes: ustar, with PAX records where ustar has no room."""

from __future__ import annotations

from sonata.image.layers.tarread import BLOCK, Entry

_OCTAL_ID = 0o7777777
_OCTAL_SIZE = 0o77777777777
_XATTR = b"SCHILY.xattr."
TRAILER = bytes(2 * BLOCK)


def padding(size: int) -> bytes:
    """What fills the last block of that many bytes of content."""
    return bytes(-size % BLOCK)


def member_header(entry: Entry) -> bytes:
    """All header blocks of a member; content and its padding follow. Times are whole seconds, as peers write them."""
    records: list[tuple[bytes, bytes]] = []
    prefix, name = _split_name(entry.name)
    if not name:
        records.append((b"path", entry.name))
        name = _ascii(entry.name)[-100:]
    link = entry.link
    if len(link) > 100 or not link.isascii():
        records.append((b"linkpath", link))
        link = _ascii(link)[:100]
    for key, value in ((b"uid", entry.uid), (b"gid", entry.gid)):
        if value > _OCTAL_ID:
            records.append((key, b"%d" % value))
    if entry.size > _OCTAL_SIZE:
        records.append((b"size", b"%d" % entry.size))
    seconds = entry.mtime // 1_000_000_000
    if not 0 <= seconds <= _OCTAL_SIZE:
        records.append((b"mtime", b"%d" % seconds))
    records += [(_XATTR + key, value) for key, value in sorted((entry.xattrs or {}).items())]
    block = _block(entry, prefix, name, link)
    return (_pax(entry.name, records) if records else b"") + block


def _split_name(name: bytes) -> tuple[bytes, bytes]:
    """Prefix and name for ustar; two empty strings where it has no room."""
    if not name.isascii() or len(name) > 256:
        return b"", b""
    if len(name) <= 100:
        return b"", name
    cut = name.rfind(b"/", 0, min(156, len(name) - 1))
    if cut <= 0 or len(name) - cut - 1 > 100:
        return b"", b""
    return name[:cut], name[cut + 1 :]


def _ascii(name: bytes) -> bytes:
    return bytes(byte for byte in name if byte < 128)


def _octal(value: int, width: int) -> bytes:
    limit = 8 ** (width - 1)
    return b"%0*o\0" % (width - 1, value if 0 <= value < limit else 0)


def _block(entry: Entry, prefix: bytes, name: bytes, link: bytes) -> bytes:
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:108] = _octal(entry.mode & 0o7777, 8)
    block[108:116] = _octal(entry.uid, 8)
    block[116:124] = _octal(entry.gid, 8)
    block[124:136] = _octal(entry.size, 12)
    block[136:148] = _octal(entry.mtime // 1_000_000_000, 12)
    block[148:156] = b"        "
    block[156] = entry.kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[329:337] = _octal(entry.major, 8)
    block[337:345] = _octal(entry.minor, 8)
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _pax(name: bytes, records: list[tuple[bytes, bytes]]) -> bytes:
    data = b"".join(_record(key, value) for key, value in records)
    entry = Entry()
    head, _, base = _ascii(name.rstrip(b"/")).rpartition(b"/")
    entry.name = ((head + b"/" if head else b"") + b"PaxHeaders.0/" + base)[:100]
    entry.kind = 0x78
    entry.size = len(data)
    return _block(entry, b"", entry.name, b"") + data + padding(len(data))


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where the length counts its own digits."""
    body = len(key) + len(value) + 3
    length = body + len(str(body))
    length = body + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)
