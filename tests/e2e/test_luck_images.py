"""Pulls that go wrong: each ends in an error that says what to do, and leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import OCI_CONFIG, OCI_MANIFEST, FakeRegistry, digest_of

sys.path.insert(0, os.path.dirname(__file__))
from luck_world import IMAGE, Unchanged, World, bare, busybox_layer, own_network, sample, tar_of, wait_for, world

__all__ = ["bare", "own_network", "world"]
pytestmark = pytest.mark.needs_root


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        made.add_image("box", "1", [busybox_layer()])
        yield made


def test_an_unknown_tag(bare: World, registry: FakeRegistry) -> None:
    with Unchanged(bare):
        done = bare.fails(125, "manifest unknown", "pull", "-q", f"{registry.host}/box:nope")
    assert "box:nope" in done.err


def test_an_unknown_image(bare: World, registry: FakeRegistry) -> None:
    with Unchanged(bare):
        done = bare.do("pull", "-q", f"{registry.host}/nothing:1")
    assert done.code == 125
    assert "nothing:1" in done.err


def test_an_unknown_digest(bare: World, registry: FakeRegistry) -> None:
    with Unchanged(bare):
        done = bare.fails(125, "manifest unknown", "pull", "-q", f"{registry.host}/box@sha256:{'0' * 64}")
    assert "0000" in done.err


@pytest.mark.parametrize("verb", ["pull", "run", "create"])
def test_a_registry_that_is_not_there(bare: World, verb: str) -> None:
    with Unchanged(bare):
        bare.fails(
            125, "connection refused", verb, "-q" if verb == "pull" else "--rm", "--retry=0", "127.0.0.1:9/box:1"
        )


def test_a_registry_whose_name_nobody_knows(bare: World) -> None:
    with Unchanged(bare):
        bare.fails(125, "nowhere.invalid", "pull", "-q", "nowhere.invalid/box:1")


def test_an_image_that_must_be_here(world: World) -> None:
    with Unchanged(world):
        world.fails(125, "image not known", "run", "--pull=never", "localhost/other:1", "true")
        world.fails(125, "image not known", "create", "--pull=never", f"sha256:{'1' * 64}")
        world.fails(1, "image not known", "rmi", "localhost/other:1")
        world.fails(125, "localhost/other:1", "inspect", "localhost/other:1")


def test_wrong_credentials(bare: World) -> None:
    with FakeRegistry(auth="basic") as guarded:
        guarded.add_image("box", "1", [busybox_layer()])
        with Unchanged(bare):
            bare.fails(125, "authentication required", "pull", "-q", "--creds=user:wrong", f"{guarded.host}/box:1")
            done = bare.fails(125, "authentication required", "pull", "-q", f"{guarded.host}/box:1")
        assert "secret" not in done.err
        bare.ok("pull", "-q", "--creds=user:secret", f"{guarded.host}/box:1")


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": []}', '{"auths": {"127.0.0.1": {"auth": "%%%"}}}', ""])
def test_a_broken_file_of_credentials(bare: World, registry: FakeRegistry, text: str) -> None:
    path = bare.base / "auth.json"
    path.write_text(text)
    done = bare.do("pull", "-q", f"--authfile={path}", f"{registry.host}/box:1")
    assert done.code in (0, 125)
    assert done.code == 0 or "auth.json" in done.err


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_tls_that_does_not_match(bare: World) -> None:
    with DebianRegistry(bare.base / "registry", tls=True) as secure, Unchanged(bare):
        bare.fails(125, "certificate", "pull", "-q", f"{secure.host}/box:1")
    # A registry that speaks plainly, asked for TLS.
    with DebianRegistry(bare.base / "plain") as plain, Unchanged(bare):
        bare.fails(125, "http: server gave HTTP response to HTTPS client", "pull", "-q", "--tls-verify=true",
                   f"{plain.host}/box:1")  # fmt: skip


def test_a_manifest_that_is_another(bare: World, registry: FakeRegistry) -> None:
    """What lies under a digest has another one."""
    digest = registry.add_image("box", "2", [tar_of(("x", b"y"))])["digest"]
    registry.trouble.manifest_bytes = registry.manifests["box"]["1"][1]
    with Unchanged(bare):
        bare.fails(125, "digest", "pull", "-q", f"{registry.host}/box@{digest}")


def test_a_blob_that_is_another(bare: World, registry: FakeRegistry) -> None:
    registry.trouble.corrupt_blobs = True
    with Unchanged(bare):
        bare.fails(125, "igest", "pull", "-q", "--retry=1", f"{registry.host}/box:1")
    registry.trouble.corrupt_blobs = False
    bare.ok("pull", "-q", f"{registry.host}/box:1")


def test_a_blob_of_another_size(bare: World, registry: FakeRegistry) -> None:
    registry.trouble.blob_extra = 100
    with Unchanged(bare):
        assert bare.do("pull", "-q", "--retry=1", f"{registry.host}/box:1").code == 125


def test_a_blob_that_is_cut_off(bare: World, registry: FakeRegistry) -> None:
    """Again and again; then the line is good, and the pull goes on where it stood."""
    registry.trouble.cut_at = 0
    with Unchanged(bare):
        done = bare.do("pull", "-q", "--retry=1", "--retry-delay=10ms", f"{registry.host}/box:1")
        assert done.code == 125, done
        assert "Error" in done.err
    registry.trouble.cut_at = -1
    bare.ok("pull", "-q", f"{registry.host}/box:1")


CORRUPT = {
    "no tar": b"this is no archive" * 100,
    "half a header": busybox_layer()[:300] if os.path.exists("/bin/busybox") else b"",
    "half a file": busybox_layer()[:100_000] if os.path.exists("/bin/busybox") else b"",
    "a bad checksum": b"\1" + tar_of(("a", b"b"))[1:],
    "half a gzip": gzip.compress(busybox_layer())[:200_000] if os.path.exists("/bin/busybox") else b"",
    "an escape": tar_of(("../../out", b"x")),
    "an escape by a link": tar_of(("a", "→ /"), ("a/tmp/sonata-escape", b"x")),
}


@pytest.mark.parametrize(
    ("name", "driver"), sample([(name, driver) for name in CORRUPT for driver in ("overlay", "vfs")], 6)
)
def test_a_layer_that_is_damaged(bare: World, registry: FakeRegistry, name: str, driver: str) -> None:
    registry.add_image("bad", "1", [tar_of(("good", b"1")), CORRUPT[name]])
    bare.ok("--storage-driver", driver, "images")
    with Unchanged(bare, but=("layers", "folders")):
        done = bare.do("--storage-driver", driver, "pull", "-q", f"{registry.host}/bad:1")
        if name.startswith("an escape") and done.code == 0:
            # What points outside may also be kept inside.
            bare.ok("--storage-driver", driver, "rmi", f"{registry.host}/bad:1")
        else:
            assert done.code == 125, done
    # Layers that are whole stay for the next pull; what no image needs, the repair takes away.
    bare.do("--storage-driver", driver, "system", "check", "--repair", "--max=0s")
    found = bare.footprint()
    assert (found["layers"], found["folders"]) == ([], [])
    assert not os.path.exists("/tmp/sonata-escape")
    assert not (bare.base / "out").exists()


ARCHIVES = {
    "empty": b"",
    "no archive": b"hello" * 1000,
    "no manifest": tar_of(("a", b"b")),
    "a broken manifest": tar_of(("manifest.json", b"[{")),
    "a manifest of something else": tar_of(("manifest.json", b'{"a": [1]}')),
    "a missing layer": tar_of(
        ("manifest.json", b'[{"Config": "c.json", "RepoTags": ["localhost/a:1"], "Layers": ["l.tar"]}]'),
        ("c.json", b'{"rootfs": {"type": "layers", "diff_ids": ["sha256:' + b"0" * 64 + b'"]}}'),
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_none(bare: World, name: str) -> None:
    path = bare.base / "bad.tar"
    path.write_bytes(ARCHIVES[name])
    bare.ok("images")
    with Unchanged(bare):
        done = bare.fails(125, "", "load", "-q", "-i", str(path))
    assert "KeyError" not in done.err
    bare.fails(125, "no such file", "load", "-i", str(bare.base / "absent.tar"))


def test_a_layer_that_is_not_what_the_config_says(bare: World, registry: FakeRegistry) -> None:
    layer = tar_of(("a", b"b"))
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(b"other")]}}
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, **registry.add_blob("twisted", config)},
        "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", **registry.add_blob("twisted", layer)},
        ],
    }
    registry.add_manifest("twisted", "1", OCI_MANIFEST, json.dumps(manifest).encode())
    with Unchanged(bare):
        bare.fails(125, "config says", "pull", "-q", f"{registry.host}/twisted:1")


@pytest.mark.parametrize(
    ("verb", "number"),
    [("pull", signal.SIGINT), ("create", signal.SIGINT), ("run", signal.SIGINT), ("pull", signal.SIGTERM)],
)
def test_ctrl_c_in_a_pull(bare: World, registry: FakeRegistry, verb: str, number: signal.Signals) -> None:
    """Interrupted, it takes away what it began; terminated, the next pull does."""
    registry.trouble.slow = 0.2
    bare.ok("images")
    with Unchanged(bare, but=("folders",) if number == signal.SIGTERM else ()):
        words = (verb, f"{registry.host}/box:1") + (() if verb == "pull" else ("true",))
        pull = bare.background(*words)
        wait_for(lambda: registry.seen("GET", "/blobs/"))
        time.sleep(0.3)
        pull.send_signal(number)
        _, err = pull.communicate(timeout=10)
        assert pull.returncode in ((130,) if number == signal.SIGINT else (143, -15)), err
        assert "Traceback" not in err
    registry.trouble.slow = 0.0
    bare.ok("pull", "-q", f"{registry.host}/box:1")
    assert not [place for place in bare.footprint()["folders"] if "tempdirs" in place]


def _small_disk(place: Path, size: str) -> None:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], check=True)


@pytest.mark.rootful("mounts over what the host has")
@pytest.mark.parametrize("driver", ["overlay", "vfs"])
def test_a_full_disk_in_a_pull(bare: World, registry: FakeRegistry, driver: str) -> None:
    _small_disk(bare.root, "1M")
    with Unchanged(bare, but=("folders",)):
        done = bare.fails(125, "o space left on device", "--storage-driver", driver, "pull", "-q",
                          f"{registry.host}/box:1")  # fmt: skip
    assert not list(bare.root.glob("sonata/partial/*"))
    subprocess.run(["mount", "-o", "remount,size=100M", str(bare.root)], check=True)
    assert bare.ok("--storage-driver", driver, "images", "-q") == "", done
    bare.ok("--storage-driver", driver, "pull", "-q", f"{registry.host}/box:1")


@pytest.mark.rootful("mounts over what the host has")
@pytest.mark.parametrize("free", [0, 1, 4, 8])
def test_a_full_disk_in_create(bare: World, free: int) -> None:
    """With so many free pages: the database, layers.json or the layer's folder find no place."""
    _small_disk(bare.root, "20M")
    bare.load()
    bare.ok("ps")
    filler = bare.root / "filler"
    with Unchanged(bare, but=("folders",)):
        _fill(filler, free)
        done = bare.do("create", "--name", "x", IMAGE, "true")
        listed = bare.do("ps", "-aq")
        assert listed.code in (0, 125), listed
        filler.unlink()
        if done.code == 0:
            bare.ok("rm", "x")
        else:
            assert done.code == 125, done
            assert "no space left on device" in done.err.lower() or "full" in done.err.lower(), done
            assert bare.ok("ps", "-aq") == ""
    bare.ok("run", "--rm", "--network=none", IMAGE, "true")


def _fill(path: Path, free_pages: int) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - free_pages * 4096))
