"""manifest push, and artifacts among a list's instances: what arrives, and in which form."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from list_world import ARM, IMAGE, PLAIN, ListStore

pytestmark = pytest.mark.needs_root
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
KEY = """\
-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJBcmRhTXN0WHk2QUpYTHFZTDhRVlJkb0g3bXdwUE5i
cjZVbjhEQ2ZhNmVvPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJiNHk3MjVvT0c3ZS9wKzVEdVlseGhiS21Vb0Z5SllZZCJ9LCJj
aXBoZXJ0ZXh0IjoiU0xoVW5iZm9UaGxmWjNRYlpzNmhYVEEvYVpQWUJ0NC9lbExl
RFBjalpWRHJyRVRwUEZCNitKWGZaZVVnZ3UvcXBJdURiWXVSZWYrZS9nUHJLbk5R
d3BIbGVaRWt0Nmx2VlAxdW9YRFR1ZVJqQzJsMkZjOWxnWEZ5SUVmMWdUWjAwTGJD
UzJ4N2hXWmVFRC8yVlVrVllvUkNLaGtpd2U5b2dDell6MFpiam1IbU51Zk5RMWtE
cDFnZWJWckhhMnRpRVBlZUFmNmI0d2RjNmc9PSJ9
-----END ENCRYPTED COSIGN PRIVATE KEY-----
"""
"""A key of cosign's form, made for tests; its passphrase is `secret`."""
ZSTD = {"io.github.containers.compression.zstd": "true"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[ListStore]:
    made = ListStore(tmp_path_factory.mktemp("pushed"), who=who)
    made.out("manifest", "create", "--annotation=of=two", "two", IMAGE, ARM)
    yield made
    made.close()


@pytest.fixture(scope="module")
def registry(who: Root) -> Iterator[FakeRegistry]:
    """One for each of the ways, so that nobody finds what the other has pushed."""
    with FakeRegistry() as made:
        yield made


def arrived(registry: FakeRegistry, repository: str, under: str = "1") -> dict[str, Any]:
    """The manifest or index that a registry has."""
    kind, content = registry.manifests[repository][under]
    found: dict[str, Any] = json.loads(content)
    assert found["mediaType"] == kind
    return found


def images_of(registry: FakeRegistry, repository: str, under: str = "1") -> list[dict[str, Any]]:
    """The manifests of an index's instances: each must be there, with its blobs."""
    found = []
    for entry in arrived(registry, repository, under)["manifests"]:
        image = arrived(registry, repository, entry["digest"])
        assert image["mediaType"] == entry["mediaType"]
        assert len(registry.manifests[repository][entry["digest"]][1]) == entry["size"]
        for blob in (image["config"], *image["layers"]):
            assert len(registry.blobs[repository][blob["digest"]]) == blob["size"]
        found.append(image)
    return found


def test_a_list_arrives_with_its_images(store: ListStore, registry: FakeRegistry, tmp_path: Path) -> None:
    digestfile = tmp_path / "digest"
    goal = f"docker://{registry.host}/two:1"
    done = store("manifest", "push", PLAIN, f"--digestfile={digestfile}", "two", goal)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (0, b"")
    assert lines[:2] == ["Getting image list signatures", "Copying 2 images generated from 2 images in list"]
    assert lines[-2:] == ["Writing manifest list to image destination", "Storing list signatures"]
    assert lines.count("Getting image source signatures") == lines.count("Writing manifest to image destination") == 2
    assert lines[2].endswith("(1/2)")
    assert lines[3] == "Getting image source signatures"
    there = arrived(registry, "two")
    assert (there["mediaType"], there["annotations"]) == (OCI_INDEX, {"of": "two"})
    assert [one["platform"]["architecture"] for one in there["manifests"]] == ["amd64", "arm64"]
    assert len(images_of(registry, "two")) == 2
    content = registry.manifests["two"]["1"][1]
    assert digestfile.read_text() == f"sha256:{sha256(content).hexdigest()}"
    assert store("manifest", "push", "-q", PLAIN, "two", f"{registry.host}/two:again").stderr == b""
    assert registry.manifests["two"]["again"][1] == content


def test_without_all_only_the_list_goes(store: ListStore, registry: FakeRegistry) -> None:
    done = store("manifest", "push", PLAIN, "--all=false", "two", f"{registry.host}/alone:1")
    assert b"Copying 0 images generated from 2 images in list" in done.stderr
    assert len(registry.manifests["alone"]) == 2  # the list, by its tag and by its digest
    assert registry.manifests["alone"]["1"][1] == store.item("two", "manifest")


def test_the_form_that_was_asked_for(store: ListStore, registry: FakeRegistry) -> None:
    for form, index, image in (("v2s2", DOCKER_LIST, DOCKER_IMAGE), ("oci", OCI_INDEX, OCI_IMAGE)):
        store.out("manifest", "push", "-q", PLAIN, f"--format={form}", "two", f"{registry.host}/{form}:1")
        there = arrived(registry, form)
        assert there["mediaType"] == index
        assert [one["mediaType"] for one in images_of(registry, form)] == [image, image]
    assert "annotations" not in arrived(registry, "v2s2")
    registry.trouble.manifest_kinds = (DOCKER_LIST, DOCKER_IMAGE)
    try:
        store.out("manifest", "push", "-q", PLAIN, "two", f"{registry.host}/taken:1")
        assert arrived(registry, "taken") == arrived(registry, "v2s2")
        refused = store.refused("manifest", "push", "-q", PLAIN, "--format=oci", "two", f"{registry.host}/fixed:1")
        assert "copying image 1/2 from manifest list: " in refused
    finally:
        registry.trouble.manifest_kinds = ()
    assert "Choose one of the supported" in store.refused("manifest", "push", "--format=x", "two", "dir:/nowhere")


def test_compression(store: ListStore, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goal = f"{registry.host}/packed"
    store.out("manifest", "push", "-q", PLAIN, "two", f"{goal}:gzip")
    fast = store("manifest", "push", "-q", PLAIN, "--force-compression", "--compression-level=1", "two", f"{goal}:fast")
    assert fast.returncode == 0
    plain, quick = (images_of(registry, "packed", tag)[0]["layers"][0] for tag in ("gzip", "fast"))
    assert plain["mediaType"].endswith("gzip")
    assert quick["size"] > plain["size"]
    store.out("manifest", "push", "-q", PLAIN, "--compression-format=zstd", "two", f"{goal}:zstd")
    assert images_of(registry, "packed", "zstd")[0]["layers"][0]["mediaType"].endswith("+zstd")
    assert [one["annotations"] for one in arrived(registry, "packed", "zstd")["manifests"]] == [ZSTD, ZSTD]
    told = store("manifest", "push", PLAIN, "--add-compression=zstd,gzip", "two", f"{goal}:both").stderr
    steps = [line.split()[0] for line in told.decode().splitlines() if line.endswith("/4)")]
    assert steps == ["Copying", "Replicating", "Copying", "Replicating"]
    both = arrived(registry, "packed", "both")["manifests"]
    assert [one["platform"]["architecture"] for one in both] == ["amd64", "arm64", "amd64", "arm64"]
    assert [one.get("annotations") for one in both] == [None, None, ZSTD, ZSTD]
    assert both[:2] == arrived(registry, "packed", "gzip")["manifests"]
    (tmp_path / "conf").write_text('[engine]\nadd_compression = ["zstd"]\n')
    with monkeypatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", f"{tmp_path}/conf")
        store.out("manifest", "push", "-q", PLAIN, "two", f"{goal}:conf")
        store.out("manifest", "push", "-q", PLAIN, "--add-compression=gzip", "two", f"{goal}:own")
    assert arrived(registry, "packed", "conf")["manifests"] == both
    assert arrived(registry, "packed", "own")["manifests"] == both[:2]
    assert 'cannot find compressor for "x"' in store.refused(
        "manifest", "push", "--compression-format=x", "two", "dir:/x"
    )
    refused = store.refused("manifest", "push", "--add-compression=x", "two", "dir:/x")
    assert "requested algorithm x is not supported for replication" in refused


def test_what_lies_elsewhere_keeps_its_digest(store: ListStore, registry: FakeRegistry, tmp_path: Path) -> None:
    store.out("push", "-q", PLAIN, "--format=v2s2", ARM, f"{registry.host}/from:arm")
    store.out("save", "-q", "--format=oci-dir", "-o", f"{tmp_path}/layout", IMAGE)
    store.out("manifest", "create", "apart")
    store.out("manifest", "add", PLAIN, "apart", f"docker://{registry.host}/from:arm")
    store.out("manifest", "add", "apart", f"oci:{tmp_path}/layout")
    digests = [one["digest"] for one in store.shown("apart")["manifests"]]
    assert digests[0] in registry.manifests["from"]
    store.out("manifest", "push", "-q", PLAIN, "apart", f"{registry.host}/to:1")
    there = arrived(registry, "to")
    assert there["manifests"][0]["digest"] == digests[0]
    assert [one["mediaType"] for one in images_of(registry, "to")] == [DOCKER_IMAGE, OCI_IMAGE]
    assert store("image", "exists", f"{registry.host}/from:arm").returncode == 1  # it went past the store


def test_push_of_a_list_takes_the_image_of_this_platform_or_all(store: ListStore, registry: FakeRegistry) -> None:
    store.out("push", "-q", PLAIN, "two", f"{registry.host}/one:1")
    assert arrived(registry, "one")["config"]["digest"] == store.out("images", "-q", "--no-trunc", IMAGE)
    store.out("manifest", "create", "others", ARM)
    store.out("push", "-q", PLAIN, "--format=oci", "others", f"{registry.host}/others:1")
    assert [one["platform"]["architecture"] for one in arrived(registry, "others")["manifests"]] == ["arm64"]
    assert len(images_of(registry, "others")) == 1
    said = store.refused("save", "-q", "-o", "/dev/null", "others")
    assert 'no image found in manifest list for architecture "amd64", variant "", OS "linux"' in said
    assert "nosuch: image not known" in store.refused("push", "nosuch", f"{registry.host}/none:1")


def test_folders_and_layouts(store: ListStore, tmp_path: Path) -> None:
    store.out("manifest", "create", "single", ARM)
    store.out("manifest", "push", "-q", "single", f"dir:{tmp_path}/folder")
    own = store.item("single", "manifest")
    assert (tmp_path / "folder/manifest.json").read_bytes() == own  # nothing is packed: all digests stay
    assert (tmp_path / f"folder/{store.digest(ARM)[7:]}.manifest.json").exists()
    store.out("manifest", "push", "-q", "two", f"oci:{tmp_path}/layout:named")
    index = json.loads((tmp_path / "layout/index.json").read_bytes())["manifests"][0]
    assert index["annotations"] == {"org.opencontainers.image.ref.name": "named"}
    content = (tmp_path / "layout/blobs/sha256" / index["digest"][7:]).read_bytes()
    assert [one["platform"]["architecture"] for one in json.loads(content)["manifests"]] == ["amd64", "arm64"]
    store.out("manifest", "push", "-q", "two", f"oci-archive:{tmp_path}/whole.tar")
    store.out("manifest", "push", "-q", "two", f"oci-archive:{tmp_path}/again.tar")
    assert (tmp_path / "whole.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()
    for scheme in ("docker-archive", "containers-storage"):
        refused = store.refused("manifest", "push", "two", f"{scheme}:{tmp_path}/x")
        assert f'destination transport "{scheme}" does not support copying multiple images as a group' in refused


def test_rm_takes_the_list_away(store: ListStore, registry: FakeRegistry) -> None:
    for option in ("--rm", "--purge"):
        store.out("manifest", "create", "brief", ARM)
        store.refused("manifest", "push", "-q", option, "brief", f"{registry.host}/brief:1")  # plain HTTP
        assert store("manifest", "exists", "brief").returncode == 0
        store.out("manifest", "push", "-q", "--insecure", option, "brief", f"{registry.host}/brief:1")
        assert store("manifest", "exists", "brief").returncode == 1
    assert store.digest(ARM)
    said = store.refused("manifest", "push", "brief", f"{registry.host}/brief:1")
    assert "retrieving local image from image name brief: brief: image not known" in said


def test_credentials_and_certificates(store: ListStore, tmp_path: Path) -> None:
    with FakeRegistry(auth="basic") as registry:
        goal = f"{registry.host}/two:1"
        assert "authentication required" in store.refused("manifest", "push", "-q", PLAIN, "two", goal)
        store.out("manifest", "push", "-q", PLAIN, "--creds=user:secret", "two", goal)
        file = tmp_path / "auth.json"
        store.out("login", f"--authfile={file}", PLAIN, "-u", "user", "-p", "secret", registry.host)
        store.out("manifest", "push", "-q", PLAIN, f"--authfile={file}", "two", f"{registry.host}/two:2")
        assert arrived(registry, "two", "1") == arrived(registry, "two", "2")


@pytest.mark.skipif(not installed(), reason="docker-registry is not installed")
def test_a_registry_that_looks_at_references(store: ListStore, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    with DebianRegistry(tmp_path / "registry", tls=True) as registry:
        (folder / "ca.crt").symlink_to(registry.ca)
        goal = f"docker://{registry.host}/two:1"
        assert "certificate" in store.refused("manifest", "push", "-q", "two", goal)
        store.out("manifest", "push", "-q", f"--cert-dir={folder}", "two", goal)
        assert "unknown" in store.refused(
            "manifest", "push", "-q", f"--cert-dir={folder}", "--all=false", "two", f"{registry.host}/other:1"
        )


@pytest.mark.rootful("the store of keys is root's")
def test_signatures_of_the_list_and_of_each_image(
    store: ListStore, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "containers/registries.d/all.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(f"default-docker:\n  lookaside: file://{tmp_path}/sigs\n  use-sigstore-attachments: true\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    home = tmp_path / "gnupg"
    home.mkdir(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "params").write_text(f"privateKeyFile: {tmp_path}/key\nprivateKeyPassphraseFile: {tmp_path}/pass\n")
    make = ["gpg", "--batch", "--quiet", "--passphrase", "secret", "--pinentry-mode", "loopback"]
    subprocess.run([*make, "--quick-generate-key", "me@example.com", "ed25519"], check=True, capture_output=True)
    try:
        secret = f"--sign-passphrase-file={tmp_path}/pass"
        goal = f"{registry.host}/signed:1"
        store.out("manifest", "push", "-q", PLAIN, "--sign-by=me@example.com", secret, "two", goal)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
    whole = f"sha256={sha256(registry.manifests['signed']['1'][1]).hexdigest()}"
    parts = [one["digest"].replace(":", "=") for one in arrived(registry, "signed")["manifests"]]
    there = {path.parent.name.partition("@")[2] for path in (tmp_path / "sigs").rglob("signature-1")}
    assert there == {whole, *parts}
    store.out("manifest", "push", "-q", PLAIN, f"--sign-by-sigstore-private-key={tmp_path}/key", secret, "two", goal)
    tags = {tag for tag in registry.manifests["signed"] if tag.endswith(".sig")}
    assert tags == {f"{name.replace('=', '-')}.sig" for name in (whole, *parts)}
    store.out(
        "manifest", "push", "-q", PLAIN, f"--sign-by-sigstore={tmp_path}/params", "two", f"{registry.host}/again:1"
    )
    assert len([tag for tag in registry.manifests["again"] if tag.endswith(".sig")]) == 3
    refused = store.refused("manifest", "push", "--sign-by-sq-fingerprint=x", "two", f"oci:{tmp_path}/layout")
    assert "--sign-by-sq-fingerprint is not supported: keys of Sequoia-PGP are not read here" in refused


@pytest.mark.rootful("the store of keys is root's")
def test_signatures_stay_behind_when_asked(
    store: ListStore, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "containers/registries.d/all.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(f"default-docker:\n  lookaside: file://{tmp_path}/sigs\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    store.out("push", "-q", PLAIN, ARM, f"{registry.host}/left:arm")
    digest = f"sha256={sha256(registry.manifests['left']['arm'][1]).hexdigest()}"
    signature = tmp_path / f"sigs/left@{digest}/signature-1"
    signature.parent.mkdir(parents=True)
    signature.write_bytes(b"signed by somebody")
    store.out("manifest", "create", PLAIN, "left", f"docker://{registry.host}/left:arm")
    refused = store.refused("manifest", "push", "-q", PLAIN, "left", f"oci:{tmp_path}/layout")
    assert "Can not copy signatures" in refused
    store.out("manifest", "push", "-q", PLAIN, "--remove-signatures", "left", f"oci:{tmp_path}/layout")


def test_files_become_an_artifact(store: ListStore, registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "data").write_bytes(b"x\0\1\2")
    store.out("manifest", "create", "filed", ARM)
    store.out("manifest", "add", "--artifact", "filed", f"{tmp_path}/notes.txt", f"{tmp_path}/data")
    entry = store.shown("filed")["manifests"][1]
    assert entry["artifactType"] == "application/vnd.unknown.artifact.v1"
    assert entry["platform"] == {"architecture": "", "os": ""}
    assert entry["files"] == [f"{tmp_path}/data", f"{tmp_path}/notes.txt"]
    store.out("manifest", "push", "-q", PLAIN, "filed", f"{registry.host}/filed:1")
    artifact = images_of(registry, "filed")[1]
    titles = ["notes.txt", "data"]
    assert [one["annotations"]["org.opencontainers.image.title"] for one in artifact["layers"]] == titles
    assert [one["mediaType"] for one in artifact["layers"]] == ["text/plain", "application/octet-stream"]
    assert registry.blobs["filed"][artifact["layers"][0]["digest"]] == b"hello\n"
    assert (artifact["config"]["mediaType"], artifact["config"]["data"]) == (
        "application/vnd.oci.empty.v1+json",
        "e30=",
    )
    store.out("manifest", "annotate", "--annotation=read=me", "filed", "notes.txt")
    assert store.shown("filed")["manifests"][1]["annotations"] == {"read": "me"}
    (tmp_path / "data").write_bytes(b"changed")
    assert "announced" in store.refused("manifest", "push", "-q", PLAIN, "filed", f"{registry.host}/changed:1")
    (tmp_path / "data").unlink()
    assert f"open {tmp_path}/data: no such file" in store.refused(
        "manifest", "push", "-q", "filed", f"dir:{tmp_path}/d"
    )
    gone = store.refused("manifest", "add", "--artifact", "filed", f"{tmp_path}/data")
    assert "to determine its digest" in gone


def test_an_artifact_whose_config_has_the_type_of_an_images(
    store: ListStore, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "config").write_text('{"a": 1}')
    store.out("manifest", "create", "odd", ARM)
    config = f"--artifact-config={tmp_path}/config"
    store.out("manifest", "add", "--artifact", "--artifact-type=t/t", config, "odd", f"{tmp_path}/notes.txt")
    store.out("manifest", "push", "-q", PLAIN, "odd", f"{registry.host}/odd:1")
    artifact = images_of(registry, "odd")[1]
    assert artifact["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert [one["mediaType"] for one in artifact["layers"]] == ["text/plain"]
    assert registry.blobs["odd"][artifact["layers"][0]["digest"]] == b"hello\n"


def test_an_artifact_as_it_was_described(store: ListStore, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "config").write_text('{"a":1}')
    store.out("manifest", "create", "typed")
    options = (
        "--artifact-type=t/t",
        "--artifact-config-type=c/c",
        "--artifact-layer-type=l/l",
        "--arch=arm",
        "--os=linux",
    )
    more = (f"--artifact-config={tmp_path}/config", f"--artifact-subject={IMAGE}", "--artifact-exclude-titles")
    store.out("manifest", "add", "--artifact", *options, *more, "typed", f"{tmp_path}/notes.txt")
    shown = store.shown("typed")
    entry = shown["manifests"][0]
    assert (entry["artifactType"], entry["platform"]["architecture"]) == ("t/t", "arm")
    assert shown["subject"]["digest"] == store.digest(IMAGE)
    made = json.loads(json.loads(store.item("typed", "artifacts.json"))["manifests"][entry["digest"]])
    assert made["config"]["mediaType"] == "c/c"
    assert made["config"]["data"] == "eyJhIjoxfQ=="
    assert [(one["mediaType"], one.get("annotations")) for one in made["layers"]] == [("l/l", None)]
    refused = store.refused("manifest", "add", "--artifact-type=x", "--artifact-subject=y", "typed", ARM)
    assert "--artifact-type/--artifact-subject require --artifact" in refused


@pytest.mark.needs_peer("skopeo")
def test_skopeo_reads_what_was_pushed(store: ListStore, registry: FakeRegistry, tmp_path: Path) -> None:
    store.out("manifest", "push", "-q", PLAIN, "two", f"{registry.host}/read:1")
    source = f"docker://{registry.host}/read:1"
    words = [
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--src-tls-verify=false",
        "--preserve-digests",
        source,
        f"dir:{tmp_path}/d",
    ]
    subprocess.run(words, check=True, capture_output=True)
    assert (tmp_path / "d/manifest.json").read_bytes() == registry.manifests["read"]["1"][1]
    shown = json.loads(store.raw("manifest", "inspect", PLAIN, f"{registry.host}/read:1"))
    assert shown["annotations"] == {"of": "two"}
