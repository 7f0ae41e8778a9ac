"""Conversion between Docker's and OCI's kinds of image, with Skopeo as the judge."""

import gzip
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sonata.image.convert import convert, layer_type, pick_type
from sonata.image.manifest import Manifest, parse_bytes
from sonata_core.errors import Unsupported
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST

LAYER = gzip.compress(b"\0" * 1024, mtime=0)


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


CONFIG = json.dumps(
    {
        "architecture": "arm64",
        "os": "linux",
        "author": "someone & <co>",
        "created": "2026-01-02T03:04:05.123456789Z",
        "docker_version": "24",
        "container": "x",
        "config": {
            "Hostname": "h",
            "User": "5:6",
            "ExposedPorts": {"90/udp": {}, "80/tcp": {}},
            "Env": ["A=<b>&c", "PATH=/bin"],
            "Cmd": ["sh", "-c", "é"],
            "Entrypoint": None,
            "Volumes": {"/w": {}, "/v": {}},
            "WorkingDir": "/w",
            "Labels": {"z": "1", "a": "2"},
            "StopSignal": "SIGINT",
            "Healthcheck": {"Test": ["CMD", "true"]},
            "OnBuild": ["RUN x"],
            "Shell": ["/bin/bash"],
        },
        "rootfs": {"type": "layers", "diff_ids": [digest_of(b"\0" * 1024)]},
        "history": [
            {"created": "2026-01-02T03:04:05Z", "created_by": "ADD <x>", "comment": "c"},
            {"created": "2026-01-02T03:04:06Z", "created_by": "CMD", "author": "me", "empty_layer": True},
        ],
    }
).encode()
DOCUMENT = {
    "schemaVersion": 2,
    "mediaType": DOCKER_MANIFEST,
    "config": {"mediaType": DOCKER_CONFIG, "size": len(CONFIG), "digest": digest_of(CONFIG)},
    "layers": [{"mediaType": f"{DOCKER_LAYER}.gzip", "size": len(LAYER), "digest": digest_of(LAYER)}],
}


def image() -> Manifest:
    found = parse_bytes(json.dumps(DOCUMENT).encode())
    assert isinstance(found, Manifest)
    return found


@pytest.mark.needs_peer
@pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
def test_conversions_are_those_of_skopeo(tmp_path: Path) -> None:
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
    (folder / "manifest.json").write_text(json.dumps(DOCUMENT))
    for blob in (CONFIG, LAYER):
        (folder / digest_of(blob)[7:]).write_bytes(blob)
    for target, kind, media_type in (("oci", "oci", OCI_MANIFEST), ("back", "v2s2", DOCKER_MANIFEST)):
        source = tmp_path / ("docker" if target == "oci" else "oci")
        manifest = parse_bytes((source / "manifest.json").read_bytes())
        assert isinstance(manifest, Manifest)
        config = (source / manifest.config.digest[7:]).read_bytes()
        made = convert(manifest, config, media_type)
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "--format", kind, f"dir:{source}", f"dir:{tmp_path / target}"],
            check=True,
            capture_output=True,
        )
        theirs = (tmp_path / target / "manifest.json").read_bytes()
        judged = parse_bytes(theirs)
        assert isinstance(judged, Manifest)
        assert made.config_bytes == (tmp_path / target / judged.config.digest[7:]).read_bytes()
        assert made.manifest.content == theirs
        assert made.manifest.media_type == media_type


def test_what_is_written_anew_says_of_itself_what_it_did() -> None:
    about = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{'3' * 64}", "size": 5}
    config = {"digest": digest_of(CONFIG), "size": len(CONFIG), "annotations": {"c": "d"}}
    layer = {"mediaType": OCI_LAYER, "digest": digest_of(LAYER), "size": len(LAYER)}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/x.y",
        "config": {"mediaType": OCI_CONFIG, **config},
        "layers": [layer],
        "subject": about,
        "annotations": {"a": "b"},
    }
    content = json.dumps(document, separators=(",", ":")).encode()
    manifest = parse_bytes(content)
    assert isinstance(manifest, Manifest)
    assert convert(manifest, CONFIG, OCI_MANIFEST).manifest.content == content
    docker = json.loads(convert(manifest, CONFIG, DOCKER_MANIFEST).manifest.content)
    assert sorted(docker) == ["config", "layers", "mediaType", "schemaVersion"]
    noted = parse_bytes(json.dumps({**DOCUMENT, "annotations": {"a": "b"}}).encode())
    assert isinstance(noted, Manifest)
    assert b"annotations" not in convert(noted, CONFIG, OCI_MANIFEST).manifest.content


def test_types_are_picked() -> None:
    assert pick_type(image(), ()) == DOCKER_MANIFEST
    assert pick_type(image(), (OCI_MANIFEST, DOCKER_MANIFEST)) == DOCKER_MANIFEST
    assert pick_type(image(), (OCI_MANIFEST,)) == OCI_MANIFEST
    with pytest.raises(Unsupported):
        pick_type(image(), ("application/x",))


def test_layer_types() -> None:
    assert layer_type(f"{DOCKER_LAYER}.gzip", OCI_MANIFEST) == f"{OCI_LAYER}+gzip"
    assert layer_type(f"{OCI_LAYER}+zstd", DOCKER_MANIFEST, "") == DOCKER_LAYER
    assert layer_type(OCI_LAYER, OCI_MANIFEST, "gzip") == f"{OCI_LAYER}+gzip"
    assert layer_type(f"{DOCKER_LAYER}.gzip".replace("diff", "foreign.diff"), OCI_MANIFEST).endswith(
        "nondistributable.v1.tar+gzip"
    )
    for bad in (f"{OCI_LAYER}+zstd", f"{OCI_LAYER}+gzip+encrypted", "application/x", ""):
        with pytest.raises(Unsupported):
            layer_type(bad, DOCKER_MANIFEST)
