"""The program against registries that mean no good: a clear error, little memory, nothing left in the store."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.registry import OCI_CONFIG, OCI_MANIFEST, FakeRegistry, digest_of

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from peak import watched
from plain_store import PlainStore

pytestmark = pytest.mark.needs_root

EMPTY = bytes(1024)
MOST_MEMORY = 160 << 10
"""KiB that a pull may take, whatever is sent."""


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        made.add_image("demo/box", "1", [EMPTY])
        yield made


def pull(store: PlainStore, registry: FakeRegistry, *words: str, conf: str = "") -> str:
    """Pull what must not come; what is said. Nothing may be left of it, and it may not have taken much memory."""
    given = store.base / "given.conf"
    given.write_text(f"[engine]\nregistry_head_seconds = 1\nregistry_block_seconds = 1\n{conf}")
    before = kept(store)
    command = ["pull", "-q", "--tls-verify=false", "--retry=0", *words, f"{registry.host}/demo/box:1"]
    program = store.program_with(CONTAINERS_CONF_OVERRIDE=str(given))
    with (store.base / "said").open("wb") as said:
        run = subprocess.Popen([*program, *command], stdout=said, stderr=said)
        used = watched(run)
    told = (store.base / "said").read_text()
    assert run.returncode == 125, told
    assert told.startswith("Error: "), told
    assert "Traceback" not in told
    assert 0 < used < MOST_MEMORY, told
    assert kept(store) == before
    return told


def kept(store: PlainStore) -> tuple[str, list[str], list[str]]:
    """Images, layers' folders, and files in the driver's staging."""
    root = store.base / "root"
    layers = sorted(path.name for path in (root / "overlay").iterdir() if path.name not in ("l", "staging"))
    staged = sorted(path.name for path in root.glob("overlay/staging/*"))
    return store.out("images", "-aq"), layers, staged


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("hang", "not done after 1 seconds"),
        ("drip_head", "not done after 1 seconds"),
        ("drip_body", "not done after 1 seconds"),
        ("endless", "more than the 4194304 bytes"),
        ("short", "the connection broke"),
        ("many_headers", "the connection broke"),
        ("loop", "stopped after 10 redirects"),
    ],
)
def test_manifests_that_never_come(store: PlainStore, registry: FakeRegistry, kind: str, says: str) -> None:
    registry.trouble.strange["/manifests/"] = kind
    assert says in pull(store, registry)


@pytest.mark.parametrize("kind", ["drip_body", "endless", "short"])
def test_layers_that_never_come(store: PlainStore, registry: FakeRegistry, kind: str) -> None:
    registry.add_image("demo/box", "1", [os.urandom(200_000)])
    layer = json.loads(registry.manifests["demo/box"]["1"][1])["layers"][0]["digest"]
    registry.trouble.strange[f"/blobs/{layer}"] = kind
    pull(store, registry)


def test_wrong_bytes_and_lengths(store: PlainStore, registry: FakeRegistry) -> None:
    registry.trouble.corrupt_blobs = True
    assert "damaged" in pull(store, registry)
    registry.trouble.corrupt_blobs = False
    for extra in (5, -5):
        registry.trouble.blob_extra = extra
        assert "longer than" in pull(store, registry) or extra < 0
    registry.trouble.blob_extra = 0
    registry.trouble.manifest_bytes = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}).encode()
    pull(store, registry)


def add_gzip(registry: FakeRegistry, plain: bytes) -> None:
    """An image whose only layer is compressed."""
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(plain)]}}
    layer = registry.add_blob("demo/box", gzip.compress(plain, 9))
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, **registry.add_blob("demo/box", json.dumps(config).encode())},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **layer}],
    }
    registry.add_manifest("demo/box", "1", OCI_MANIFEST, json.dumps(manifest).encode())


def test_bombs(store: PlainStore, registry: FakeRegistry) -> None:
    add_gzip(registry, bytes(20 << 20))
    said = pull(store, registry, conf="image_layer_max_size = 10485760\n")
    assert "unpacks to more than the 10485760 bytes that are allowed" in said
    assert "image_layer_max_size" in said
    assert store.out("pull", "-q", "--tls-verify=false", f"{registry.host}/demo/box:1")


def test_passwords_stay_with_their_host(store: PlainStore) -> None:
    with FakeRegistry(auth="bearer") as registry, FakeRegistry() as other:
        registry.add_image("demo/box", "1", [EMPTY])
        registry.trouble.realm = f"http://localhost:{other.host.partition(':')[2]}/token"
        said = pull(store, registry, "--creds=user:s3cr3t")
        assert "asks that its password be sent to another host" in said
        assert "s3cr3t" not in said
        assert not other.requests
        registry.trouble.realm = "http://2852039166/token"
        assert "link-local" in pull(store, registry, "--creds=user:s3cr3t")
        registry.trouble.realm = ""
        registry.trouble.token_body = b"{" + b" " * (8 << 20) + b"}"
        assert "more than the 1048576 bytes" in pull(store, registry)
