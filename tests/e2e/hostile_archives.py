"""Archives that are made to hurt: every one a name and a function that gives its bytes. Made here, from nothing.

The classes are those of what has been done to engines: paths and links that lead out, whiteouts in odd places, smuggled
attributes, headers that lie, names beyond all measure, streams that end early or never.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
from collections.abc import Callable, Iterator

import zstandard

Made = Callable[[str], bytes]
"""Bytes of an archive; it is given the path of the canary, a folder of the host that nothing may touch."""

FILE, HARD, LINK, CHARACTER, BLOCK, FOLDER, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
KINDS = {"file": FILE, "folder": FOLDER, "link": LINK, "hard link": HARD, "fifo": FIFO, "device": CHARACTER}
END = bytes(1024)


def entry(name: bytes | str, kind: bytes = FILE, data: bytes = b"", link: bytes | str = b"", **raw: bytes) -> bytes:
    """One entry. `raw` replaces fields as they stand in the header: mode, uid, gid, size, mtime, magic, checksum…"""
    name = name.encode() if isinstance(name, str) else name
    link = link.encode() if isinstance(link, str) else link
    more = b""
    if len(name) > 100:
        more, name = more + long_name(b"L", name), name[:100]
    if len(link) > 100:
        more, link = more + long_name(b"K", link), link[:100]
    number = b"%07o\0"
    fields = {
        "name": name.ljust(100, b"\0"),
        "mode": raw.get("mode", number % 0o755),
        "uid": raw.get("uid", number % 0),
        "gid": raw.get("gid", number % 0),
        "size": raw.get("size", b"%011o\0" % len(data)),
        "mtime": raw.get("mtime", b"%011o\0" % 1_600_000_000),
        "checksum": b" " * 8,
        "kind": kind,
        "link": link.ljust(100, b"\0"),
        "magic": raw.get("magic", b"ustar\00000"),
        "users": bytes(64),
        "major": raw.get("major", number % 1),
        "minor": raw.get("minor", number % 3),
        "prefix": raw.get("prefix", b"").ljust(155, b"\0"),
    }
    head = b"".join(fields.values()).ljust(512, b"\0")
    head = head[:148] + raw.get("checksum", b"%06o\0 " % sum(head)) + head[156:]
    return more + head + data + bytes(-len(data) % 512)


def long_name(kind: bytes, text: bytes) -> bytes:
    """GNU's entry for a name (`L`) or a link (`K`) that is too long."""
    return entry(b"././@LongLink", kind, text + b"\0")


def pax(records: dict[str, bytes], kind: bytes = b"x") -> bytes:
    """A header of pax records, for the next entry (`x`) or all that follow (`g`)."""
    made = b""
    for key, value in records.items():
        body = b" %b=%b\n" % (key.encode(), value)
        size = len(body) + 1
        while len(b"%d" % size) + len(body) != size:
            size = len(b"%d" % size) + len(body)
        made += b"%d" % size + body
    return entry("PaxHeaders/x", kind, made)


def base256(value: int, size: int) -> bytes:
    """A number as GNU has those that octal digits cannot hold."""
    return (value & ((1 << 8 * size) - 1) | (1 << (8 * size - 1) if value >= 0 else 0)).to_bytes(size, "big")


def one(*parts: bytes) -> Made:
    """An archive of these entries."""
    return lambda _: b"".join(parts) + END


def _paths() -> Iterator[tuple[str, Made]]:
    # fmt: off
    names = ["../made", "../../../../../../made", "a/../../made", "./../made", "..", ".", "/", "//made", "/../made",
             "a/..", "a//../..//made", "../", "a/b/../../../made", "…/made"]
    # fmt: on
    for kind, letter in KINDS.items():
        for name in names:
            yield (
                f"path {name} as {kind}",
                one(entry(name, letter, b"x" if letter == FILE else b"", link="etc/hostname")),
            )
        yield (
            f"path of the canary as {kind}",
            lambda canary, letter=letter: (  # type: ignore[misc]
                entry(f"{canary}/made", letter, link="x")
                + entry(f"../../../../../../..{canary}/made", letter, link="x")
                + END
            ),
        )


def _through_links() -> Iterator[tuple[str, Made]]:
    targets = {
        "absolute": lambda canary: canary,
        "relative": lambda canary: "../../../../../../../../.." + canary,
        "root": lambda _: "/",
        "above": lambda _: "..",
        "process root": lambda canary: f"/proc/self/root{canary}",
        "working folder": lambda _: "/proc/self/cwd",
    }
    uses: dict[str, Callable[[str], bytes]] = {
        "file": lambda at: entry(f"{at}/made", data=b"x"),
        "existing file": lambda at: entry(f"{at}/file", data=b"x"),
        "folder": lambda at: entry(f"{at}/made", FOLDER),
        "the link as folder": lambda at: entry(at, FOLDER) + entry(f"{at}/made", data=b"x"),
        "the link as folder of mode 0": lambda at: entry(at, FOLDER, mode=b"0000000\0"),
        "hard link to what is behind": lambda at: entry("stolen", HARD, link=f"{at}/file"),
        "hard link behind": lambda at: entry("mine", data=b"x") + entry(f"{at}/made", HARD, link="mine"),
        "link behind": lambda at: entry(f"{at}/made", LINK, link="/etc/passwd"),
        "device behind": lambda at: entry(f"{at}/made", CHARACTER),
        "whiteout behind": lambda at: entry(f"{at}/.wh.file"),
        "opaque behind": lambda at: entry(f"{at}/.wh..wh..opq"),
        "owner behind": lambda at: entry(f"{at}/file", HARD, link=f"{at}/file", uid=b"0000777\0"),
    }
    for target, where in targets.items():
        for use, then in uses.items():
            yield f"link {target}, then {use}", lambda canary, where=where, then=then: (  # type: ignore[misc]
                entry("l", LINK, link=where(canary)) + then("l") + entry("a/b/l", LINK, link=where(canary))
                + then("a/b/l") + END
            )  # fmt: skip


def _hard_links() -> Iterator[tuple[str, Made]]:
    yield (
        "hard link to the canary",
        lambda canary: entry("h", HARD, link=f"{canary}/file") + entry("h", data=b"x") + END,
    )
    targets = [
        "/etc/shadow",
        "../../../etc/shadow",
        "h",
        ".",
        "..",
        "/",
        "",
        "absent",
        "folder",
        "fifo",
        "device",
        "\0x",
    ]
    before = entry("folder", FOLDER) + entry("fifo", FIFO) + entry("device", CHARACTER)
    for target in targets:
        yield f"hard link to {target!r}", one(before, entry("h", HARD, link=target), entry("h", data=b"x"))
    yield "hard link with content", one(entry("f", data=b"1"), entry("h", HARD, b"other", "f"))
    yield (
        "chain of hard links",
        one(entry("h0", data=b"1"), *(entry(f"h{n}", HARD, link=f"h{n - 1}") for n in range(1, 999))),
    )
    yield (
        "links in a circle",
        one(*(entry(f"l{n}", LINK, link=f"l{(n + 1) % 9}") for n in range(9)), entry("l0/x", data=b"x")),
    )
    yield (
        "link to itself, written through",
        one(entry("l", LINK, link="l"), entry("l/x", data=b"x"), entry("l", data=b"x")),
    )


def _whiteouts() -> Iterator[tuple[str, Made]]:
    # fmt: off
    names = [".wh...", ".wh..", ".wh.", ".wh..wh..opq", "a/.wh..wh..opq", ".wh..wh..wh..opq", ".wh..wh.plnk",
             ".wh..wh.aufs", ".wh./x", ".wh.a/b", ".wh.\n", ".wh.../x", "a/.wh...", ".wh.etc", ".wh." + "x" * 300]
    # fmt: on
    for name in names:
        for kind in ("file", "folder", "link"):
            yield f"whiteout {name[:20]!r} as {kind}", one(entry("a", FOLDER), entry(name, KINDS[kind], link="/etc"))
    yield "whiteout beside its file", one(entry("f", data=b"1"), entry(".wh.f"), entry("f", data=b"2"), entry(".wh.f"))
    yield (
        "opaque twice, between files",
        one(entry("d/a", data=b"1"), entry("d/.wh..wh..opq"), entry("d/b", data=b"1"), entry("d/.wh..wh..opq")),
    )


def _attributes() -> Iterator[tuple[str, Made]]:
    values = {
        "trusted.overlay.opaque": b"y",
        "trusted.overlay.redirect": b"/../../../etc",
        "trusted.overlay.metacopy": b"",
        "trusted.overlay.upper": b"x" * 40,
        "trusted.anything": b"x",
        "user.overlay.opaque": b"y",
        "user.overlay.redirect": b"/etc",
        "user.overlay.whiteout": b"y",
        "security.capability": b"\1\0\0\2" + b"\xff" * 16,
        "security.selinux": b"system_u:object_r:container_file_t:s0\0",
        "security.ima": b"\xff" * 8000,
        "system.posix_acl_access": b"\xff" * 40,
        "user.large": b"x" * 70_000,
        "user.": b"x",
        "": b"x",
        "user.\n": b"x",
        "nonsense": b"x",
    }
    for name, value in values.items():
        for kind in ("file", "folder", "link"):
            yield (
                f"attribute {name!r} on {kind}",
                one(pax({f"SCHILY.xattr.{name}": value}), entry("f", KINDS[kind], link="/etc")),
            )


def _headers() -> Iterator[tuple[str, Made]]:
    huge = {"2^33": 1 << 33, "2^63": 1 << 63, "-1": -1, "-2^62": -(1 << 62), "2^32-1": (1 << 32) - 1}
    for label, value in huge.items():
        for field, size in (("uid", 8), ("gid", 8), ("mtime", 12), ("size", 12), ("mode", 8), ("major", 8)):
            letter = CHARACTER if field == "major" else FILE
            yield f"header {field} {label}", one(entry("f", letter, **{field: base256(value, size)}))
    for label, text in {"letters": b"garbage", "blank": b" ", "signed": b"-1", "hex": b"0xff", "nul": b"\0"}.items():
        for field, size in (("uid", 8), ("size", 12), ("mode", 8), ("mtime", 12), ("checksum", 8)):
            yield f"header {field} {label}", one(entry("f", **{field: text.ljust(size, b"\0")}), entry("g", data=b"x"))
    for letter in (b"7", b"A", b"Z", b"S", b"V", b"M", b"D", b"\0", b"\xff", b"x", b"g", b"L", b"K", b"N"):
        yield f"header kind {letter!r}", one(entry("f", letter, b"x" * 600), entry("g", data=b"x"))
    for magic in (bytes(8), b"ustar  \0", b"ustar\0\0\0", b"USTAR\00000", b"\xff" * 8):
        yield f"header magic {magic!r}", one(entry("f", data=b"x", magic=magic, prefix=b"../../.."))


def _pax_records() -> Iterator[tuple[str, Made]]:
    records: dict[str, dict[str, bytes]] = {
        "path": {"path": b"../../../made"},
        "path absolute": {"path": b"/../../../made"},
        "path with NUL": {"path": b"made\0../../x"},
        "path empty": {"path": b""},
        "path is a folder": {"path": b"made/"},
        "linkpath": {"linkpath": b"../../../../etc/shadow"},
        "size smaller": {"size": b"1"},
        "size larger": {"size": b"999999999999"},
        "size negative": {"size": b"-5"},
        "size beyond": {"size": b"9" * 40},
        "size float": {"size": b"1e3"},
        "uid beyond": {"uid": b"99999999999"},
        "uid negative": {"uid": b"-1"},
        "uid letters": {"uid": b"root"},
        "mtime beyond": {"mtime": b"9" * 30},
        "mtime fraction": {"mtime": b"1." + b"9" * 4000},
        "mtime nan": {"mtime": b"nan"},
        "many records": {f"SCHILY.xattr.user.n{n}": b"x" for n in range(5000)},
        "large record": {"comment": b"x" * (9 << 20)},
        "sparse 0.0": {"GNU.sparse.size": b"1099511627776", "GNU.sparse.numblocks": b"1", "GNU.sparse.offset": b"0"},
        "sparse 0.1": {"GNU.sparse.map": b"0,1,1099511627776,1", "GNU.sparse.size": b"1099511627777"},
        "sparse 1.0": {"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0", "GNU.sparse.realsize": b"1099511627776"},
        "sparse overlapping": {"GNU.sparse.map": b"0,5,2,5,-3,9", "GNU.sparse.size": b"10"},
        "sparse name": {"GNU.sparse.name": b"../../../made", "GNU.sparse.major": b"1", "GNU.sparse.minor": b"0"},
        "hdrcharset": {"hdrcharset": b"BINARY", "path": b"\xff\xfe/../../x"},
    }
    for label, given in records.items():
        for kind in (b"x", b"g"):
            yield (
                f"pax {label} in {kind.decode()}",
                one(pax(given, kind), entry("f", data=b"x" * 20), entry("g", data=b"y")),
            )
    for body in (
        b"0 a=b\n",
        b"-5 a=b\n",
        b"99999 a=b\n",
        b"6 a=bc",
        b"a=b\n",
        b"7 a\n",
        b"\n" * 512,
        b"5 =b\n",
        b"12 path=../x\n",
    ):
        yield f"pax body {body[:12]!r}", one(entry("P", b"x", body), entry("f", data=b"x"))
    yield "pax with nothing after it", one(pax({"path": b"x"}))
    yield "pax after pax", one(*(pax({"path": b"x%d" % n}) for n in range(500)), entry("f", data=b"x"))


def _names() -> Iterator[tuple[str, Made]]:
    names = {
        "newline": b"a\nb",
        "escape": b"\x1b[2J\x1b]0;x\x07",
        "not UTF-8": b"\xff\xfe\x80",
        "255 bytes": b"x" * 255,
        "256 bytes": b"x" * 256,
        "4096 bytes": b"x/" * 2048,
        "60000 bytes": b"x" * 60_000,
        "deep": b"d/" * 1500 + b"f",
        "deeper": b"d/" * 10_000 + b"f",
        "dots at the end": b"f....",
        "blank": b" ",
        "empty": b"",
        "file with a slash": b"f/",
        "colon": b"a:b",
        "backslashes": b"..\\..\\made",
    }
    for label, name in names.items():
        for kind in ("file", "folder", "link"):
            yield f"name {label} as {kind}", one(entry(name, KINDS[kind], link="x"), entry("g", data=b"y"))
    pairs = [(first, second) for first in KINDS for second in KINDS]
    for first, second in pairs:
        yield (
            f"{first} replaced by {second}",
            one(entry("e", KINDS[first], link="/etc"), entry("e", KINDS[second], link="/tmp"), entry("e/x", data=b"x")),
        )
    yield "twins in case", one(entry("Name", data=b"1"), entry("name", data=b"2"), entry("NAME", FOLDER))
    yield "many names", one(*(entry(f"f{n}") for n in range(20_000)))


def _etc() -> Iterator[tuple[str, Made]]:
    for name in ("passwd", "group", "hosts", "resolv.conf", "mtab"):
        for kind in ("fifo", "device", "folder", "link"):
            yield f"/etc/{name} as {kind}", one(entry(f"etc/{name}", KINDS[kind], link="/proc/self/environ"))


def _streams() -> Iterator[tuple[str, Made]]:
    sound = entry("d", FOLDER) + entry("d/f", data=b"x" * 5000) + entry("g", data=b"y" * 700) + END
    for at in (0, 1, 100, 511, 512, 513, 1500, 5000, len(sound) - 1024, len(sound) - 1):
        yield f"plain, ends at {at}", lambda _, at=at: sound[:at]  # type: ignore[misc]
    noise = random.Random(1).randbytes
    packs: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda data: gzip.compress(data, mtime=0),
        "zstd": zstandard.ZstdCompressor().compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
    }
    for name, pack in packs.items():
        packed = pack(sound)
        for part in (4, 12, len(packed) // 2, len(packed) - 3):
            yield f"{name}, ends at {part}", lambda _, packed=packed, part=part: packed[:part]  # type: ignore[misc]
        yield f"{name}, then noise", lambda _, packed=packed: packed + noise(3000)  # type: ignore[misc]
        yield f"{name} twice", lambda _, packed=packed: packed + packed  # type: ignore[misc]
        yield f"{name} of noise", lambda _, pack=pack: pack(noise(9000))  # type: ignore[misc]
        yield f"{name} in {name}", lambda _, pack=pack, packed=packed: pack(packed)  # type: ignore[misc]
        yield f"{name} broken within", lambda _, packed=packed: packed[:30] + b"\xff" * 9 + packed[39:]  # type: ignore[misc]
    yield "zstd with a window of 2 GiB", lambda _: bytes.fromhex("28b52ffd00a8") + bytes(64)
    yield "zeros", lambda _: bytes(3 << 20)
    yield "noise", lambda _: noise(1 << 20)
    yield "two archives in one", lambda _: sound + entry("../made", data=b"x") + END
    yield "a size that swallows the next entry", one(entry("f", size=b"%011o\0" % 1024), entry("../made", data=b"x"))
    yield "a size of 8 GiB and no more", one(entry("f", size=b"77777777777\0"))
    yield "bomb of gzip", lambda _: gzip.compress(_bomb(), 9, mtime=0)
    yield "bomb of zstd", lambda _: zstandard.ZstdCompressor(level=19).compress(_bomb())
    yield "a tar in a tar", lambda _: entry("layer.tar", data=sound) + END
    yield "a zip", lambda _: struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"f" + bytes(100)


def _bomb() -> bytes:
    """A thousand times as large as what it packs to."""
    return entry("bomb", data=bytes(200 << 20)) + END


def corpus() -> dict[str, Made]:
    """All of them, by name."""
    families = (
        _paths,
        _through_links,
        _hard_links,
        _whiteouts,
        _attributes,
        _headers,
        _pax_records,
        _names,
        _etc,
        _streams,
    )
    return {name: made for family in families for name, made in family()}
