"""Whatever an image says of itself: a value or an error of ours. What is read and written again is the same."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonata.image import config as image_config
from sonata.image import platform
from sonata.image.index import parse_list, write_list
from sonata.image.layers.apply import apply_layer
from sonata.image.layers.feed import Feed
from sonata.image.layers.tarread import TarReader
from sonata.image.layers.tarsplit import InFolders, reassemble
from sonata.image.legacy_config import from_legacy
from sonata.image.limits import Limits
from sonata.image.manifest import Index, LegacyManifest, Manifest, parse_bytes
from sonata.image.reference import archive_name, local_candidates, local_name, short_candidates, split_transport
from sonata_core.errors import Damaged, SonataError, UsageError
from sonata_core.models.image import Platform
from sonata_core.models.media import ACCEPTED
from sonata_core.models.storage import LayerFormat, UnpackTarget

pytestmark = pytest.mark.heavy
LONG = bool(os.environ.get("SONATA_LONG"))
fuzz = settings(max_examples=2_000 if LONG else 100, derandomize=not LONG, deadline=None, database=None)
slow_fuzz = settings(fuzz, max_examples=1_000 if LONG else 40)

DIGEST = "sha256:" + "ab" * 32
TEXT = st.text(st.characters(), max_size=6) | st.sampled_from(["", DIGEST, *ACCEPTED])
HALF = st.just("\ud83d")  # half a character: JSON can write it, nothing else can
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | HALF | st.just(10**400)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | HALF, inner, max_size=3), max_leaves=6
)
RAW = st.binary(max_size=60) | st.sampled_from(
    [b"[" * 9000, b'{"a":' * 9000, b'{"schemaVersion":' + b"9" * 5000 + b"}"]
)


def members(keys: str, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of the members that such a document has."""
    return st.dictionaries(st.sampled_from(keys.split()), inner, max_size=7)


PLATFORM = members("os architecture variant os.version os.features features", SCALARS | st.lists(TEXT, max_size=2))
DESCRIPTOR: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"digest": st.just(DIGEST) | TEXT, "size": st.integers(0, 9) | SCALARS},
    optional={
        "mediaType": TEXT,
        "platform": PLATFORM | SCALARS,
        "annotations": st.dictionaries(TEXT, TEXT | HALF, max_size=2) | SCALARS,
        "urls": st.lists(TEXT, max_size=2),
        "data": TEXT,
        "artifactType": TEXT,
    },
)
ENTRY = members("id parent throwaway config container_config created author", JSON)
LEGACY = st.lists(ENTRY | st.just({"author": "\ud83d"}), max_size=3).map(
    lambda rows: {
        "schemaVersion": 1,
        "fsLayers": [{"blobSum": DIGEST} for _ in rows],
        "history": [{"v1Compatibility": json.dumps(row)} for row in rows],
    }
)
HALVES = st.sampled_from(
    [{"schemaVersion": 1, "fsLayers": [{"blobSum": DIGEST}], "history": [{"v1Compatibility": "\ud83d"}]}]
)
MANIFEST = st.fixed_dictionaries(
    {"schemaVersion": st.sampled_from([1, 2]) | SCALARS},
    optional={
        "mediaType": st.sampled_from(ACCEPTED) | TEXT,
        "config": DESCRIPTOR | SCALARS,
        "layers": st.lists(DESCRIPTOR, max_size=2) | SCALARS,
        "manifests": st.lists(DESCRIPTOR, max_size=3) | SCALARS,
        "subject": DESCRIPTOR | SCALARS,
        "annotations": st.dictionaries(TEXT, TEXT, max_size=2),
        "signatures": JSON | st.just([{"protected": "eyJmb3JtYXRMZW5ndGgiOjF9"}]),
        "Layers": JSON,
    },
)
MANIFESTS = RAW | (MANIFEST | LEGACY | HALVES | JSON).map(lambda value: json.dumps(value).encode())


@fuzz
@given(MANIFESTS, st.sampled_from(["", *ACCEPTED]) | TEXT)
def test_any_manifest(content: bytes, claimed: str) -> None:
    try:
        found = parse_bytes(content, claimed)
    except Damaged as error:
        assert error.message.encode()
        return
    if isinstance(found, Index):
        for asked in ("linux/arm64", "windows/amd64/v2"):
            try:
                platform.choose(found, platform.parse_platform(asked, Platform(os="linux", architecture="amd64")))
            except SonataError:
                continue
    elif isinstance(found, LegacyManifest):
        try:
            image_config.parse(from_legacy(found, (DIGEST,) * len(found.real_layers)))
        except Damaged:
            return
    else:
        assert isinstance(found, Manifest)
        assert found.is_image in (True, False)


@fuzz
@given(
    st.fixed_dictionaries(
        {"schemaVersion": st.just(2), "mediaType": st.sampled_from(ACCEPTED)},
        optional={"manifests": st.lists(DESCRIPTOR, max_size=3), "annotations": st.dictionaries(TEXT, TEXT | HALF)},
    )
)
def test_a_list_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    try:
        found = parse_list(json.dumps(document).encode())
    except Damaged:
        return
    written = write_list(found)
    again = parse_list(written.content)
    assert write_list(again, written.media_type) == written
    # A list of nothing says no more what it would have been, and one of Docker's has no annotations.
    assert [one.digest for one in again.entries or ()] == [one.digest for one in found.entries or ()]


CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "config": members(
            "User Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal StopTimeout ArgsEscaped Healthcheck OnBuild",
            st.dictionaries(st.sampled_from(["Test", "Interval", "Retries"]) | TEXT | HALF, SCALARS)
            | st.lists(TEXT | HALF)
            | SCALARS,
        )
        | SCALARS,
        "rootfs": st.fixed_dictionaries({"diff_ids": st.lists(st.just(DIGEST) | SCALARS, max_size=3)}) | SCALARS,
        "history": st.lists(members("created created_by empty_layer author", SCALARS), max_size=3) | SCALARS,
        **{key: SCALARS for key in ("os", "architecture", "created", "os.features")},
    },
)


@fuzz
@given(RAW | (CONFIG | JSON).map(lambda value: json.dumps(value).encode()), st.integers(0, 3))
def test_any_config(content: bytes, layers: int) -> None:
    try:
        found = image_config.parse(content)
        image_config.check_layers(found, layers)
    except Damaged as error:
        assert error.message.encode()
        return
    assert repr(found).encode()  # no half characters: they could be neither printed nor kept


NAMES = st.lists(
    st.sampled_from(
        ["docker://", "oci:", "a", "B", "localhost", ".io", "/", ":", "@", "-", "__", DIGEST, "5000", "ab" * 32]
    )
    | st.text(st.characters(), max_size=2),
    max_size=6,
).map("".join)


@fuzz
@given(NAMES)
def test_any_reference(text: str) -> None:
    transport, rest = split_transport(text)
    assert text == (f"{transport}:{rest}" if transport else rest)
    assert archive_name({"io.containerd.image.name": text}) == "" or ":" in archive_name(
        {"io.containerd.image.name": text}
    )
    for read in (
        lambda: (local_name(text),),
        lambda: short_candidates(text, {"a": "b.io/a", "B": "/"}, ("docker.io", "x:1")),
        lambda: local_candidates(text, {"a": "b.io/a"}, ("docker.io",)),
    ):
        try:
            found = read()
        except UsageError as error:
            assert error.message.isprintable()
            continue
        for name in found:
            assert str(local_name(str(name))) == str(name)


FIELD = st.binary(max_size=12) | st.sampled_from(
    [
        b"",
        b"0",
        b"644",
        b"-1",
        b"8",
        b" 7 \0",
        b"7" * 11,
        b"\x80" + b"\xff" * 11,
        b"\xff" * 12,
        b"\x80" + b"\0" * 10 + b"\x09",
    ]
)
PATHS = st.lists(
    st.sampled_from(
        [b"/", b"..", b".", b"a", b"b", b".wh.", b".wh..wh..opq", b".wh..wh.", b"\0", b"\xff", b"canary", b"x" * 99]
    ),
    max_size=5,
).map(b"".join)
KINDS = st.sampled_from([*b"01234567SxgLKDMNV", 0, 32, 255])


def block(name: bytes, link: bytes, kind: int, magic: bytes, fields: dict[int, bytes]) -> bytes:
    """A header whose checksum is right, whatever else it says."""
    made = bytearray(512)
    made[:100] = name[:100].ljust(100, b"\0")
    made[157:257] = link[:100].ljust(100, b"\0")
    made[257:265] = magic
    made[156] = kind
    for at, value in fields.items():
        width = 12 if at in (124, 136, 345, 476, 483) else 8
        made[at : at + width] = value[-width:].rjust(width, value[:1] if value[:1] >= b"\x80" else b"0")
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


FIELDS = st.dictionaries(st.sampled_from([100, 108, 116, 124, 136, 329, 337, 345, 476, 483]), FIELD, max_size=3)
MAGIC = st.sampled_from([b"ustar\x0000", b"ustar  \0", b"\0" * 8])
BLOCKS = st.builds(block, PATHS, PATHS, KINDS, MAGIC, FIELDS)
PAX_KEYS = [
    b"path",
    b"linkpath",
    b"size",
    b"uid",
    b"mtime",
    b"SCHILY.xattr.user.x",
    b"SCHILY.xattr.trusted.overlay.opaque",
]
PAX_KEYS += [b"GNU.sparse.map", b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.size", b"GNU.sparse.offset", b""]


def pax(records: list[tuple[bytes, bytes]], shift: int) -> bytes:
    """An extension header with such records; their lengths are wrong by `shift`."""
    content = b""
    for key, value in records:
        record = b" " + key + b"=" + value + b"\n"
        length = len(record) + 2
        content += b"%d" % (length + (len(b"%d" % length) - 2) + shift) + record
    size = b"%o" % len(content)
    return (
        block(b"pax", b"", ord("x"), b"ustar\x0000", {124: size.rjust(12, b"0")}) + content + bytes(-len(content) % 512)
    )


PAX_VALUES = PATHS | FIELD | st.sampled_from([b"0,1,1,5", b"1", b"0", b"9" * 30, b"1.5", b"-3.", b"\xb2"])
PAX = st.builds(
    pax, st.lists(st.tuples(st.sampled_from(PAX_KEYS), PAX_VALUES), max_size=3), st.sampled_from([0, 0, 0, 1, -1])
)
PIECES = BLOCKS | PAX | st.binary(max_size=30).map(lambda data: data.ljust(512, b"\0"))
ARCHIVES = st.tuples(st.lists(PIECES, max_size=5), st.sampled_from([b"", bytes(1024), bytes(100)])).map(
    lambda made: b"".join(made[0]) + made[1]
)


@fuzz
@given(ARCHIVES)
def test_any_tar_header(data: bytes) -> None:
    feed = Feed(io.BytesIO(data))
    try:
        for entry in TarReader(feed):
            assert entry.size >= 0
            assert b"\0" not in entry.name
            for _ in feed.pieces(min(entry.size, len(data))):
                pass
    except Damaged:
        return
    finally:
        feed.close()


@pytest.mark.needs_root
@slow_fuzz
@given(ARCHIVES, st.sampled_from(list(LayerFormat)))
def test_any_layer_is_unpacked_or_refused(data: bytes, form: LayerFormat) -> None:
    """Whiteouts among them. Nothing outside changes; and what was unpacked gives the same archive again."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "canary").write_bytes(b"canary")
        root = f"{folder}/root"
        os.mkdir(root)
        record = io.BytesIO()
        try:
            apply_layer(
                io.BytesIO(data), UnpackTarget(path=root, format=form), tarsplit=record, limits=Limits(size=1 << 20)
            )
            if form is not LayerFormat.PLAIN:
                fd = os.open(root, os.O_RDONLY)
                try:
                    with InFolders((fd,)) as find:
                        assert b"".join(reassemble(io.BytesIO(record.getvalue()), find)) == data
                finally:
                    os.close(fd)
        except SonataError:
            pass
        assert sorted(os.listdir(folder)) == ["canary", "root"]
        assert Path(folder, "canary").read_bytes() == b"canary"
        subprocess.run(["rm", "-rf", root], check=True)
