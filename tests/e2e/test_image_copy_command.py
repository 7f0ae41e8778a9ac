"""image copy: the words of the command line, credentials of both ends, stores as ends, and what Skopeo reads of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata_testkit.images import SampleImage, index_over
from sonata_testkit.registry import FakeRegistry
from sonata_testkit.transport import put_blobs
from sonata_transport_dir.sink import DirSink

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root
PLAIN = ("--src-tls-verify=false", "--dest-tls-verify=false")


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, "vfs", who=who)
    yield made
    made.close()


def index_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "index.json").read_text())["manifests"][0]
    return found


def test_each_end_has_its_credentials(store: PlainStore, tmp_path: Path) -> None:
    with (
        FakeRegistry(auth="basic", password="one") as first,
        FakeRegistry(auth="bearer", password="two") as second,
    ):
        made = first.add_image("box", "1", [b"layer"], gzipped=True)
        words = ("image", "copy", *PLAIN, f"docker://{first.host}/box:1", f"docker://{second.host}/copy:1")
        assert "authentication required" in store.refused(*words)
        own = ("--src-creds=user:one", "--dest-username=user", "--dest-password=two")
        store.out(*words, *own, "-q", f"--digestfile={tmp_path}/digest")
        assert (tmp_path / "digest").read_text() == made["digest"]
        assert made["digest"] in second.manifests["copy"]
        auths = tmp_path / "auth.json"
        auths.write_text(json.dumps({"auths": {first.host: {"auth": "dXNlcjpvbmU="}}}))
        known = (f"--src-authfile={auths}", "--dest-creds=user:two")
        store.out(*words, *known)
        assert "authentication required" in store.refused(*words, *known, "--src-no-creds")
        both = {host: {"auth": word} for host, word in ((first.host, "dXNlcjpvbmU="), (second.host, "dXNlcjp0d28="))}
        auths.write_text(json.dumps({"auths": both}))
        store.out("image", "copy", "--tls-verify=false", f"--authfile={auths}", *words[4:])


def test_a_registrys_own_repositories_share_blobs(store: PlainStore) -> None:
    with FakeRegistry() as registry:
        registry.add_image("box", "1", [b"layer", b"more"])
        store.out("image", "copy", *PLAIN, f"docker://{registry.host}/box:1", f"docker://{registry.host}/to/box:2")
        assert not registry.seen("PATCH", "/blobs/")
        assert set(registry.blobs["to/box"]) == set(registry.blobs["box"])


def test_the_policy_judges_the_source(store: PlainStore, tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(
        json.dumps(
            {
                "default": [{"type": "reject"}],
                "transports": {"docker-archive": {"": [{"type": "insecureAcceptAnything"}]}},
            }
        )
    )
    box, layout = f"docker-archive:{tmp_path}/box.tar", f"oci:{tmp_path}/layout:1"
    store.out("image", "copy", f"--policy={policy}", box, layout)
    assert "is rejected by policy" in store.refused("image", "copy", f"--policy={policy}", layout, f"dir:{tmp_path}/d")
    assert not (tmp_path / "d").exists()
    assert "is rejected by policy" in store.refused("load", f"--signature-policy={policy}", "-i", f"{tmp_path}/layout")


def test_form_packing_and_names(store: PlainStore, tmp_path: Path) -> None:
    box, layout = f"docker-archive:{tmp_path}/box.tar", f"oci:{tmp_path}/layout:1"

    def layer(*words: str) -> str:
        store.out("image", "copy", "-q", *words, f"dir:{tmp_path}/kind")
        document = json.loads((tmp_path / "kind/manifest.json").read_text())
        return str(document["layers"][0]["mediaType"]).partition("diff.")[2] or document["layers"][0]["mediaType"]

    store.out("image", "copy", box, layout)
    assert layer(layout) == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert layer("--format=v2s2", layout) == "tar.gzip"
    assert layer("--dest-decompress", "--format=v2s2", layout) == "tar"
    assert layer("--dest-compress", "--format=v2s2", box) == "tar.gzip"
    assert layer("--format=oci", box) == "application/vnd.oci.image.layer.v1.tar"
    zstd = ("--dest-compress-format=zstd", "--dest-compress-level=19", "--dest-force-compress-format", layout)
    assert layer(*zstd) == "application/vnd.oci.image.layer.v1.tar+zstd"
    store.out("image", "copy", "--dest-oci-accept-uncompressed-layers", box, f"oci:{tmp_path}/plain:1")
    assert layer(f"oci:{tmp_path}/plain:1") == "application/vnd.oci.image.layer.v1.tar"
    archive = f"docker-archive:{tmp_path}/names.tar:h.example/a:1"
    assert "need a Docker schema 2 manifest" in store.refused("image", "copy", "--format=oci", layout, archive)
    kept = (tmp_path / "kind/manifest.json").read_bytes()
    assert layer("--format=v2s2", layout) == "tar.gzip"
    for option in ("--preserve-digests", "--format=v2s2"):
        store.out("image", "copy", option, f"dir:{tmp_path}/kind", f"oci:{tmp_path}/layout:{option[2:5]}")
        store.out("image", "copy", f"oci:{tmp_path}/layout:{option[2:5]}", f"dir:{tmp_path}/again")
        assert (tmp_path / "again/manifest.json").read_bytes() == (tmp_path / "kind/manifest.json").read_bytes() != kept
    store.out("image", "copy", "--additional-tag=h.example/b:2", layout, archive)
    loaded = store.out("load", "-q", "-i", f"{tmp_path}/names.tar").splitlines()
    assert loaded[:1] == ["Loaded image: h.example/a:1"]
    assert store.out("image", "exists", "h.example/b:2") == ""
    assert "keeps no further names" in store.refused("image", "copy", "--additional-tag=x", box, f"dir:{tmp_path}/d")


def test_wrong_words(store: PlainStore, tmp_path: Path) -> None:
    copy = ("image", "copy")
    assert 'Invalid source name box: Invalid image name "box", expected colon-separated transport:reference' in (
        store.refused(*copy, "box", f"dir:{tmp_path}/x")
    )
    assert "Invalid destination name" in store.refused(*copy, f"dir:{tmp_path}/x", "nowhere")
    ends = (f"dir:{tmp_path}/x", f"dir:{tmp_path}/y")
    assert "schema 1" in store.refused(*copy, "--format=v2s1", *ends)
    assert "unknown format" in store.refused(*copy, "--format=x", *ends)
    assert "unknown multi-arch option" in store.refused(*copy, "--multi-arch=x", *ends)
    assert "--all and --multi-arch" in store.refused(*copy, "--all", "--multi-arch=all", *ends)
    assert "cannot be used together" in store.refused(*copy, "--all", "--platform=linux/arm64", *ends)
    assert "cannot be encrypted" in store.refused(*copy, "--encryption-key=x", *ends)
    assert "cannot be read here" in store.refused(*copy, "--decryption-key=x", *ends)
    assert "cannot find compressor" in store.refused(*copy, "--dest-compress-format=lz4", *ends)
    assert "as a group" in store.refused(*copy, "--all", *ends[:1], "containers-storage:x")


def test_stores_are_ends_too(store: PlainStore, tmp_path: Path) -> None:
    layout, back = f"oci:{tmp_path}/layout:1", f"oci:{tmp_path}/back:1"
    other = f"containers-storage:[vfs@{tmp_path}/other+{tmp_path}/other-run]"
    store.out("image", "copy", f"containers-storage:{IMAGE}", layout)
    store.out("image", "copy", layout, "containers-storage:h.example/box:1")
    digest = index_of(tmp_path / "layout")["digest"]
    assert store.out("image", "inspect", "--format", "{{.Digest}}", "h.example/box:1") == digest
    assert "there is no store" in store.refused("image", "copy", f"{other}x", back)
    store.out("image", "copy", "containers-storage:h.example/box:1", f"{other}h.example/other:1")
    there = ("--root", f"{tmp_path}/other", "--runroot", f"{tmp_path}/other-run")
    assert store.out(*there, "image", "inspect", "--format", "{{.Digest}}", "h.example/other:1") == digest
    store.out("image", "copy", f"{other}h.example/other:1", back)
    layer = [len(list((tmp_path / name / "blobs/sha256").iterdir())) for name in ("layout", "back")]
    assert layer == [3, 3]
    assert store.out(*there, "run", "--rm", "--network=none", "h.example/other:1", "echo", "it runs") == "it runs"
    store.out("push", "-q", "h.example/box:1", f"{other}h.example/pushed:2")
    assert store.out(*there, "image", "inspect", "--format", "{{.Digest}}", "h.example/pushed:2") == digest
    store.out("rmi", "-f", "h.example/box:1")
    store.out("pull", "-q", f"{other}h.example/pushed:2")
    assert store.out("image", "inspect", "--format", "{{.Digest}}", "h.example/pushed:2") == digest
    assert "says nothing of containers-storage" in store.refused("image", "copy", "--format=oci", layout, f"{other}y")


def test_names_in_stores(store: PlainStore, tmp_path: Path) -> None:
    """The forms of containers/image, behind the store: a name, a digest, an ID, and a name with its ID."""
    ident, digest = store.out("image", "inspect", "--format", "{{.Id}} {{.Digest}}", IMAGE).split()
    own, out = f"containers-storage:[vfs@{tmp_path}/root+{tmp_path}/run]", f"dir:{tmp_path}/out"
    names = f"@{ident[:12]}", f"{IMAGE}@{ident}", f"localhost/box@{digest}"
    for name in names:
        store.out("image", "copy", own + name, out)
    same = store.out("image", "inspect", "--format", "{{.Id}}", *(f"containers-storage:{name}" for name in names))
    assert same.split() == [ident] * len(names)
    for name in (f"localhost/other:1@{ident}", f"{IMAGE}@{'0' * 64}"):
        assert "image not known" in store.refused("image", "copy", own + name, out)
    store.out("tag", f"containers-storage:@{ident}", "localhost/long:1")
    assert store.out("rmi", "containers-storage:localhost/long:1") == "Untagged: localhost/long:1"
    for text in ("docker://localhost/box", "oci:/tmp/x"):
        scheme = text.partition(":")[0]
        told = store.refused("image", "inspect", text)
        assert f'unsupported transport "{scheme}" for looking up local images' in told
    # As destinations: what the name says of the image must be so.
    other = f"containers-storage:[vfs@{tmp_path}/other+{tmp_path}/other-run]"
    there = ("--root", f"{tmp_path}/other", "--runroot", f"{tmp_path}/other-run")
    for name, told in (
        (f"x.example/y@sha256:{'0' * 64}", "would not match destination reference"),
        (f"@{'0' * 64}", "the image's ID is another"),
        ("", "is an empty reference"),
    ):
        assert told in store.refused("image", "copy", own + IMAGE if name.startswith("@") else out, other + name)
    assert store.out(*there, "images", "-qa") == ""
    store.out("image", "copy", out, f"{other}@{ident}")
    shown = "image", "inspect", "--format", "{{.RepoTags}}", ident
    assert store.out(*there, *shown) == "[]"
    store.out("image", "copy", out, f"{other}x.example/y:1@{ident}")
    assert store.out(*there, *shown) == "[x.example/y:1]"


def test_options_of_a_store_that_is_an_end(store: PlainStore, tmp_path: Path) -> None:
    empty, out = f"{tmp_path}/empty+{tmp_path}/empty-run", f"dir:{tmp_path}/out"
    (tmp_path / "empty").mkdir()
    assert "image not known" in store.refused("image", "copy", f"containers-storage:[vfs@{empty}]{IMAGE}", out)
    seen = f"containers-storage:[vfs@{empty}:vfs.imagestore={tmp_path}/root,vfs.sync=none]{IMAGE}"
    store.out("image", "copy", seen, out)
    told = store.refused("image", "copy", f"containers-storage:[vfs@{empty}:vfs.nosuch=1]{IMAGE}", out)
    assert 'unknown option "nosuch"' in told
    assert "key=value" in store.refused("image", "copy", f"containers-storage:[vfs@{empty}:x]{IMAGE}", out)


@pytest.mark.parametrize("kind", ["docker", "oci", "oci-archive", "dir", "docker-archive"])
def test_through_a_store_and_back(store: PlainStore, tmp_path: Path, kind: str) -> None:
    """The image's ID stays everywhere, and so does its digest where the blobs lie already."""
    store.out("rmi", "-fa")
    with FakeRegistry() as registry:
        place = {
            "docker": f"docker://{registry.host}/box:1",
            "docker-archive": f"docker-archive:{tmp_path}/place.tar:h.example/box:1",
            "dir": f"dir:{tmp_path}/place",
        }.get(kind, f"{kind}:{tmp_path}/place:1")
        store.out("image", "copy", "--tls-verify=false", f"docker-archive:{tmp_path}/box.tar", place)
        store.out("image", "copy", "--tls-verify=false", place, "containers-storage:h.example/in:1")
        before = store.out("image", "inspect", "--format", "{{.Id}} {{.Digest}}", "h.example/in:1")
        again = place.replace("place.tar", "again.tar")
        store.out("image", "copy", "--tls-verify=false", "containers-storage:h.example/in:1", again)
        store.out("rmi", "-fa")
        store.out("image", "copy", "--tls-verify=false", again, "containers-storage:h.example/in:1")
        after = store.out("image", "inspect", "--format", "{{.Id}} {{.Digest}}", "h.example/in:1")
        assert after.split()[0] == before.split()[0]
        if kind in ("docker", "oci"):
            assert after == before


def test_a_root_file_system_becomes_an_image(store: PlainStore, tmp_path: Path) -> None:
    store.out("create", "--name", "c", IMAGE)
    store.out("export", "-o", f"{tmp_path}/root.tar", "c")
    store.out("image", "copy", f"tarball:{tmp_path}/root.tar", "containers-storage:h.example/root:1")
    assert store.out("run", "--rm", "--network=none", "h.example/root:1", "/bin/busybox", "echo", "up") == "up"
    told = store.refused("image", "copy", "sif:x.sif", f"dir:{tmp_path}/d")
    assert "Singularity images are not read here" in told
    assert "can only be read from, not written to" in store.refused(
        "image", "copy", f"containers-storage:{IMAGE}", "tarball:x"
    )


def skopeo(*words: str) -> None:
    done = subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.needs_peer("skopeo")
def test_skopeo_copies_on(store: PlainStore, tmp_path: Path) -> None:
    layout = f"oci:{tmp_path}/layout:1"
    store.out("image", "copy", f"docker-archive:{tmp_path}/box.tar", layout)
    skopeo(layout, f"dir:{tmp_path}/theirs")
    store.out("image", "copy", "--preserve-digests", f"dir:{tmp_path}/theirs", f"oci:{tmp_path}/again:1")
    assert index_of(tmp_path / "again")["digest"] == index_of(tmp_path / "layout")["digest"]


@pytest.mark.needs_peer("skopeo")
def test_what_is_converted_has_skopeos_bytes(store: PlainStore, tmp_path: Path) -> None:
    images = [SampleImage(name, architecture=name) for name in ("amd64", "arm64")]
    with DirSink(f"{tmp_path}/list") as sink:
        for image in images:
            put_blobs(sink, image)
            sink.put_manifest(image.manifest)
        sink.commit(index_over(images))
    source = f"dir:{tmp_path}/list"
    for number, words in enumerate((("--all", "--format=v2s2"), ("--format=v2s2",), ("--dest-decompress",))):
        store.out("image", "copy", "-q", *words, source, f"dir:{tmp_path}/ours{number}")
        skopeo(*words, source, f"dir:{tmp_path}/theirs{number}")
        assert files(tmp_path / f"ours{number}") == files(tmp_path / f"theirs{number}"), words
    name = "h.example/x:1"
    store.out("image", "copy", "-q", source, f"docker-archive:{tmp_path}/ours.tar:{name}")
    skopeo(source, f"docker-archive:{tmp_path}/theirs.tar:{name}")
    assert (tmp_path / "ours.tar").read_bytes() == (tmp_path / "theirs.tar").read_bytes()


def test_load_reads_standard_input(store: PlainStore, tmp_path: Path) -> None:
    store.out("rmi", "-fa")
    done = store("load", stdin=(tmp_path / "box.tar").read_bytes())
    assert done.stdout.decode().startswith("Loaded image: ")
    assert b"Copying blob" in done.stderr
    assert store("load", "-q", "--input", f"{tmp_path}/box.tar").stderr == b""
