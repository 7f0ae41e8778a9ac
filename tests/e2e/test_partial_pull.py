"""`enable_partial_images` of storage.conf: a pull fetches only the pieces of files that no layer of the store has."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root
from plain_store import PlainStore

from sonata.image.layers.chunked import write_chunked
from sonata_testkit.registry import FakeRegistry

pytestmark = pytest.mark.needs_root
OCI = "application/vnd.oci.image.{}.v1+json"
NOISE = random.Random(32)
"""Its pieces are of usual sizes: `layers.chunked` cuts where the bytes say so."""
BIG = NOISE.randbytes(700_000)
OLD = NOISE.randbytes(400_000)


def tar_of(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            tar.addfile(item, io.BytesIO(data))
    return out.getvalue()


def add(registry: FakeRegistry, tag: str, tar: bytes) -> str:
    """An image of one zstd:chunked layer; the digest of its blob."""
    parts: list[bytes] = []
    notes = write_chunked(io.BytesIO(tar), None, parts.append)
    layer = registry.add_blob("lib/x", b"".join(parts))
    diff = "sha256:" + hashlib.sha256(tar).hexdigest()
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI.format("manifest"),
        "config": {"mediaType": OCI.format("config"), **registry.add_blob("lib/x", json.dumps(config).encode())},
        "layers": [{"mediaType": OCI.format("layer") + ".tar+zstd", **layer, "annotations": notes}],
    }
    registry.add_manifest("lib/x", tag, OCI.format("manifest"), json.dumps(document).encode())
    return str(layer["digest"])


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, who: Root, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainStore]:
    conf = tmp_path / "storage.conf"
    conf.write_text(
        '[storage]\ndriver = "overlay"\n[storage.options]\npull_options = {enable_partial_images = "true"}\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(conf))
    yield PlainStore(tmp_path, who=who)


def ranges(registry: FakeRegistry, digest: str) -> list[str]:
    """What was asked for of a blob: the Range of each request."""
    return [one.headers.get("range", "") for one in registry.seen("GET", digest)]


def pulled(store: PlainStore, registry: FakeRegistry, tag: str) -> Path:
    store.out("pull", "-q", "--tls-verify=false", f"{registry.host}/lib/x:{tag}")
    return Path(store.out("inspect", "--format={{.GraphDriver.Data.UpperDir}}", f"{registry.host}/lib/x:{tag}"))


def test_files_of_another_layer_are_not_fetched(store: PlainStore, registry: FakeRegistry) -> None:
    first = add(registry, "1", tar_of(big=BIG, old=b"old" * 99))
    second = add(registry, "2", tar_of(big=BIG, new=os.urandom(9000)))
    pulled(store, registry, "1")
    # Nothing of it is in the store: after its tables the whole is fetched.
    assert ranges(registry, first)[-1] == ""
    path = pulled(store, registry, "2")
    asked = ranges(registry, second)
    assert asked
    assert "" not in asked
    spans = [span.removeprefix("bytes=").split("-") for span in asked]
    assert sum(int(last) - int(begin) + 1 for begin, last in spans) < 20_000
    assert (path / "big").read_bytes() == BIG
    (shown,) = json.loads(store.out("image", "inspect", f"{registry.host}/lib/x:2"))
    document = registry.manifests["lib/x"]["2"][1]
    assert shown["Digest"] == "sha256:" + hashlib.sha256(document).hexdigest()
    assert shown["Id"] == json.loads(document)["config"]["digest"][7:]
    assert store.out("system", "check") == ""


def test_of_a_changed_file_its_changed_pieces_are_fetched(store: PlainStore, registry: FakeRegistry) -> None:
    """Also of one that has another name now, as the table of the older layer was kept."""
    changed = BIG[:200_000] + b"more" + BIG[200_000:]
    add(registry, "1", tar_of(big=BIG, old=OLD))
    second = add(registry, "2", tar_of(big=changed, new=OLD[:120_000] + b"else" * 1250 + OLD[120_000:]))
    pulled(store, registry, "1")
    path = pulled(store, registry, "2")
    asked = ranges(registry, second)
    assert "" not in asked
    spans = [span.removeprefix("bytes=").split("-") for span in asked]
    # Two files of together 1.1 MB: of each a piece of at most 256 KiB, most likely of 64, and the tables.
    assert sum(int(last) - int(begin) + 1 for begin, last in spans) < 600_000
    assert len(asked) < 8
    assert (path / "big").read_bytes() == changed
    assert store.out("system", "check") == ""


def test_a_registry_without_ranges_sends_the_whole(store: PlainStore, registry: FakeRegistry) -> None:
    add(registry, "1", tar_of(big=BIG, old=b"old"))
    second = add(registry, "2", tar_of(big=BIG, new=b"new"))
    pulled(store, registry, "1")
    registry.trouble.no_ranges = True
    path = pulled(store, registry, "2")
    assert (path / "new").read_bytes() == b"new"
    assert "" in ranges(registry, second)


def test_it_is_off_where_nobody_asks_for_it(
    store: PlainStore, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONTAINERS_STORAGE_CONF")
    add(registry, "1", tar_of(big=BIG, old=b"old"))
    second = add(registry, "2", tar_of(big=BIG, new=b"new"))
    pulled(store, registry, "1")
    pulled(store, registry, "2")
    assert ranges(registry, second) == [""]
