"""A pull from end to end, less the registry: real layers, unpacked by us, in a store that others then use."""

import gzip
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sonata.engine.images.landing import StoreLanding
from sonata.image.pull_options import PullOptions
from sonata.image.transfer import pull_image
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes, Platform

sys.path.insert(0, str(Path(__file__).parent))
from store_world import BUSYBOX, busybox_layers, digest_of, open_store, run, tar_of
from test_store_interop import LIMITS, NEWER, World, world  # noqa: F401

NAME = "localhost/pulled:1"
pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_peer,
    pytest.mark.skipif(not (shutil.which("podman") and shutil.which("skopeo")), reason="needs podman and skopeo"),
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static"),
]


class Folder:
    """An image source on blobs in memory."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        plain = [*(tar_of(files) for files in busybox_layers()), whiteouts()]
        packed = [gzip.compress(one, mtime=0) for one in plain]
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "created": "2024-01-02T03:04:05.5Z",
                "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [digest_of(one) for one in plain]},
            }
        ).encode()
        kind = "application/vnd.oci.image."
        self.top = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind + "manifest.v1+json",
                "config": self.put(kind + "config.v1+json", config),
                "layers": [self.put(kind + "layer.v1.tar+gzip", one) for one in packed],
            }
        ).encode()
        self.kind = kind + "manifest.v1+json"
        self.plain = plain

    def put(self, kind: str, data: bytes) -> dict[str, Any]:
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def resolve(self) -> ManifestBytes:
        return ManifestBytes(media_type=self.kind, digest=digest_of(self.top), content=self.top)

    def manifest(self, digest: Digest) -> ManifestBytes:
        return self.resolve()

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        return io.BytesIO(self.blobs[blob.digest][offset:])

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        return ()

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_trouble: object) -> None:
        return None


def whiteouts() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind in (
            ("bin", tarfile.DIRTYPE),
            ("bin/.wh.cat", tarfile.REGTYPE),
            ("tmp", tarfile.DIRTYPE),
            ("tmp/.wh..wh..opq", tarfile.REGTYPE),
        ):
            item = tarfile.TarInfo(name)
            item.type, item.mode = kind, 0o755
            tar.addfile(item)
        item = tarfile.TarInfo("bin/hard")
        item.type, item.linkname = tarfile.REGTYPE, ""
        item.size, item.mode, item.mtime = 3, 0o4755, 1_600_000_000
        tar.addfile(item, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("bin/linked")
        link.type, link.linkname = tarfile.LNKTYPE, "bin/hard"
        link.mode, link.mtime = item.mode, item.mtime
        tar.addfile(link)
    return out.getvalue()


@pytest.fixture
def pulled(world: World, tmp_path: Path) -> Iterator[tuple[World, Folder]]:  # noqa: F811
    source = Folder()
    options = PullOptions(platform=Platform(os="linux", architecture="amd64"), partial=str(tmp_path / "partial"))
    done = pull_image(source, StoreLanding(world.store), options)
    image = world.store.find_image(done.id)
    assert image is not None
    world.store.add_names(image, [NAME])
    yield world, source


def test_podman_runs_what_was_pulled(pulled: tuple[World, Folder]) -> None:
    place, _ = pulled
    out = place.podman(
        "run", *LIMITS, "--rm", "--network", "none", NAME, "sh", "-c", "read -r line </etc/hello; echo $line"
    ).stdout
    assert out == "hello from below\n"
    gone = place.podman("run", *LIMITS, "--rm", "--network", "none", NAME, "/bin/cat", "/etc/hello", check=False)
    assert gone.returncode == 127
    assert place.store.check().left == ()


def test_the_tars_come_out_as_they_went_in(pulled: tuple[World, Folder], tmp_path: Path) -> None:
    place, source = pulled
    folder = tmp_path / "copy"
    run("skopeo", "--insecure-policy", "copy", "--dest-decompress", place.reference(NAME), f"dir:{folder}")
    layers = json.loads((folder / "manifest.json").read_text())["layers"]
    assert [one["digest"] for one in layers] == [digest_of(one) for one in source.plain]
    for one in layers:
        data = (folder / one["digest"][7:]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == one["digest"][7:]


@pytest.mark.skipif(not NEWER, reason="SONATA_PODMAN_NEWER names no newer Podman")
def test_a_newer_podman_checks_what_was_pulled(pulled: tuple[World, Folder]) -> None:
    place, _ = pulled
    done = place.newer("system", "check", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = open_store(place.top / "theirs", place.driver)
    target = f"containers-storage:[{place.driver}@{theirs.place.graph}+{theirs.place.run}]{NAME}"
    run("skopeo", "--insecure-policy", "copy", place.reference(NAME), target)
    assert len(place.store.layers()) == len(theirs.layers())
    for layer, record in place.store.layers().items():
        other = theirs.layers()[layer]
        assert (record.diff_digest, record.diff_size) == (other.diff_digest, other.diff_size)
        assert record.data.get("uidset") == other.data.get("uidset")
