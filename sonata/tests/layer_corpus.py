"""Hostile layers, made by rule: each case is a name, the members, and whether the layer may be refused.

Every case is unpacked next to a canary that no layer may touch. `must` is `refuse`, `accept` or `either`.
"""

import io
import tarfile


def member(name, kind=tarfile.REGTYPE, data=b"", link="", pax=None, **fields):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.size = len(data)
    info.mode = fields.pop("mode", 0o755 if kind == tarfile.DIRTYPE else 0o644)
    if pax:
        info.pax_headers = pax
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_bytes(*members, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _sym(name, target):
    return member(name, tarfile.SYMTYPE, link=target)


def _hard(name, target):
    return member(name, tarfile.LNKTYPE, link=target)


def _dir(name, **fields):
    return member(name, tarfile.DIRTYPE, **fields)


OUTSIDE = ("../canary", "../../canary", "/../canary", "a/../../canary", "./../canary", "{abs}/canary", "//../canary")
LINKS_OUT = ("..", "../", "{abs}", "/proc/self/root{abs}", "../../../../../../../..{abs}", "/proc/self/cwd")


def header(name=b"f", size=b"00000000000\0", kind=b"0", uid=b"0000000\0", prefix=b"", magic=b"ustar\x0000", link=b""):
    """A raw header with a right checksum, for what no tar program writes."""
    block = bytearray(512)
    block[0 : len(name[:100])] = name[:100]
    block[100:108] = b"0000644\0"
    block[108:116] = uid.ljust(8, b"\0")
    block[116:124] = b"0000000\0"
    block[124:136] = size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link[:100])] = link[:100]
    block[257:265] = magic
    block[345 : 345 + len(prefix[:155])] = prefix[:155]
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records, end=b"", kind=b"x"):
    """A PAX extension with raw records."""
    data = b""
    for key, value in records:
        body = b" " + key + b"=" + value + b"\n"
        length = len(body) + 1
        while len(b"%d" % length) + len(body) != length:
            length = len(b"%d" % length) + len(body)
        data += b"%d" % length + body
    data += end
    return header(b"pax", b"%011o\0" % len(data), kind) + data + bytes(-len(data) % 512)


END = bytes(1024)


def cases(outside):
    """All cases: (name, tar bytes, must)."""
    yield from _paths(outside)
    yield from _links(outside)
    yield from _whiteouts()
    yield from _raw_headers()
    yield from _attributes()
    yield from _streams()


def _paths(outside):
    for number, path in enumerate(OUTSIDE):
        way = path.format(abs=outside)
        yield f"path-{number}", tar_bytes(member(way, data=b"evil")), "accept"
        yield f"path-dir-{number}", tar_bytes(_dir(way), member(way + "/x", data=b"evil")), "accept"
        yield f"pax-path-{number}", pax([(b"path", way.encode())]) + header() + END, "accept"
        yield (
            f"gnu-path-{number}",
            tar_bytes(member(way + "/" + "y" * 120, data=b"e"), form=tarfile.GNU_FORMAT),
            "accept",
        )
    yield "deep", tar_bytes(member("d/" * 1500 + "f", data=b"x")), "either"
    yield "very-deep", tar_bytes(member("d/" * 10000 + "f", data=b"x")), "refuse"
    yield "long-name", tar_bytes(member("n" * 255, data=b"x")), "accept"
    yield "too-long-name", tar_bytes(member("n" * 256, data=b"x")), "refuse"
    yield (
        "odd-names",
        tar_bytes(member("a\nb"), member("e\x1b[31m"), member("Case"), member("case"), member("dot.")),
        "accept",
    )
    yield "not-utf8", tar_bytes(member("\udcff\udcfe/x", data=b"1")), "accept"
    yield "empty-name", tar_bytes(member("", data=b"1")), "refuse"
    yield "whiteout-with-content", tar_bytes(member(".wh.a", data=b"1"), member("d/.wh..wh..opq", data=b"22")), "accept"
    yield "dot", tar_bytes(_dir("."), _dir("./"), form=tarfile.GNU_FORMAT), "refuse"


def _links(outside):
    for number, pattern in enumerate(LINKS_OUT):
        target = pattern.format(abs=outside)
        yield f"through-{number}", tar_bytes(_sym("out", target), member("out/canary", data=b"evil")), "either"
        yield f"ancestor-{number}", tar_bytes(_sym("out", target), member("out/sub/dir/x", data=b"evil")), "either"
        yield f"hard-{number}", tar_bytes(_hard("mine", target + "/canary"), member("mine", data=b"evil")), "refuse"
        yield f"hard-via-{number}", tar_bytes(_sym("out", target), _hard("mine", "out/canary")), "refuse"
        yield f"whiteout-via-{number}", tar_bytes(_sym("out", target), member("out/.wh.canary")), "either"
        yield f"opaque-via-{number}", tar_bytes(_sym("out", target), member("out/.wh..wh..opq")), "either"
        yield f"over-link-{number}", tar_bytes(_sym("out", target), _dir("out/", mode=0o777), member("out/x")), "either"
    flip = [_dir("d"), member("d/a", data=b"1"), _sym("x", ".."), _hard("d2", "x")]
    yield "flip", tar_bytes(*flip, member("x/canary", data=b"evil")), "either"
    yield "loop", tar_bytes(_sym("l", "l"), member("l/x", data=b"1")), "refuse"
    yield "loop-two", tar_bytes(_sym("a", "b"), _sym("b", "a"), member("a/x", data=b"1")), "refuse"
    yield "dangling-parent", tar_bytes(_sym("a", "nowhere"), member("a/x", data=b"1")), "refuse"
    yield "hard-to-folder", tar_bytes(_dir("d"), _hard("h", "d")), "refuse"
    yield "hard-to-root", tar_bytes(_hard("h", "/")), "refuse"
    yield "hard-to-link", tar_bytes(_sym("s", f"{outside}/canary"), _hard("h", "s")), "accept"
    yield (
        "hard-mode",
        tar_bytes(_sym("s", f"{outside}/canary"), member("h", tarfile.LNKTYPE, link="s", mode=0o7777)),
        "accept",
    )
    yield "empty-symlink", tar_bytes(_sym("s", "")), "refuse"


def _whiteouts():
    for name in (".wh.", ".wh..", ".wh...", "d/.wh..", "d/.wh..."):
        yield f"whiteout-{name}", tar_bytes(_dir("d"), member(name)), "either"
    for name in ("../.wh.canary", "/.wh.canary", ".wh..wh..opq", ".wh..wh.plnk", "x/.wh..wh..opq", ".wh.a/b"):
        yield f"whiteout-odd-{name}", tar_bytes(member(name)), "either"
    yield "whiteout-and-file", tar_bytes(member("a", data=b"1"), member(".wh.a")), "either"
    yield "whiteout-folder", tar_bytes(_dir("d"), member("d/x"), _dir(".wh.d")), "either"
    yield "below-whiteout", tar_bytes(member(".wh.d"), member("d/.wh.x")), "accept"


def _raw_headers():
    yield "nul-in-pax-path", pax([(b"path", b"a\0b")]) + header() + END, "refuse"
    yield "pax-length-0", pax([], b"0 path=x\n") + header() + END, "refuse"
    yield "pax-length-short", pax([], b"3 path=x\n") + header() + END, "refuse"
    yield "pax-length-long", pax([], b"99 path=x\n") + header() + END, "refuse"
    yield "pax-length-underscore", pax([], b"1_0 path=x\n") + header() + END, "refuse"
    yield "pax-length-sign", pax([], b"+9 path=x\n") + header() + END, "refuse"
    yield "pax-length-endless", pax([], b"9" * 5000) + header() + END, "refuse"
    yield "pax-size-huge", pax([(b"size", b"9" * 19)]) + header() + END, "refuse"
    yield "pax-size-negative", pax([(b"size", b"-1")]) + header() + END, "refuse"
    yield (
        "pax-size-differs",
        pax([(b"size", b"4")]) + header(size=b"00000001000\0") + b"evil" + bytes(508) + END,
        "accept",
    )
    yield "pax-uid-huge", pax([(b"uid", b"4294967295")]) + header() + END, "refuse"
    yield "pax-too-long", header(b"p", b"%011o\0" % (2 << 20), b"x") + bytes(2 << 20) + END, "refuse"
    yield "long-name-too-long", header(b"p", b"%011o\0" % (2 << 20), b"L") + bytes(2 << 20) + END, "refuse"
    yield "base256-uid", header(uid=b"\x80" + b"\0" * 3 + b"\0\0\x27\x10") + END, "accept"
    yield "base256-uid-negative", header(uid=b"\xff" * 8) + END, "refuse"
    yield "base256-size-huge", header(size=b"\x80" + b"\xff" * 11) + END, "refuse"
    yield "base256-size-negative", header(size=b"\xff" * 12) + END, "refuse"
    yield "base256-pax-size-negative", header(size=b"\xff" * 11 + b"\x00", kind=b"x") + END, "refuse"
    yield "size-not-octal", header(size=b"0000000000x\0") + END, "refuse"
    yield "size-underscore", header(size=b"00000_00001\0") + END, "refuse"
    yield "size-unicode", header(size="٣".encode().ljust(12, b"\0")) + END, "refuse"
    yield "bad-checksum", b"x" + header()[1:] + END, "refuse"
    yield "not-a-tar", b"hello world" * 100, "refuse"
    yield "unknown-type", header(kind=b"Z") + END, "refuse"
    yield "extension-at-end", pax([(b"path", b"x")]) + END, "refuse"
    yield "only-global", pax([(b"comment", b"x")], kind=b"g") + END, "accept"
    yield "prefix-escape", header(b"canary", prefix=b"../..") + END, "accept"
    yield (
        "mtime-extremes",
        pax([(b"mtime", b"-99999999999999")]) + header() + pax([(b"mtime", b"9" * 18)]) + header(b"g") + END,
        "accept",
    )
    yield "mtime-not-a-number", pax([(b"mtime", b"1e9")]) + header() + END, "refuse"
    sparse = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"../canary")]
    yield (
        "sparse-endless-map",
        pax([*sparse, (b"GNU.sparse.realsize", b"9")]) + header(size=b"%011o\0" % 1024) + b"9" * 1024 + END,
        "refuse",
    )
    yield (
        "sparse-overlap",
        pax([(b"GNU.sparse.map", b"0,5,2,5"), (b"GNU.sparse.size", b"10")])
        + header(size=b"%011o\0" % 10)
        + bytes(512)
        + END,
        "refuse",
    )
    yield (
        "sparse-beyond",
        pax([(b"GNU.sparse.map", b"0,50"), (b"GNU.sparse.size", b"10")])
        + header(size=b"%011o\0" % 50)
        + bytes(512)
        + END,
        "refuse",
    )
    yield (
        "sparse-odd",
        pax([(b"GNU.sparse.map", b"0,5,2"), (b"GNU.sparse.size", b"10")])
        + header(size=b"%011o\0" % 5)
        + bytes(512)
        + END,
        "refuse",
    )
    yield (
        "sparse-huge",
        pax([(b"GNU.sparse.map", b"0,1"), (b"GNU.sparse.size", b"9223372036854775807")])
        + header(size=b"%011o\0" % 1)
        + bytes(512)
        + END,
        "refuse",
    )


def _attributes():
    for name in (
        "trusted.overlay.opaque",
        "trusted.overlay.redirect",
        "trusted.overlay.metacopy",
        "user.overlay.opaque",
    ):
        yield f"xattr-{name}", tar_bytes(member("d", tarfile.DIRTYPE, pax={f"SCHILY.xattr.{name}": "y"})), "accept"
    yield "xattr-bad-name", tar_bytes(member("f", pax={"SCHILY.xattr.nonsense": "y"})), "either"
    yield "xattr-huge", tar_bytes(member("f", pax={"SCHILY.xattr.user.big": "y" * 100000})), "refuse"
    yield "setuid", tar_bytes(member("su", data=b"x", mode=0o6755)), "accept"
    yield "device", tar_bytes(member("null", tarfile.CHRTYPE, devmajor=1, devminor=3)), "accept"
    yield (
        "device-over-link",
        tar_bytes(_sym("s", "/dev/null"), member("s", tarfile.CHRTYPE, devmajor=1, devminor=3)),
        "refuse",
    )
    yield "fifo-then-file", tar_bytes(member("p", tarfile.FIFOTYPE), member("p2", data=b"1")), "accept"
    yield "duplicate", tar_bytes(member("a", data=b"1"), member("./a", data=b"2")), "refuse"
    yield "duplicate-dots", tar_bytes(member("x/../a", data=b"1"), member("a", data=b"2")), "refuse"


def _streams():
    good = tar_bytes(member("a", data=b"x" * 2000), member("b", data=b"y"))
    yield "empty", b"", "accept"
    yield "zeros", bytes(1024), "accept"
    yield "no-trailer", good[: 512 * 7], "accept"
    yield "cut-in-content", good[:1500], "refuse"
    yield "cut-in-header", good[:100], "refuse"
    yield "garbage-behind", good + b"garbage" * 1000, "accept"
    yield "concatenated", good + good, "accept"
    yield "zero-block-within", good[:2560] + bytes(512) + good[2560:], "refuse"
