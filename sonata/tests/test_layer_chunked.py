"""zstd:chunked: an ordinary zstd stream, and tables that find every file in it."""

import hashlib
import io
import json
import os
import tarfile

import pytest
import zstandard

from sonata.image.layers.chunked import write_chunked
from sonata.image.layers.compress import Decompressor
from sonata_core.errors import Damaged

PREFIX = "io.github.containers.zstd-chunked."


def tar_with(*extra: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, size in (("small", 10), ("empty", 0), ("odd", 1023), ("dir/large", 3 << 20)):
            item = tarfile.TarInfo(name)
            item.size, item.mtime, item.mode = size, 1_700_000_000.25, 0o4755
            item.pax_headers = {"SCHILY.xattr.user.a": "b"}
            tar.addfile(item, io.BytesIO(os.urandom(size)))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "small"
        for item in (link, *extra):
            tar.addfile(item)
    return out.getvalue()


def packed(plain: bytes) -> tuple[bytes, dict[str, str]]:
    out = io.BytesIO()
    notes = write_chunked(io.BytesIO(plain), None, out.write)
    return out.getvalue(), notes


def frame(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


def test_it_is_the_layer_and_the_tables_are_true() -> None:
    plain = tar_with()
    blob, notes = packed(plain)
    assert Decompressor(io.BytesIO(blob)).readall() == plain
    at, length, size, kind = (int(text) for text in notes[f"{PREFIX}manifest-position"].split(":"))
    table = blob[at : at + length]
    assert notes[f"{PREFIX}manifest-checksum"] == "sha256:" + hashlib.sha256(table).hexdigest()
    assert len(frame(table)) == size
    document = json.loads(frame(table))
    assert (document["version"], kind) == (1, 1)
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for item in tar:
            row = next(one for one in document["entries"] if one["name"] == item.name)
            assert (row["mode"], row.get("size", 0)) == (item.mode, item.size)
            if item.isreg():
                assert row["xattrs"] == {"user.a": "Yg=="}
                assert row["modtime"] == "2023-11-14T22:13:20.25Z"
                file = tar.extractfile(item)
                assert file is not None
                content = file.read()
                if content:
                    assert frame(blob[row["offset"] : row["endOffset"]]) == content
                    assert row["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert next(one for one in document["entries"] if one["name"] == "link")["linkName"] == "small"
    at, length, size = (int(text) for text in notes[f"{PREFIX}tarsplit-position"].split(":"))
    split = blob[at : at + length]
    assert document["tarSplitDigest"] == "sha256:" + hashlib.sha256(split).hexdigest()
    lines = [json.loads(line) for line in frame(split).splitlines()]
    assert [line["position"] for line in lines] == list(range(len(lines)))
    assert len(frame(split)) == size
    footer = [int.from_bytes(blob[place : place + 8], "little") for place in range(len(blob) - 64, len(blob) - 8, 8)]
    told = f"{notes[f'{PREFIX}manifest-position']}:{notes[f'{PREFIX}tarsplit-position']}"
    assert ":".join(str(number) for number in footer) == told
    assert blob[-8:] == b"GNUlInUx"


def test_large_files_are_cut_where_their_bytes_say_so() -> None:
    """As in containers/storage: the first piece with the file, the others behind it; few change with the content."""

    def pieces(content: bytes) -> set[str]:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            item = tarfile.TarInfo("file")
            item.size = len(content)
            tar.addfile(item, io.BytesIO(content))
        blob, notes = packed(out.getvalue())
        at, length, *_ = (int(text) for text in notes[f"{PREFIX}manifest-position"].split(":"))
        first, *others = json.loads(frame(blob[at : at + length]))["entries"]
        assert [one["type"] for one in (first, *others)] == ["reg"] + ["chunk"] * len(others)
        place = 0
        ends = [*(one["offset"] for one in others), first["endOffset"]]
        for one, end in zip((first, *others), ends, strict=True):
            assert one.get("chunkOffset", 0) == place
            part = content[place : place + one["chunkSize"]]
            assert frame(blob[one["offset"] : end]) == part
            assert one["chunkDigest"] == "sha256:" + hashlib.sha256(part).hexdigest()
            place += one["chunkSize"]
        assert place == len(content)
        return {one["chunkDigest"] for one in (first, *others)}

    content = os.urandom(3 << 20)
    whole = pieces(content)
    assert len(whole) > 11
    assert len(pieces(content[: 1 << 20] + b"more" + content[1 << 20 :]) - whole) < 6


def test_the_same_layer_gives_the_same_bytes() -> None:
    plain = tar_with()
    assert packed(plain) == packed(plain)


@pytest.mark.parametrize("name", ["caf\udce9", "small"])
def test_what_a_table_cannot_tell_is_plain_zstd(name: str) -> None:
    """A name that is no UTF-8, and a name that comes twice."""
    plain = tar_with(tarfile.TarInfo(name)) if name == "small" else bare(name)
    blob, notes = packed(plain)
    assert notes == {}
    assert Decompressor(io.BytesIO(blob)).readall() == plain


def bare(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        tar.addfile(tarfile.TarInfo(name))
    return out.getvalue()


def test_a_cut_tar_is_damaged() -> None:
    with pytest.raises(Damaged):
        packed(tar_with()[: 2 << 20])
