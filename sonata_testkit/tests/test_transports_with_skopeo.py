"""Every transport, with Skopeo as the judge: what it wrote we read, what we wrote it reads, digests unchanged."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import (
    Conflict,
    Damaged,
    Denied,
    NotFound,
    RegistryFailure,
    SonataError,
    UsageError,
)
from sonata_core.models.ids import Digest
from sonata_core.models.image import Credentials, Descriptor, Endpoint, ManifestBytes, TransportOptions
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_transport_dir.plugin import DirTransport
from sonata_transport_docker_archive.plugin import DockerArchiveTransport
from sonata_transport_oci.plugin import OciArchiveTransport, OciTransport
from sonata_transport_registry.plugin import RegistryTransport

PLUGINS: dict[str, Any] = {
    "docker": RegistryTransport,
    "dir": DirTransport,
    "oci": OciTransport,
    "oci-archive": OciArchiveTransport,
    "docker-archive": DockerArchiveTransport,
}
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")
needs_registry = pytest.mark.skipif(not installed(), reason="needs docker-registry")
OPTIONS = TransportOptions(retry_delay=0.01)


def plugin(scheme: str, scratch: Path) -> Any:
    nothing: Any = None
    return PLUGINS[scheme](
        PluginContext(
            name=scheme,
            root="/nonexistent",
            run="/nonexistent",
            cache=str(scratch / "cache"),
            config={},
            facts=nothing,
            run_command=nothing,
            find_program=nothing,
            log=nothing,
        )
    )


def digest_of(content: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def layer(name: str, size: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = size
        tar.addfile(member, io.BytesIO(name.encode() * (size // len(name) + 1)))
    return out.getvalue()


LAYERS = (layer("one", 100_000), layer("two", 3), layer("three", 2_000_000))


class Made:
    """An image: its manifest, and its blobs by digest."""

    def __init__(self, *, docker: bool = False, compressed: bool = True, size: int = 3) -> None:
        layers = LAYERS[:size]
        stored = [gzip.compress(content, 1, mtime=0) if compressed else content for content in layers]
        config = {
            "architecture": "amd64",
            "config": {"Env": ["A=<b>&c"], "Cmd": ["sh"]},
            "created": "2026-01-01T00:00:00Z",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(content) for content in layers]},
        }
        self.config = json.dumps(config).encode()
        kind = f"{DOCKER_LAYER}.gzip" if docker else OCI_LAYER + ("+gzip" if compressed else "")
        self.descriptors = [
            Descriptor(
                media_type=DOCKER_CONFIG if docker else OCI_CONFIG, digest=digest_of(self.config), size=len(self.config)
            ),
            *(Descriptor(media_type=kind, digest=digest_of(blob), size=len(blob)) for blob in stored),
        ]
        self.blobs = {digest_of(blob): blob for blob in (self.config, *stored)}
        plain = [{"mediaType": d.media_type, "digest": d.digest, "size": d.size} for d in self.descriptors]
        media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
        document = {"schemaVersion": 2, "mediaType": media_type, "config": plain[0], "layers": plain[1:]}
        content = json.dumps(document).encode()
        self.manifest = ManifestBytes(media_type=media_type, digest=digest_of(content), content=content)


def write(scratch: Path, place: str, image: Made, options: TransportOptions = OPTIONS) -> None:
    scheme, _, rest = place.partition(":")
    transport = plugin(scheme, scratch)
    with transport.transport_open_sink(transport.transport_parse(rest), options) as sink:
        for blob in image.descriptors:
            if not sink.has_blob(blob):
                sink.put_blob(blob, io.BytesIO(image.blobs[blob.digest]))
            assert sink.has_blob(blob)
            sink.put_blob(blob, io.BytesIO(image.blobs[blob.digest]))
        sink.put_manifest(image.manifest)
        sink.commit(image.manifest)
        sink.commit(image.manifest)


def read(scratch: Path, place: str, options: TransportOptions = OPTIONS) -> tuple[ManifestBytes, dict[Digest, bytes]]:
    scheme, _, rest = place.partition(":")
    transport = plugin(scheme, scratch)
    reference = transport.transport_parse(rest)
    assert transport.transport_parse(reference.rest) == reference
    with transport.transport_open_source(reference, options) as source:
        manifest = source.resolve()
        assert source.manifest(manifest.digest) == manifest
        document = json.loads(manifest.content)
        blobs = {}
        for item in (document["config"], *document["layers"]):
            blob = Descriptor(media_type=item["mediaType"], digest=item["digest"], size=item["size"])
            with source.open_blob(blob, 0) as stream:
                content = stream.read()
            with source.open_blob(blob, 2) as stream:
                assert stream.read(5) == content[2:7]
            assert digest_of(content) == blob.digest
            assert len(content) == blob.size
            blobs[blob.digest] = content
        with pytest.raises(NotFound):
            source.open_blob(blob.replace(digest=digest_of(b"none")), 0)
        with pytest.raises(NotFound):
            source.manifest(digest_of(b"none"))
        with pytest.raises(Damaged):
            source.open_blob(blob.replace(digest="sha256:../../../etc/passwd"), 0)
        assert source.signatures(manifest.digest) == ()
        return manifest, blobs


def skopeo(*arguments: str) -> str:
    done = subprocess.run(["skopeo", "--insecure-policy", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("place", ["dir:{0}/d", "oci:{0}/o:name:1", "oci:{0}/o", "oci-archive:{0}/a.tar:name"])
def test_what_is_written_is_read_again(tmp_path: Path, place: str) -> None:
    image = Made()
    where = place.format(tmp_path)
    write(tmp_path, where, image)
    write(tmp_path, where, image)
    manifest, blobs = read(tmp_path, where)
    assert manifest == image.manifest
    assert blobs == image.blobs


@needs_skopeo
@pytest.mark.needs_peer
@pytest.mark.parametrize("place", ["dir:{0}/d", "oci:{0}/o:name:1", "oci:{0}/o", "oci-archive:{0}/a.tar:name"])
@pytest.mark.parametrize("docker", [False, True])
def test_skopeo_reads_what_we_write_and_we_what_it_writes(tmp_path: Path, place: str, docker: bool) -> None:
    image = Made(docker=docker)
    where = place.format(tmp_path)
    write(tmp_path, where, image)
    if docker and not place.startswith("dir"):
        # Skopeo 1.9, which Debian has, finds Docker's manifests in layouts by no name; Skopeo 1.22 does.
        assert read(tmp_path, where) == (image.manifest, image.blobs)
        return
    skopeo("copy", where, f"dir:{tmp_path}/judged")
    assert (tmp_path / "judged/manifest.json").read_bytes() == image.manifest.content
    back = place.format(tmp_path / "back")
    (tmp_path / "back").mkdir()
    skopeo("copy", f"dir:{tmp_path}/judged", back)
    manifest, blobs = read(tmp_path, back)
    assert manifest == image.manifest
    assert blobs == image.blobs


@needs_skopeo
@pytest.mark.needs_peer
@pytest.mark.parametrize("size", [1, 3])
def test_docker_archives_are_those_of_skopeo(tmp_path: Path, size: int) -> None:
    image = Made(docker=True, compressed=False, size=size)
    write(tmp_path, f"dir:{tmp_path}/d", image)
    write(tmp_path, f"docker-archive:{tmp_path}/ours.tar:h.io/a/b:t", image)
    skopeo("copy", f"dir:{tmp_path}/d", f"docker-archive:{tmp_path}/theirs.tar:h.io/a/b:t")
    assert contents(tmp_path / "ours.tar") == contents(tmp_path / "theirs.tar")
    assert (tmp_path / "ours.tar").read_bytes() == (tmp_path / "theirs.tar").read_bytes()
    skopeo("copy", f"docker-archive:{tmp_path}/ours.tar", f"dir:{tmp_path}/judged")
    manifest, blobs = read(tmp_path, f"docker-archive:{tmp_path}/ours.tar")
    assert manifest.content == (tmp_path / "judged/manifest.json").read_bytes()
    assert blobs == image.blobs
    assert plugin("docker-archive", tmp_path).transport_tags(
        plugin("docker-archive", tmp_path).transport_parse(f"{tmp_path}/ours.tar"), OPTIONS
    ) == ("h.io/a/b:t",)


def contents(path: Path) -> dict[str, object]:
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        return {m.name: (tar.extractfile(m).read() if m.isreg() else m.linkname, m.mode) for m in members}  # type: ignore[union-attr]


@pytest.mark.parametrize("pack", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("place", ["docker-archive:{0}/a.tar", "oci-archive:{0}/a.tar:n"])
def test_compressed_archives_are_read(tmp_path: Path, pack: str, place: str) -> None:
    if shutil.which(pack) is None:
        pytest.skip(f"needs {pack}")
    where = place.format(tmp_path)
    image = Made(compressed=False)
    write(tmp_path, where, image)
    before, blobs = read(tmp_path, where)
    packed = subprocess.run([pack, "-c", str(tmp_path / "a.tar")], capture_output=True, check=True).stdout
    (tmp_path / "a.tar").write_bytes(packed)
    assert read(tmp_path, where) == (before, blobs)
    (tmp_path / "a.tar").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(Damaged):
        read(tmp_path, where)


def test_docker_archives_with_links_blobs_and_compressed_layers(tmp_path: Path) -> None:
    image = Made(compressed=False)
    diff_ids = [blob.digest for blob in image.descriptors[1:]]
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "blobs/sha256/1", LAYERS[0])
        link(tar, "x/layer.tar", "../blobs/sha256/1")
        add(tar, "b/" * 80 + "layer", gzip.compress(LAYERS[1]))
        add(tar, "./c", LAYERS[2])
        link(tar, "hard", "c", tarfile.LNKTYPE)
        add(tar, "config.json", image.config)
        layers = ["x/layer.tar", "b/" * 80 + "layer", "hard"]
        items = [
            {"Config": "config.json", "RepoTags": ["a:1", "b"], "Layers": layers},
            {"Config": "config.json", "RepoTags": None, "Layers": layers},
        ]
        add(tar, "manifest.json", json.dumps(items).encode())
    transport = plugin("docker-archive", tmp_path)
    assert transport.transport_tags(transport.transport_parse(str(path)), OPTIONS) == ("a:1", "b", "@1")
    for selector in ("a:1", "b:latest", "docker.io/library/b", "@0", "@1"):
        _, blobs = read(tmp_path, f"docker-archive:{path}:{selector}")
        assert list(blobs) == [image.descriptors[0].digest, *diff_ids]
    with pytest.raises(UsageError, match="more than one image"):
        read(tmp_path, f"docker-archive:{path}")
    for selector in ("c", "@2"):
        with pytest.raises(NotFound):
            read(tmp_path, f"docker-archive:{path}:{selector}")


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def link(tar: tarfile.TarFile, name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    tar.addfile(member)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd", "layer", "../x/layer", "/manifest.json/x"])
def test_links_out_of_an_archive_lead_nowhere(tmp_path: Path, target: str) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        link(tar, "x/layer", target)
        add(tar, "config.json", Made(size=1).config)
        item = {"Config": "config.json", "RepoTags": [], "Layers": ["x/layer"]}
        add(tar, "manifest.json", json.dumps([item]).encode())
    with pytest.raises((NotFound, Damaged)):
        read(tmp_path, f"docker-archive:{path}")


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"{}",
        b"[1]",
        b"[{}]",
        b"[[" * 100_000,
        b'[{"Config": "../../etc/passwd", "Layers": ["x"]}]',
        b'[{"Config": "config.json", "Layers": []}]',
        b'[{"Config": "config.json", "Layers": ["config.json", "config.json"]}]',
        b'[{"Config": 1, "Layers": ["x"]}]',
        b" " * (2 << 20),
    ],
)
def test_tables_that_make_no_sense(tmp_path: Path, table: bytes) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        add(tar, "config.json", Made(size=1).config)
        add(tar, "manifest.json", table)
    with pytest.raises(SonataError):
        read(tmp_path, f"docker-archive:{path}")


def test_every_cut_and_flip_of_an_archive_is_an_error_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write(tmp_path, f"docker-archive:{path}", Made(compressed=False, size=1))
    whole = path.read_bytes()
    for at in [*range(0, len(whole) - 1024, 4096), *range(0, 512, 7)]:
        path.write_bytes(whole[:at])
        with pytest.raises(SonataError):
            read(tmp_path, f"docker-archive:{path}")
    for at in range(0, 512, 5):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x81]) + whole[at + 1 :])
        with pytest.raises((SonataError, AssertionError)):
            read(tmp_path, f"docker-archive:{path}")


@pytest.mark.parametrize("place", ["dir:{0}/d", "oci:{0}/o:n", "oci-archive:{0}/a.tar", "docker-archive:{0}/a.tar"])
def test_what_does_not_verify_is_not_stored(tmp_path: Path, place: str) -> None:
    image = Made(compressed=False)
    scheme, _, rest = place.format(tmp_path).partition(":")
    transport = plugin(scheme, tmp_path)
    reference = transport.transport_parse(rest)
    with transport.transport_open_sink(reference, OPTIONS) as sink:
        for blob in image.descriptors:
            content = image.blobs[blob.digest]
            for wrong in (content[:-1], content + b"x", b"x" + content[1:], b""):
                with pytest.raises(Damaged):
                    sink.put_blob(blob, io.BytesIO(wrong))
                assert not sink.has_blob(blob)
            sink.put_blob(blob, io.BytesIO(content))
        assert not os.path.isfile(reference.path)
        with pytest.raises(NotFound), transport.transport_open_source(reference, OPTIONS) as source:
            source.resolve()
    assert [name for name in os.listdir(tmp_path) if name != "o"] == []


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/precious").write_text("x")
    with pytest.raises(Conflict, match="not empty"):
        write(tmp_path, f"dir:{tmp_path}/d", Made())
    (tmp_path / "a.tar").write_text("x")
    with pytest.raises(Conflict, match="modifying existing images"):
        write(tmp_path, f"docker-archive:{tmp_path}/a.tar", Made(compressed=False))
    assert (tmp_path / "d/precious").read_text() == "x"
    assert (tmp_path / "a.tar").read_text() == "x"


def test_a_second_image_joins_a_layout(tmp_path: Path) -> None:
    for name, image in (("a", Made()), ("b", Made(size=1)), ("a", Made(size=2))):
        write(tmp_path, f"oci:{tmp_path}/o:{name}", image)
    assert read(tmp_path, f"oci:{tmp_path}/o:a")[0] == Made(size=2).manifest
    assert read(tmp_path, f"oci:{tmp_path}/o:b")[0] == Made(size=1).manifest
    assert read(tmp_path, f"oci:{tmp_path}/o:@0")[0] == Made().manifest
    transport = plugin("oci", tmp_path)
    assert transport.transport_tags(transport.transport_parse(f"{tmp_path}/o"), OPTIONS) == ("@0", "b", "a")
    with pytest.raises(UsageError, match="more than one image"):
        read(tmp_path, f"oci:{tmp_path}/o")


def registry_options(host: str, name: str, **more: Any) -> TransportOptions:
    login = Credentials(username="me", password="pass") if more.pop("login", False) else None
    endpoint = Endpoint(reference=f"{host}/{name}", credentials=login, **more)
    return OPTIONS.replace(endpoints=(endpoint,))


@needs_registry
@needs_skopeo
@pytest.mark.needs_peer
@pytest.mark.parametrize("docker", [False, True])
def test_a_real_registry(tmp_path: Path, docker: bool) -> None:
    image = Made(docker=docker)
    with DebianRegistry(tmp_path / "registry") as registry:
        place = f"docker://{registry.host}/demo/x:1"
        write(tmp_path, place, image, registry_options(registry.host, "demo/x:1", insecure=True))
        skopeo("copy", "--src-tls-verify=false", place, f"dir:{tmp_path}/judged")
        assert (tmp_path / "judged/manifest.json").read_bytes() == image.manifest.content
        skopeo("copy", "--dest-tls-verify=false", f"dir:{tmp_path}/judged", f"docker://{registry.host}/demo/y:2")
        found = read(
            tmp_path,
            f"docker://{registry.host}/demo/y:2",
            registry_options(registry.host, "demo/y:2", insecure=True),
        )
        assert found == (image.manifest, image.blobs)
        transport = plugin("docker", tmp_path)
        reference = transport.transport_parse(f"//{registry.host}/demo/x")
        assert transport.transport_tags(reference, registry_options(registry.host, "demo/x", insecure=True)) == ("1",)


@needs_registry
def test_a_registry_with_tls_and_a_password(tmp_path: Path) -> None:
    image = Made()
    with DebianRegistry(tmp_path / "registry", tls=True, user="me", password="pass") as registry:
        name = "demo/x:1"
        place = f"docker://{registry.host}/{name}"
        certs = tmp_path / "certs"
        certs.mkdir()
        shutil.copy(registry.ca, certs / "ca.crt")
        dirs = (str(tmp_path / "none"), str(certs))
        good = registry_options(registry.host, name, login=True, cert_dirs=dirs)
        write(tmp_path, place, image, good)
        assert read(tmp_path, place, good) == (image.manifest, image.blobs)
        with pytest.raises(Denied, match=": authentication required"):
            read(tmp_path, place, registry_options(registry.host, name, cert_dirs=dirs))
        with pytest.raises(RegistryFailure, match="failed to verify certificate") as caught:
            read(tmp_path, place, registry_options(registry.host, name, login=True))
        assert "certs.d" in str(caught.value.hint)
        assert "--tls-verify=false" in str(caught.value.hint)
        insecure = registry_options(registry.host, name, login=True).replace(tls_verify=False)
        assert read(tmp_path, place, insecure) == (image.manifest, image.blobs)


@pytest.mark.parametrize("place", ["dir:{0}", "oci:{0}:n", "oci-archive:{0}/x/a.tar", "docker-archive:{0}/x/a.tar"])
def test_what_the_system_refuses_is_an_error_of_ours(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    for folder in ("file/below", "file"):
        with pytest.raises(SonataError):
            write(tmp_path, place.format(tmp_path / folder), Made(compressed=False))
    with pytest.raises(SonataError):
        read(tmp_path, place.format(tmp_path / "none"))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SonataError):
        read(tmp_path, f"docker-archive:{tmp_path}/fifo")


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    from sonata_core.errors import Unavailable
    from sonata_core.sdk.content import write_all

    fd = os.open("/dev/full", os.O_WRONLY | os.O_CLOEXEC)
    try:
        with pytest.raises(Unavailable, match="no space left on device"):
            write_all(fd, b"x" * 100)
    finally:
        os.close(fd)
