"""zstd:chunked layers pulled in parts: what the store has is not fetched, and nothing that a blob says is trusted."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard

sys.path.insert(0, str(Path(__file__).parent))
from layer_corpus import member, tar_bytes
from store_world import open_store

from sonata.engine.images.landing import StoreLanding
from sonata.engine.images.local_files import LocalFiles
from sonata.engine.images.stored import open_layer
from sonata.image.layers.chunked import write_chunked
from sonata.image.layers.chunks import PREFIX, TABLE_LIMIT, places_of
from sonata.image.pull_options import PullOptions
from sonata.image.transfer import pull_image
from sonata.store.store import Store
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes, Platform

pytestmark = pytest.mark.needs_root
OCI = "application/vnd.oci.image.{}.v1+json"
NOISE = random.Random(32)
"""Its pieces are of usual sizes: `layers.chunked` cuts where the bytes say so."""
BIG = NOISE.randbytes(400_000)
OTHER = NOISE.randbytes(90_000)
Document = dict[str, Any]
Change = Callable[[Document], None]


def sha(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def packed(tar: bytes) -> tuple[bytes, dict[str, str]]:
    parts: list[bytes] = []
    notes = write_chunked(io.BytesIO(tar), None, parts.append)
    return b"".join(parts), notes


def tar_of(*files: tuple[str, bytes]) -> bytes:
    return tar_bytes(member("d", tarfile.DIRTYPE), *(member(f"d/{name}", data=data) for name, data in files))


class Source:
    """An image of one layer, of which parts can be asked for; it can lie about them."""

    def __init__(self, tar: bytes, blob: bytes, notes: dict[str, str]) -> None:
        self.blobs = {sha(blob): blob}
        self.whole: list[str] = []
        self.parts = 0
        self.serve: Callable[[bytes], bytes | None] = lambda part: part
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [sha(tar)]}}
        layer = {"mediaType": OCI.format("layer") + ".tar+zstd", **self._add(blob), "annotations": notes}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI.format("manifest"),
            "config": {"mediaType": OCI.format("config"), **self._add(json.dumps(config).encode())},
            "layers": [layer],
        }
        content = json.dumps(document).encode()
        self.top = ManifestBytes(media_type=OCI.format("manifest"), digest=sha(content), content=content)
        self.layer = sha(blob)

    def _add(self, content: bytes) -> Document:
        self.blobs[sha(content)] = content
        return {"digest": sha(content), "size": len(content)}

    def resolve(self) -> ManifestBytes:
        return self.top

    def open_blob(self, blob: Descriptor, offset: int) -> io.BytesIO:
        self.whole.append(blob.digest)
        return io.BytesIO(self.blobs[blob.digest][offset:])

    def open_range(self, blob: Descriptor, offset: int, size: int) -> io.BytesIO | None:
        part = self.serve(self.blobs[blob.digest][offset : offset + size])
        self.parts += size
        return None if part is None else io.BytesIO(part)

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        return ()


class World:
    def __init__(self, top: Path) -> None:
        self.top = top
        self.store: Store = open_store(top)
        engine = SimpleNamespace(store=self.store, storage=SimpleNamespace(hook=self.store._driver()))
        self.reuse = LocalFiles(engine).choose  # type: ignore[arg-type]

    def pull(self, source: Source, *, partial: bool = True) -> None:
        options = PullOptions(
            platform=Platform(os="linux", architecture="amd64"),
            partial=str(self.top / "partial"),
            reuse=self.reuse if partial else None,
        )
        pull_image(source, StoreLanding(self.store), options)  # type: ignore[arg-type]

    def tar(self, source: Source) -> bytes:
        """The layer's tar, as the store gives it back."""
        diff = json.loads(source.blobs[json.loads(source.top.content)["config"]["digest"]])["rootfs"]["diff_ids"][0]
        layer = self.store.layer(diff.partition(":")[2])
        assert layer.diff_digest == diff
        contents = self.store._driver().storage_contents
        return bytes(open_layer(self.store, lambda ref: contents(layer=ref), layer).read())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    first = tar_of(("big", BIG), ("small", b"small"), ("gone", b"gone" * 50))
    made.pull(Source(first, *packed(first)), partial=False)
    yield made
    assert made.store.check().left == ()
    assert not list((tmp_path / "partial").glob("sha256-*"))


SECOND = tar_of(("big", BIG), ("new", OTHER), ("small", b"small"), ("zeros", bytes(70_000) + b"end"))


def test_only_what_is_new_is_fetched(world: World) -> None:
    source = Source(SECOND, *packed(SECOND))
    world.pull(source)
    assert source.layer not in source.whole
    assert len(OTHER) < source.parts < len(OTHER) + 20_000
    assert world.tar(source) == SECOND
    layer = world.store.layer(sha(SECOND)[7:])  # type: ignore[arg-type]
    # Nobody has seen the whole blob: its digest stands for nothing.
    assert layer.compressed_digest == ""
    assert layer.diff_size == len(SECOND)


def test_a_store_that_has_nothing_of_it_takes_the_whole(world: World) -> None:
    tar = tar_of(("other", os.urandom(50_000)))
    source = Source(tar, *packed(tar))
    world.pull(source)
    assert source.layer in source.whole
    assert world.tar(source) == tar
    assert world.store.layer(sha(tar)[7:]).compressed_digest == source.layer  # type: ignore[arg-type]


def test_without_ranges_the_whole_is_pulled(world: World) -> None:
    source = Source(SECOND, *packed(SECOND))
    source.serve = lambda part: None
    world.pull(source)
    assert world.tar(source) == SECOND
    assert source.layer in source.whole


@pytest.mark.parametrize("lie", ["short", "turned", "late"])
def test_parts_that_are_not_what_was_asked_for(world: World, lie: str) -> None:
    source = Source(SECOND, *packed(SECOND))
    count = [0]

    def serve(part: bytes) -> bytes | None:
        count[0] += 1
        if count[0] <= 2:
            return part
        return {"short": part[:-5], "turned": part[:-9] + bytes(9), "late": None}[lie]

    source.serve = serve
    world.pull(source)
    assert world.tar(source) == SECOND
    assert source.layer in source.whole


def test_a_file_of_the_store_that_is_not_what_it_was(world: World) -> None:
    first = next((world.top / "graph/overlay").glob("*/diff/d/big"))
    first.write_bytes(BIG[:-1] + b"!")
    source = Source(SECOND, *packed(SECOND))
    world.pull(source)
    assert world.tar(source) == SECOND
    first.write_bytes(BIG)


def resigned(change: Change, tar: bytes = SECOND) -> tuple[bytes, dict[str, str]]:
    """A layer's blob, with another table of contents that has its right digest."""
    blob, notes = packed(tar)
    places = places_of(notes, len(blob))
    assert places is not None
    at, size, plain = places.table
    document = json.loads(zstandard.ZstdDecompressor().decompress(blob[at : at + size], max_output_size=plain))
    change(document)
    text = json.dumps(document, ensure_ascii=False).encode()
    table = zstandard.ZstdCompressor().compress(text)
    # Behind the rest, in a frame that readers skip.
    frame = (0x184D2A50).to_bytes(4, "little") + len(table).to_bytes(4, "little")
    notes[f"{PREFIX}manifest-position"] = f"{len(blob) + 8}:{len(table)}:{len(text)}:1"
    notes[f"{PREFIX}manifest-checksum"] = sha(table)
    return blob + frame + table, notes


def entry(document: Document, name: str) -> Document:
    found: Document = next(one for one in document["entries"] if one["name"].rstrip("/").endswith(name))
    return found


def set_all(which: str, **values: object) -> Change:
    return lambda document: entry(document, which).update(values)


HOSTILE: dict[str, Change] = {
    "no entries": lambda document: document.pop("entries"),
    "entries of another kind": lambda document: document.update(entries={"name": "d/new"}),
    "an entry that is none": lambda document: document.update(entries=[1]),
    "another version": lambda document: document.update(version=2),
    "another tar-split": lambda document: document.update(tarSplitDigest="sha256:" + "0" * 64),
    "a file less": lambda document: document["entries"].remove(entry(document, "new")),
    "another size": set_all("new", size=7),
    "an enormous size": set_all("new", size=1 << 62),
    "a size below zero": set_all("new", size=-1),
    "a size that is none": set_all("new", size="x"),
    "before the blob": set_all("new", offset=-5),
    "behind the blob": set_all("new", endOffset=1 << 50),
    "ends before it begins": set_all("new", offset=20, endOffset=10),
    "another file's place": lambda document: entry(document, "new").update(
        {key: entry(document, "zeros")[key] for key in ("offset", "endOffset")}
    ),
    "nothing of it": set_all("new", offset=3, endOffset=3),
    "no frame": set_all("new", offset=3),
    "a name that is none": set_all("new", name=5),
    "a name outside": set_all("new", name="../../etc/passwd"),
    "deep": lambda document: document.update(deep=json.loads("[" * 900 + "]" * 900)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tables_change_nothing(world: World, name: str) -> None:
    source = Source(SECOND, *resigned(HOSTILE[name]))
    world.pull(source)
    assert world.tar(source) == SECOND
    assert source.layer in source.whole or name == "deep"


def test_a_table_of_its_own_is_taken(world: World) -> None:
    """That the hostile ones fail for their content, and not for the way that they are made."""
    source = Source(SECOND, *resigned(lambda document: None))
    world.pull(source)
    assert source.layer not in source.whole


def grown(data: bytes) -> bytes:
    """A newer version: something more in the middle, something else further on."""
    return data[:150_000] + b"more" + data[150_000:300_000] + b"else" * 500 + data[302_000:]


def of_pieces(document: Document, name: str) -> list[Document]:
    return [one for one in document["entries"] if one["name"].endswith(name)]


def test_a_changed_file_brings_its_changed_pieces(world: World) -> None:
    tar = tar_of(("big", grown(BIG)), ("small", b"small"))
    source = Source(tar, *packed(tar))
    world.pull(source)
    assert source.layer not in source.whole
    assert source.parts < 250_000
    assert world.tar(source) == tar


def test_pieces_of_a_file_that_moved_are_found_by_the_table_that_was_kept(world: World) -> None:
    first = tar_of(
        ("lib.1", BIG[::-1]),
    )
    world.pull(Source(first, *packed(first)))
    tar = tar_of(
        ("lib.2", b"head" * 9 + grown(BIG[::-1])),
    )
    source = Source(tar, *packed(tar))
    world.pull(source)
    assert source.layer not in source.whole
    assert source.parts < 250_000
    assert world.tar(source) == tar
    image = next(one for one in world.store.images() if one.layer == sha(tar)[7:])
    world.store.delete_image(image)
    assert not list(world.top.glob(f"graph/overlay-layers/{sha(tar)[7:]}*"))


def test_nothing_but_zeros_is_not_fetched(world: World) -> None:
    tar = tar_of(("zeros", bytes(3_000_000)), ("big", BIG), ("other", OTHER))

    def change(document: Document) -> None:
        for one in of_pieces(document, "zeros"):
            one["chunkType"] = "zeros"

    source = Source(tar, *resigned(change, tar))
    world.pull(source)
    assert source.layer not in source.whole
    assert world.tar(source) == tar


PIECES: dict[str, Change] = {
    "another digest": lambda document: of_pieces(document, "big")[1].update(chunkDigest="sha256:" + "1" * 64),
    "a digest that is none": lambda document: of_pieces(document, "big")[1].update(chunkDigest="sha256:" + "é" * 64),
    "no digest": lambda document: of_pieces(document, "big")[1].pop("chunkDigest"),
    "a hole": lambda document: document["entries"].remove(of_pieces(document, "big")[1]),
    "no end": lambda document: document["entries"].remove(of_pieces(document, "big")[-1]),
    "twice": lambda document: document["entries"].insert(2, of_pieces(document, "big")[1]),
    "one over another": lambda document: of_pieces(document, "big")[2].update(chunkOffset=5),
    "too long": lambda document: of_pieces(document, "big")[-1].update(chunkSize=1 << 50),
    "nothing long": lambda document: of_pieces(document, "big")[1].update(chunkSize=0),
    "backwards": lambda document: of_pieces(document, "big")[2].update(offset=100),
    "outside": lambda document: of_pieces(document, "big")[-1].update(offset=1 << 40),
    "of another file": lambda document: of_pieces(document, "big")[1].update(name="d/small"),
    "of no file": lambda document: document["entries"].insert(0, of_pieces(document, "big")[1]),
    "zeros that are none": lambda document: of_pieces(document, "big")[1].update(chunkType="zeros"),
    "a file twice": lambda document: document["entries"].append(of_pieces(document, "small")[0]),
    "long": lambda document: document.update(long="x" * (2 << 20)),
    "many": lambda document: document["entries"].extend({"type": "reg", "size": 1} for _ in range(250_001)),
}


@pytest.mark.parametrize("name", PIECES)
def test_hostile_pieces_change_nothing(world: World, name: str) -> None:
    tar = tar_of(("big", grown(BIG)), ("small", b"small"))
    if name == "zeros that are none":
        # where it would be believed, the layer's digest tells
        tar = tar_of(("big", os.urandom(1000) + BIG), ("small", b"small"))
    source = Source(tar, *resigned(PIECES[name], tar))
    world.pull(source)
    assert world.tar(source) == tar
    assert source.layer in source.whole


def test_a_kept_table_proves_nothing(world: World) -> None:
    """What another engine, or a hostile image, left beside a layer: pieces are believed by their own digest alone."""
    first = tar_of(("a", BIG), ("b", OTHER))
    blob, notes = resigned(lambda document: of_pieces(document, "a")[1].update(chunkDigest=sha(OTHER[:70_000])), first)
    world.pull(Source(first, blob, notes))
    tar = tar_of(("x", OTHER[:70_000] + BIG[::-1]), ("y", BIG))
    source = Source(tar, *packed(tar))
    world.pull(source)
    assert world.tar(source) == tar


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("manifest-position", ""),
        ("manifest-position", "1:2"),
        ("manifest-position", "1:2:3:9"),
        ("manifest-position", "-1:2:3:1"),
        ("manifest-position", "99999999:2:3:1"),
        ("manifest-position", f"1:2:{TABLE_LIMIT + 1}:1"),
        ("manifest-position", "١:2:3:1"),
        ("manifest-checksum", "md5:x"),
        ("manifest-checksum", "sha256:" + "0" * 64),
        ("tarsplit-position", ""),
        ("tarsplit-position", "5:5:99999999999999999"),
    ],
)
def test_annotations_that_make_no_sense(world: World, key: str, value: str) -> None:
    blob, notes = packed(SECOND)
    source = Source(SECOND, blob, {**notes, PREFIX + key: value})
    world.pull(source)
    assert world.tar(source) == SECOND
    assert source.layer in source.whole
