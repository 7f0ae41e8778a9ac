"""Compressed streams: what is recognised, read whole, bounded, and refused."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import subprocess

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sonata.image.layers.compress import Compression, Compressor, Decompressor, Pieces, decompressed, detect, zstd_level
from sonata.image.verify import VerifyingReader, parse_digest
from sonata_core.errors import Damaged, SonataError, Unsupported

DATA = os.urandom(300_000) + b"compressible " * 100_000
SKIPPABLE = b"\x50\x2a\x4d\x18" + (10).to_bytes(4, "little") + b"x" * 10
ZSTD = zstandard.compress(DATA)
STREAMS = {
    "gzip": (gzip.compress(DATA, mtime=0), Compression.GZIP, DATA),
    "gzip-members": (
        gzip.compress(DATA) + gzip.compress(b"more") + gzip.compress(b""),
        Compression.GZIP,
        DATA + b"more",
    ),
    "gzip-padded": (gzip.compress(DATA) + bytes(1000), Compression.GZIP, DATA),
    "zstd": (ZSTD, Compression.ZSTD, DATA),
    "zstd-frames": (ZSTD + ZSTD, Compression.ZSTD, DATA + DATA),
    "zstd-skippable": (SKIPPABLE + ZSTD + SKIPPABLE + ZSTD + SKIPPABLE, Compression.ZSTD, DATA + DATA),
    "bzip2": (bz2.compress(DATA[:400_000]), Compression.BZIP2, DATA[:400_000]),
    "xz": (lzma.compress(DATA[:400_000]), Compression.XZ, DATA[:400_000]),
    "none": (DATA, Compression.NONE, DATA),
    "short": (b"\x1f", Compression.NONE, b"\x1f"),
    "nothing": (b"", Compression.NONE, b""),
}


class Dribble(io.RawIOBase):
    """Gives a byte at first, then a little at a time."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def read(self, size=-1):
        step = 1 if self._at < 20 else 4099
        part = self._data[self._at : self._at + step]
        self._at += len(part)
        return part


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("reader", [io.BytesIO, Dribble])
def test_every_compression(name, reader):
    packed, kind, plain = STREAMS[name]
    stream = Decompressor(reader(packed))
    assert stream.kind is kind
    out = b""
    while part := stream.read(1 << 16):
        out += part
    assert out == plain
    assert decompressed(io.BytesIO(packed)).read() == plain


@pytest.mark.parametrize("name", ["gzip", "zstd", "bzip2", "xz", "zstd-skippable"])
@pytest.mark.parametrize(
    "hurt", [lambda b: b[:-5], lambda b: b[: len(b) // 2], lambda b: b[:20], lambda b: b + b"garbage"]
)
def test_cut_and_garbage_are_refused(name, hurt):
    with pytest.raises(Damaged):
        Decompressor(io.BytesIO(hurt(STREAMS[name][0]))).readall()


@pytest.mark.parametrize("name", ["gzip", "zstd", "bzip2", pytest.param("xz", marks=pytest.mark.heavy)])
def test_bombs_stop_at_the_limit(name):
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "bzip2": bz2.compress, "xz": lzma.compress}[name]
    stream = Decompressor(io.BytesIO(pack(bytes(50 << 20))), limit=1 << 20)
    got = 0
    with pytest.raises(Damaged, match="more than the 1048576 bytes"):
        while part := stream.read(1 << 16):
            got += len(part)
    assert got <= 1 << 20


def test_a_huge_zstd_window_is_refused():
    frame = b"\x28\xb5\x2f\xfd\x00\xf8" + b"\x01\x00\x00"
    with pytest.raises(Damaged):
        Decompressor(io.BytesIO(frame + bytes(100))).readall()


@pytest.mark.parametrize(("kind", "tool"), [(Compression.GZIP, "gzip"), (Compression.ZSTD, "zstd")])
def test_what_we_write_others_read(kind, tool):
    packed = Compressor(io.BytesIO(DATA), kind).readall()
    assert detect(packed[:6]) is kind
    assert Decompressor(io.BytesIO(packed)).readall() == DATA
    if kind is Compression.GZIP:
        assert subprocess.run([tool, "-dc"], input=packed, capture_output=True, check=True).stdout == DATA
    else:
        assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == DATA


class Bits(io.BytesIO):
    """A stream that gives less than it is asked for."""

    def read(self, size=-1):
        return super().read(min(size, 70_001) if size > 0 else size)


def test_much_zstd_is_the_same_however_many_threads_make_it(monkeypatch):
    part = random.Random(4).randbytes(100_003)
    large = (part * 175)[: (17 << 20) + 5]
    made = [Compressor(io.BytesIO(large), Compression.ZSTD).readall()]
    made.append(Compressor(Bits(large), Compression.ZSTD).readall())
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    made.append(Compressor(io.BytesIO(large), Compression.ZSTD).readall())
    assert len(set(made)) == 1
    assert Decompressor(io.BytesIO(made[0])).readall() == large
    # One that is not large comes out as one thread writes it, whatever it is read in.
    small = large[: 1 << 20]
    alone = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    assert Compressor(Bits(small), Compression.ZSTD).readall() == alone.compress(small) + alone.flush()


def test_old_compressions_are_not_written():
    with pytest.raises(Unsupported):
        Compressor(io.BytesIO(b""), Compression.XZ)


def test_pieces():
    assert Pieces([b"a", b"", b"bc"]).readall() == b"abc"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["gzip", "zstd", "xz", "bzip2"]), st.integers(0, 2000), st.binary(min_size=1, max_size=3))
def test_any_damage_ends_in_our_error(name, at, piece):
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress, "bzip2": bz2.compress, "xz": lzma.compress}[name]
    packed = bytearray(pack(DATA[:1000]))
    at %= len(packed)
    packed[at : at + len(piece)] = piece
    try:
        Decompressor(io.BytesIO(bytes(packed)), limit=1 << 20).readall()
    except SonataError:
        pass


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_verifying_reader():
    good = VerifyingReader(io.BytesIO(DATA), digest(DATA), len(DATA))
    assert good.readall() == DATA
    assert VerifyingReader(io.BytesIO(DATA), digest(DATA), -1).readall() == DATA
    assert VerifyingReader(io.BytesIO(DATA), "sha512:" + hashlib.sha512(DATA).hexdigest(), -1).readall() == DATA
    for content, size, word in (
        (DATA[:-1], len(DATA), "ends after"),
        (DATA + b"x", len(DATA), "longer"),
        (b"x" + DATA[1:], len(DATA), "damaged"),
        (b"", len(DATA), "ends after"),
    ):
        with pytest.raises(Damaged, match=word):
            VerifyingReader(io.BytesIO(content), digest(DATA), size).readall()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:" + "g" * 64,
        "sha256:" + "A" * 64,
        "md5:" + "0" * 32,
        "sha256:../../x",
        "sha256:" + "0" * 63,
    ],
)
def test_digests_are_checked_before_use(bad):
    with pytest.raises(Damaged):
        parse_digest(bad)


def test_zstd_comes_in_steps_however_dense():
    bomb = zstandard.compress(bytes(200 << 20), 19)
    assert len(bomb) < 30_000
    stream, most, size = Decompressor(io.BytesIO(bomb)), 0, 0
    while part := stream._step():
        most, size = max(most, len(part)), size + len(part)
    assert size == 200 << 20
    assert most <= 1 << 20


def test_tiny_blocks_do_not_slow_it_down():
    header = zstandard.compress(b"x", 1)[:6]
    frame = header[:4] + b"\x00\x58" + b"\x00\x00\x00" * 300_000 + b"\x0b\x00\x00y"
    stream = Decompressor(io.BytesIO(frame + ZSTD))
    assert stream.readall() == b"y" + DATA


@pytest.mark.parametrize("level", [-5, 1, 3, pytest.param(19, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("checksum", [True, False])
def test_zstd_of_every_kind(level, checksum):
    for plain in (b"", b"a", DATA, bytes(3 << 20), DATA * 3):
        for sized in (True, False):
            maker = zstandard.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=sized)
            packed = maker.compress(plain)
            if not sized:
                engine = maker.compressobj()
                packed = engine.compress(plain[:1000]) + engine.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
                packed += engine.compress(plain[1000:]) + engine.flush()
            for reader in (io.BytesIO, Dribble):
                assert Decompressor(reader(packed * 2)).readall() == plain * 2
            with pytest.raises(Damaged, match="cut short"):
                Decompressor(io.BytesIO(packed[:-1])).readall()


def test_levels_of_zstd_beyond_its_own_are_the_nearest() -> None:
    assert [zstd_level(level) for level in (None, -99, 0, 5, 99)] == [3, -7, 0, 5, 22]
