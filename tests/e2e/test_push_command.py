"""push: what arrives at a registry and in a folder, as the options say; and that a second push sends nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root
PLAIN = "--tls-verify=false"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, "vfs", who=who)
    yield made
    made.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


def manifest(registry: FakeRegistry, name: str) -> dict[str, Any]:
    repository, _, tag = name.partition(":")
    found: dict[str, Any] = json.loads(registry.manifests[repository][tag][1])
    return found


def sent(registry: FakeRegistry) -> int:
    """How many uploads were begun since the last question."""
    count = len([one for one in registry.seen("POST", "/blobs/uploads/")])
    registry.requests.clear()
    return count


def test_form_and_compression(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    at = f"{registry.host}/box"
    shown = store("push", PLAIN, IMAGE, f"{at}:1").stderr.decode()
    assert "Writing manifest to image destination" in shown
    assert manifest(registry, "box:1")["mediaType"] == DOCKER
    done = store("push", "-q", PLAIN, "--format=oci", f"--digestfile={tmp_path}/digest", IMAGE, f"{at}:oci")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert manifest(registry, "box:oci")["mediaType"] == OCI
    assert (tmp_path / "digest").read_text() in registry.manifests["box"]
    sizes = []
    for level in ("1", "9"):
        store.out("push", PLAIN, "--compression-format=gzip", f"--compression-level={level}", IMAGE, f"{at}{level}:1")
        sizes.append(manifest(registry, f"box{level}:1")["layers"][0]["size"])
    assert sizes[0] > sizes[1]
    store.out("push", PLAIN, "--compression-format=zstd:chunked", IMAGE, f"{at}:chunked")
    layer = manifest(registry, "box:chunked")["layers"][0]
    assert layer["mediaType"].endswith("+zstd")
    assert "io.github.containers.zstd-chunked.manifest-checksum" in layer["annotations"]


def test_what_is_refused(store: PlainStore, registry: FakeRegistry) -> None:
    at = f"{registry.host}/box:1"
    told = "unknown format \"v3\". Choose on of the supported formats: 'oci', 'v2s1', or 'v2s2'"
    assert told in store.refused("push", PLAIN, "--format=v3", IMAGE, at)
    assert "schema 1" in store.refused("push", PLAIN, "--format=v2s1", IMAGE, at)
    by_digest = f"{registry.host}/box@sha256:{'a' * 64}"
    other = "Digest of source image's manifest would not match destination reference"
    assert other in store.refused("push", PLAIN, IMAGE, by_digest)
    copy = ("image", "copy", "--dest-tls-verify=false", f"docker-archive:{store.base}/box.tar")
    assert other in store.refused(*copy, f"docker://{by_digest}")
    assert not registry.seen("PUT", "/manifests/sha256:aaaa")
    assert "zstd" in store.refused("push", PLAIN, "--format=v2s2", "--compression-format=zstd", IMAGE, at)
    assert "cannot be encrypted" in store.refused("push", PLAIN, "--encryption-key=jwe:k", IMAGE, at)
    assert "cannot be encrypted" in store.refused("push", PLAIN, "--encrypt-layer=0", IMAGE, at)
    assert "always accepted" in store.refused("push", PLAIN, "--signature-policy=p", IMAGE, at)
    assert registry.manifests == {}


def test_what_lies_there_is_taken_unless_forced(store: PlainStore, registry: FakeRegistry) -> None:
    at = f"{registry.host}/box"
    store.out("push", PLAIN, IMAGE, f"{at}:1")
    store.out("pull", "-q", PLAIN, f"{at}:1")
    first = manifest(registry, "box:1")
    assert sent(registry) == 2
    store.out("push", PLAIN, "--disable-content-trust", f"{at}:1")
    assert sent(registry) == 0
    assert manifest(registry, "box:1") == first
    zstd = ("push", PLAIN, "--compression-format=zstd")
    store.out(*zstd, "--force-compression=false", f"{at}:1", f"{at}:kept")
    assert manifest(registry, "box:kept")["layers"][0]["digest"] == first["layers"][0]["digest"]
    store.out(*zstd, f"{at}:1", f"{at}:zstd")
    assert manifest(registry, "box:zstd")["layers"][0]["digest"] != first["layers"][0]["digest"]


def test_folders_are_compressed_when_asked(store: PlainStore, tmp_path: Path) -> None:
    kinds = []
    for name, words in (("plain", ()), ("packed", ("--compress",))):
        store.out("push", "-q", *words, IMAGE, f"dir:{tmp_path}/{name}")
        kinds.append(json.loads((tmp_path / name / "manifest.json").read_text())["layers"][0]["mediaType"])
    assert kinds == [
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ]


def test_save_of_folders_and_layouts(store: PlainStore, tmp_path: Path) -> None:
    def layer(form: str, name: str, *words: str) -> str:
        store.out("save", "-q", f"--format={form}", "-o", f"{tmp_path}/{name}", *words, IMAGE)
        found = list((tmp_path / name).rglob("*"))
        documents = [path.read_bytes() for path in found if path.is_file() and path.stat().st_size < 5000]
        found_layers = [json.loads(one)["layers"] for one in documents if b'"layers":[' in one]
        return str(found_layers[0][0]["mediaType"])

    assert layer("docker-dir", "a").endswith(".tar")
    assert layer("docker-dir", "b", "--compress").endswith(".tar.gzip")
    assert layer("oci-dir", "c").endswith("+gzip")
    assert layer("oci-dir", "d", "--uncompressed").endswith(".tar")
    assert "should not contain ':'" in store.refused("save", "-o", "a:b", IMAGE)
    assert "only be set when --format is 'docker-dir'" in store.refused("save", "--compress", "-o", "x", IMAGE)
    assert layer("docker-dir", "e", "--uncompressed").endswith(".tar")  # which is so anyway


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_the_same_archive_twice(store: PlainStore, tmp_path: Path, form: str) -> None:
    for number in range(4):
        (tmp_path / "file").write_bytes(os.urandom(200_000 + number))
        store.out("create", "--name", "c", IMAGE if not number else f"more:{number - 1}")
        store.out("cp", f"{tmp_path}/file", f"c:/file{number}")
        store.out("commit", "-q", "c", f"localhost/more:{number}")
        store.out("rm", "c")
    made = []
    for name in ("one", "two"):
        store.out("save", "-q", f"--format={form}", "-o", f"{tmp_path}/{name}", "localhost/more:3")
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


def test_busy_and_broken_registries(store: PlainStore, registry: FakeRegistry) -> None:
    registry.trouble.broken = 2
    assert "503" in store.refused("push", PLAIN, "--retry=0", IMAGE, f"{registry.host}/box:1")
    registry.trouble.broken = 2
    store.out("push", PLAIN, "--retry=3", "--retry-delay=10ms", IMAGE, f"{registry.host}/box:1")
    assert "box" in registry.manifests


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_a_registry_with_tls_and_a_password(store: PlainStore, tmp_path: Path) -> None:
    with DebianRegistry(tmp_path / "registry", tls=True, user="user", password="secret") as registry:
        certificates = tmp_path / "certs"
        certificates.mkdir()
        os.symlink(registry.ca, certificates / "ca.crt")
        at = ("push", "-q", IMAGE, f"{registry.host}/box:1")
        assert "certificate" in store.refused(*at, "--creds=user:secret")
        known = f"--cert-dir={certificates}"
        assert "authentication required" in store.refused(*at, known)
        store.out(*at, known, "--creds=user:secret")
        store.out("login", f"--authfile={tmp_path}/auth.json", known, "-u", "user", "-p", "secret", registry.host)
        store.out(*at, known, f"--authfile={tmp_path}/auth.json")
        store.out(*at, PLAIN, f"--authfile={tmp_path}/auth.json")


@pytest.mark.parametrize("status", [400, 415])
def test_a_registry_that_takes_one_form_only(
    store: PlainStore, registry: FakeRegistry, tmp_path: Path, status: int
) -> None:
    registry.trouble.manifest_refusal = status
    store.out("push", "-q", IMAGE, f"oci:{tmp_path}/layout:x")
    ours = store.out("pull", "-q", f"oci:{tmp_path}/layout:x")
    at = f"{registry.host}/old"
    for taken, image, place in (
        (DOCKER, ours, f"oci:{tmp_path}/layout:x"),
        (OCI, IMAGE, f"containers-storage:{IMAGE}"),
    ):
        registry.trouble.manifest_kinds = (taken,)
        store.out("push", "-q", PLAIN, image, f"{at}:1")
        store.out("image", "copy", "-q", "--dest-tls-verify=false", place, f"docker://{at}:2")
        for tag in ("1", "2"):
            kind, content = registry.manifests["old"].pop(tag)
            assert kind == json.loads(content)["mediaType"] == taken
    registry.trouble.manifest_kinds = (DOCKER,)
    for words in (("--format=oci",), ("--compression-format=zstd",)):
        assert "manifest invalid" in store.refused("push", "-q", PLAIN, "--retry=0", *words, ours, f"{at}:1")
    assert "1" not in registry.manifests["old"]


def test_a_short_name_is_pushed_to_dockers_registry(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    """`push me/app` means docker.io/me/app, as with Docker and Podman, also where `tag` made localhost/me/app of it."""
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nprefix = "docker.io"\nlocation = "{registry.host}"\ninsecure = true\n')
    store.out("tag", IMAGE, "me/app")
    assert "localhost/me/app" in store.out("images", "--format={{.Repository}}").splitlines()
    program = store.program_with(CONTAINERS_REGISTRIES_CONF=str(conf))
    subprocess.run([*program, "push", "-q", "--format=docker", "me/app"], check=True, capture_output=True)
    assert manifest(registry, "me/app:latest")["mediaType"] == DOCKER
