"""Images from place to place with the real transports: bits and digests stay, and what must change changes well."""

import gzip
import io
import json
import lzma
import sys
import tempfile
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sonata.image.copy import copy_image, copy_into
from sonata.image.copy_options import ALL, INDEX_ONLY, CopyOptions
from sonata.image.signatures.carrying import Carrier
from sonata_core.context import PluginContext
from sonata_core.errors import Damaged, NotFound, RegistryFailure, Unsupported
from sonata_core.models.image import Descriptor, Endpoint, ManifestBytes, Platform, TransportOptions
from sonata_core.models.media import (
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    SCHEMA1,
    SCHEMA1_SIGNED,
)
from sonata_testkit.images import SampleImage, descriptors_of, digest_of, index_over, manifest_bytes
from sonata_testkit.registry import FakeRegistry
from sonata_testkit.transport import Place, blob_of, put_blobs
from sonata_transport_dir.plugin import DirTransport
from sonata_transport_docker_archive.daemon import DockerDaemonTransport
from sonata_transport_docker_archive.plugin import DockerArchiveTransport
from sonata_transport_oci.plugin import OciArchiveTransport, OciTransport
from sonata_transport_registry.plugin import RegistryTransport

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins/transport-docker-archive/tests"))
from fake_daemon import FakeDaemon

AMD64 = Platform(os="linux", architecture="amd64")
KEEPING = ("docker", "oci", "oci-archive", "dir")
PLAIN = ("docker-archive", "docker-daemon")
Make = Callable[..., Place]


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with tempfile.TemporaryDirectory() as folder, FakeDaemon(Path(folder, "docker.sock")) as made:
        yield made


@pytest.fixture
def place(plugin_context: PluginContext, registry: FakeRegistry, daemon: FakeDaemon, tmp_path: Path) -> Make:
    """Makes a place of a transport; the registry's are repositories of one registry."""
    kinds = {
        "docker": RegistryTransport(plugin_context),
        "oci": OciTransport(plugin_context),
        "oci-archive": OciArchiveTransport(plugin_context),
        "dir": DirTransport(plugin_context),
        "docker-archive": DockerArchiveTransport(plugin_context),
        "docker-daemon": DockerDaemonTransport(plugin_context.replace(config={"socket": f"unix://{daemon.path}"})),
    }

    def make(kind: str, name: str) -> Place:
        text = f"//{registry.host}/{name}:1" if kind == "docker" else f"{tmp_path}/{kind}-{name}"
        if kind == "docker-archive":
            text += ":name.example/x:1"
        if kind == "docker-daemon":
            text = f"name.example/{name}:1"

        def options(reference: Any) -> TransportOptions:
            ends = (Endpoint(reference=reference.name, insecure=True),) if kind == "docker" else ()
            return TransportOptions(endpoints=ends, retry_delay=0.01)

        return Place(kinds[kind], text, options)

    return make


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., Any]:
    def run(start: Place, goal: Place, **more: Any) -> Any:
        options = CopyOptions(
            source=start.hook.transport_facts(),
            facts=goal.hook.transport_facts(),
            spool=str(tmp_path / "spool"),
            platform=AMD64,
            retry_delay=0.01,
            **more,
        )
        with start.source() as source, goal.sink() as sink:
            return copy_image(source, sink, options)

    return run


def write_index(start: Place, *, docker: bool = False) -> tuple[list[SampleImage], Any]:
    images = [SampleImage(f"{arch}", docker=docker, architecture=arch) for arch in ("amd64", "arm64")]
    index = index_over(images, docker=docker)
    with start.sink() as sink:
        for image in images:
            put_blobs(sink, image)
            sink.put_manifest(image.manifest)
        sink.commit(index)
    return images, index


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize("other", KEEPING)
def test_there_and_back_keeps_every_bit(place: Make, copy: Any, kind: str, other: str) -> None:
    image = SampleImage("round")
    first, second, third = place(kind, "first"), place(other, "second"), place(kind, "third")
    first.write(image)
    assert copy(first, second, preserve_digests=True) == image.manifest
    assert copy(second, third, preserve_digests=True) == image.manifest
    assert third.read() == first.read() == (image.manifest, image.blobs)


@pytest.mark.parametrize("kind", KEEPING)
@pytest.mark.parametrize("other", KEEPING)
def test_an_index_there_and_back(place: Make, copy: Any, kind: str, other: str) -> None:
    first, second, third = place(kind, "first"), place(other, "second"), place(kind, "third")
    images, index = write_index(first)
    assert copy(first, second, multi=ALL).content == index.content
    assert copy(second, third, multi=ALL, preserve_digests=True).content == index.content
    with third.source() as source:
        assert source.resolve().content == index.content
        for image in images:
            assert source.manifest(image.manifest.digest).content == image.manifest.content
            assert all(blob_of(source, blob) == image.blobs[blob.digest] for blob in image.descriptors)


@pytest.mark.parametrize("kind", [*KEEPING, *PLAIN])
@pytest.mark.parametrize("other", PLAIN)
def test_what_docker_saves_keeps_config_and_layers(place: Make, copy: Any, kind: str, other: str) -> None:
    """There no manifest is kept, and layers lie uncompressed: what stays is the config, and with it the image's ID."""
    image = SampleImage("plain", docker=True)
    first, second, third = place("dir", "first"), place(other, "second"), place(kind, "third")
    first.write(image)
    copy(first, second)
    _, blobs = second.read()
    assert {digest_of(blob) for blob in blobs.values()} == {digest_of(blob) for blob in (image.config, *image.layers)}
    copy(second, third, manifest_type="" if kind in ("oci", "oci-archive") else DOCKER_MANIFEST, pack=kind not in PLAIN)
    manifest, blobs = third.read()
    config, *layers = (blobs[blob.digest] for blob in descriptors_of(manifest))
    assert [plain(layer) for layer in layers] == image.layers
    assert json.loads(config)["rootfs"] == json.loads(image.config)["rootfs"]
    assert (config == image.config) == (kind not in ("oci", "oci-archive"))


def plain(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer


def test_from_docker_to_oci_and_back(place: Make, copy: Any) -> None:
    image = SampleImage("convert", docker=True)
    docker, oci, back = place("dir", "docker"), place("oci", "oci"), place("dir", "back")
    docker.write(image)
    made = copy(docker, oci)
    assert made.media_type == OCI_MANIFEST
    manifest, blobs = oci.read()
    kinds = [blob.media_type for blob in descriptors_of(manifest)]
    assert kinds == [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar",
    ]
    assert set(image.blobs) - {image.descriptors[0].digest} <= set(blobs)
    assert copy(oci, back, manifest_type=DOCKER_MANIFEST).media_type == DOCKER_MANIFEST
    with pytest.raises(Unsupported, match="cannot be kept"):
        copy(docker, place("oci", "no"), preserve_digests=True)


def test_an_index_is_converted_with_its_images(place: Make, copy: Any) -> None:
    start, goal, back = place("dir", "list"), place("oci", "index"), place("docker", "list")
    write_index(start, docker=True)
    made = copy(start, goal, multi=ALL)
    assert made.media_type == OCI_INDEX
    entries = json.loads(made.content)["manifests"]
    assert [entry["mediaType"] for entry in entries] == [OCI_MANIFEST] * 2
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]
    assert copy(goal, back, multi=ALL, manifest_type=DOCKER_MANIFEST).media_type == DOCKER_LIST


@pytest.mark.parametrize(
    ("docker", "taken", "form"),
    [
        (False, (DOCKER_MANIFEST, DOCKER_LIST), {DOCKER_LIST: DOCKER_MANIFEST}),
        (True, (OCI_MANIFEST, OCI_INDEX), {OCI_INDEX: OCI_MANIFEST}),
        (False, (DOCKER_MANIFEST, OCI_MANIFEST, DOCKER_LIST), {DOCKER_LIST: OCI_MANIFEST}),
        (True, (DOCKER_MANIFEST, OCI_MANIFEST, OCI_INDEX), {OCI_INDEX: DOCKER_MANIFEST}),
    ],
)
def test_an_index_in_the_form_that_a_registry_takes(
    place: Make, copy: Any, registry: FakeRegistry, docker: bool, taken: tuple[str, ...], form: dict[str, str]
) -> None:
    """Each image, and the index over them, as `skopeo copy --all` has it."""
    start, goal = place("dir", "list"), place("docker", "list")
    write_index(start, docker=docker)
    registry.trouble.manifest_kinds = taken
    made = copy(start, goal, multi=ALL)
    assert {made.media_type: json.loads(made.content)["manifests"][0]["mediaType"]} == form
    assert goal.resolve() == made
    asked = {"manifest_type": OCI_MANIFEST if OCI_INDEX not in taken else DOCKER_MANIFEST}
    for fixed in (asked, {"preserve_digests": True}):
        with pytest.raises(RegistryFailure, match=r"manifest invalid$"):
            copy(start, place("docker", "fixed"), multi=ALL, **fixed)


def test_an_index_that_is_taken_in_no_form(place: Make, copy: Any, registry: FakeRegistry) -> None:
    start, goal = place("dir", "list"), place("docker", "list")
    write_index(start)
    for taken, says in (
        ((DOCKER_MANIFEST, OCI_MANIFEST), f"^Uploading manifest list failed, .* {OCI_INDEX}.*, {DOCKER_LIST}"),
        ((DOCKER_LIST,), f"^copying image 1/2 from manifest list: Uploading manifest failed, .*, {DOCKER_MANIFEST}"),
    ):
        registry.trouble.manifest_kinds = taken
        with pytest.raises(RegistryFailure, match=says.replace("+", r"\+")):
            copy(start, goal, multi=ALL)


def test_one_of_an_index_some_of_it_and_the_index_alone(place: Make, copy: Any) -> None:
    start = place("oci", "index")
    images, index = write_index(start)
    arm = Platform(os="linux", architecture="arm64")
    assert copy(start, place("oci", "host")) == images[0].manifest
    assert copy(start, place("oci", "arm"), platforms=(arm,)) == images[1].manifest
    both = copy(start, place("oci", "both"), platforms=(arm, AMD64))
    assert [one["digest"] for one in json.loads(both.content)["manifests"]] == [
        image.manifest.digest for image in reversed(images)
    ]
    alone = place("dir", "alone")
    assert copy(start, alone, multi=INDEX_ONLY) == index
    assert sorted(path.name for path in Path(alone.reference.path).iterdir()) == ["manifest.json", "version"]
    with pytest.raises(Unsupported, match="as a group"):
        copy(start, place("docker-archive", "none"), multi=ALL)


@pytest.mark.parametrize("word", ["gzip", "zstd", "zstd:chunked"])
def test_layers_are_packed_as_asked(place: Make, copy: Any, word: str) -> None:
    image = SampleImage("packed", compressed=False)
    start, goal = place("oci", "plain"), place("oci", "packed")
    start.write(image)
    copy(start, goal, compression=word)
    manifest, blobs = goal.read()
    layers = descriptors_of(manifest)[1:]
    assert {blob.media_type.rpartition("+")[2] for blob in layers} == {word.partition(":")[0]}
    reader = zstandard.ZstdDecompressor()
    undo = (
        gzip.decompress if word == "gzip" else lambda data: reader.stream_reader(data, read_across_frames=True).read()
    )
    assert [undo(blobs[blob.digest]) for blob in layers] == image.layers
    notes = json.loads(manifest.content)["layers"][0].get("annotations", {})
    assert bool(notes) == (word == "zstd:chunked")


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_plain_layers_are_packed_where_nothing_forbids_it(place: Make, copy: Any, kind: str) -> None:
    """What Skopeo does for registries and OCI layouts; signatures and asked-for digests are not broken for it."""
    image = SampleImage("plain", compressed=False)
    start = place("dir", "plain")
    start.write(image)
    copy(start, place(kind, "packed"), may_pack=True)
    manifest, blobs = place(kind, "packed").read()
    layers = descriptors_of(manifest)[1:]
    assert {blob.media_type.rpartition("+")[2] for blob in layers} == {"gzip"}
    assert [gzip.decompress(blobs[blob.digest]) for blob in layers] == image.layers
    signed = Carrier(lambda _manifest: (b"signature",))
    assert copy(start, place(kind, "signed"), may_pack=True, carrier=signed).digest == image.manifest.digest
    assert signed.written == {image.manifest.digest: (b"signature",)}
    with pytest.raises(Unsupported, match="Would invalidate signatures"):
        copy(start, place(kind, "asked"), pack=True, carrier=Carrier(lambda _manifest: (b"signature",)))


def test_digests_that_cannot_be_kept(place: Make, copy: Any) -> None:
    """An archive of Docker's keeps no manifest: only Docker's own, over plain layers, is made again from it."""
    start = place("dir", "plain")
    start.write(SampleImage("plain", compressed=False))
    with pytest.raises(Unsupported, match="cannot be kept"):
        copy(start, place("docker-archive", "kept"), preserve_digests=True)
    own = place("dir", "own")
    own.write(SampleImage("own", docker=True, compressed=False))
    copy(own, place("docker-archive", "own"), preserve_digests=True)


def test_zstd_layers_of_docker_stay_where_nothing_changes(place: Make, copy: Any) -> None:
    image = SampleImage("odd", docker=True, compressed=False)
    data = json.loads(image.manifest.content)
    blobs = {}
    for layer, content in zip(data["layers"], image.layers, strict=True):
        packed = zstandard.ZstdCompressor().compress(content)
        blobs[digest_of(packed)] = packed
        layer.update(mediaType=f"{DOCKER_LAYER}.zstd", digest=digest_of(packed), size=len(packed))
    content = json.dumps(data).encode()
    manifest = ManifestBytes(media_type=DOCKER_MANIFEST, digest=digest_of(content), content=content)
    start, goal = place("dir", "odd"), place("docker", "odd")
    with start.sink() as sink:
        for one in descriptors_of(manifest):
            sink.put_blob(one, io.BytesIO(blobs.get(one.digest) or image.config))
        sink.commit(manifest)
    assert copy(start, goal, preserve_digests=True).digest == manifest.digest
    again = json.loads(copy(start, place("docker", "again"), compression="gzip", force=True).content)
    assert {layer["mediaType"] for layer in again["layers"]} == {f"{DOCKER_LAYER}.gzip"}


def test_what_is_there_is_kept_unless_forced(place: Make, copy: Any) -> None:
    image = SampleImage("there")
    start, goal = place("oci", "start"), place("docker", "goal")
    start.write(image)
    goal.write(image)
    layers = [blob.digest for blob in image.descriptors[1:]]
    kept = json.loads(copy(start, goal, compression="zstd").content)
    assert [layer["digest"] for layer in kept["layers"]] == layers
    forced = json.loads(copy(start, goal, compression="zstd", force=True).content)
    assert not set(layers) & {layer["digest"] for layer in forced["layers"]}


def test_zstd_becomes_gzip_for_docker(place: Make, copy: Any) -> None:
    image = SampleImage("zstd")
    start, packed, goal = place("oci", "start"), place("oci", "zstd"), place("dir", "docker")
    start.write(image)
    copy(start, packed, compression="zstd", force=True)
    copy(packed, goal, manifest_type=DOCKER_MANIFEST)
    manifest, blobs = goal.read()
    assert [gzip.decompress(blobs[blob.digest]) for blob in descriptors_of(manifest)[1:]] == image.layers


def test_blobs_are_shared_within_a_registry(place: Make, copy: Any, registry: FakeRegistry) -> None:
    image = SampleImage("mounted")
    start, goal = place("docker", "one/app"), place("docker", "two/app")
    start.write(image)
    registry.requests.clear()
    near = (registry.host, "one/app")
    copy(start, goal, near=near)
    assert not registry.seen("GET", "/blobs/"), "nothing is downloaded"
    assert not registry.seen("PATCH", "/blobs/"), "nothing is uploaded"
    assert goal.read() == start.read()
    registry.requests.clear()
    copy(start, goal, near=near)
    assert not registry.seen("POST", "/blobs/uploads/"), "what is there is not sent again"


def test_a_damaged_blob_goes_nowhere(place: Make, copy: Any, registry: FakeRegistry) -> None:
    image = SampleImage("damaged")
    start = place("docker", "bad")
    start.write(image)
    registry.trouble.corrupt_blobs = True
    for kind in ("oci", "oci-archive", "dir", "docker-archive"):
        goal = place(kind, "none")
        with pytest.raises(Damaged):
            copy(start, goal)
        assert goal.is_absent()


def test_a_broken_connection_is_taken_up_again(place: Make, copy: Any, registry: FakeRegistry) -> None:
    image = SampleImage("broken", compressed=False)
    start, goal = place("docker", "cut"), place("oci", "whole")
    start.write(image)
    registry.trouble.cut_at, registry.trouble.cuts = 100_000, 2
    assert copy(start, goal) == image.manifest


def test_several_names_in_one_archive(place: Make, tmp_path: Path) -> None:
    image = SampleImage("names", docker=True)
    start, goal = place("dir", "start"), place("docker-archive", "names")
    start.write(image)
    options = CopyOptions(
        source=start.hook.transport_facts(), facts=goal.hook.transport_facts(), spool=str(tmp_path), platform=AMD64
    )
    whole = goal.reference.replace(selector="", name="", rest=goal.reference.path)
    with start.source() as source, goal.hook.transport_open_batch(reference=whole, options=goal.options) as batch:
        copy_into(source, batch, ("a.example/x:1", "b.example/y:2"), options)
        batch.commit()
    assert goal.hook.transport_tags(reference=whole, options=goal.options) == ("a.example/x:1", "b.example/y:2")


def test_what_is_not_distributed_stays_where_it_is(place: Make, copy: Any) -> None:
    image = SampleImage("foreign")
    document = json.loads(image.manifest.content)
    away = document["layers"][0]
    away["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    away["urls"] = ["https://h.example/layer"]
    image.manifest = manifest_bytes(OCI_MANIFEST, document)
    start = place("oci", "start")
    with start.sink() as sink:
        for blob in (image.descriptors[0], image.descriptors[2]):
            sink.put_blob(blob, io.BytesIO(image.blobs[blob.digest]))
        sink.commit(image.manifest)
    goal = place("docker", "goal")
    assert copy(start, goal, addresses=True) == image.manifest
    other = place("docker", "other")
    made = json.loads(copy(start, other, addresses=True, manifest_type=DOCKER_MANIFEST).content)["layers"][0]
    assert made["mediaType"] == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    assert made["urls"] == away["urls"]
    for kind in ("docker-archive", "dir"):
        with pytest.raises(NotFound):
            copy(start, place(kind, f"whole-{kind}"))


@pytest.mark.parametrize(
    ("media_type", "pack"),
    [("application/vnd.in-toto+json", zlib.compress), (OCI_LAYER, lzma.compress)],
)
def test_a_layer_of_another_kind_stays_as_it_is(place: Make, copy: Any, media_type: str, pack: Any) -> None:
    """Where those beside it are packed: what an attestation is made of, and a compression that has no type."""
    image = SampleImage("odd")
    document = json.loads(image.manifest.content)
    contents = [image.layers[0], pack(image.layers[1])]
    for entry, content, kind in zip(document["layers"], contents, (OCI_LAYER, media_type), strict=True):
        entry |= {"mediaType": kind, "digest": digest_of(content), "size": len(content)}
    image.manifest = manifest_bytes(OCI_MANIFEST, document)
    start = place("dir", "start")
    with start.sink() as sink:
        config = image.descriptors[0]
        sink.put_blob(config, io.BytesIO(image.blobs[config.digest]))
        for entry, content in zip(document["layers"], contents, strict=True):
            sink.put_blob(
                Descriptor(media_type=entry["mediaType"], digest=entry["digest"], size=entry["size"]),
                io.BytesIO(content),
            )
        sink.commit(image.manifest)
    goal = place("oci", "goal")
    made = json.loads(copy(start, goal, may_pack=True).content)["layers"]
    assert made[0]["mediaType"] == f"{OCI_LAYER}+gzip"
    assert made[1] == document["layers"][1]
    if media_type.endswith("json"):
        with pytest.raises(Unsupported, match="in-toto"):
            copy(start, place("dir", "docker"), manifest_type=DOCKER_MANIFEST)


@pytest.mark.parametrize("kind", ["oci", "docker-archive"])
def test_an_image_without_layers(place: Make, copy: Any, kind: str) -> None:
    image = SampleImage("bare")
    document = json.loads(image.manifest.content)
    config = json.dumps({**json.loads(image.config), "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    document["layers"] = []
    document["config"] |= {"digest": digest_of(config), "size": len(config)}
    image.manifest = manifest_bytes(OCI_MANIFEST, document)
    start = place("dir", "start")
    with start.sink() as sink:
        described = image.descriptors[0].replace(digest=digest_of(config), size=len(config))
        sink.put_blob(described, io.BytesIO(config))
        sink.commit(image.manifest)
    goal = place(kind, "goal")
    copy(start, goal)
    made = json.loads(copy(goal, place("dir", "back")).content)
    assert made["layers"] == []
    assert made["config"]["digest"] == digest_of(config)


def test_an_artifact_is_no_image_of_another_form(place: Make, copy: Any) -> None:
    image = SampleImage("artifact")
    document = json.loads(image.manifest.content)
    document["config"]["mediaType"] = "application/x.test"
    image.manifest = manifest_bytes(OCI_MANIFEST, document)
    start = place("dir", "start")
    with start.sink() as sink:
        put_blobs(sink, image)
        sink.commit(image.manifest)
    with pytest.raises(Unsupported, match=r"artifact of the type application/x\.test"):
        copy(start, place("dir", "goal"), manifest_type=DOCKER_MANIFEST)
    assert copy(start, place("dir", "same"), manifest_type=OCI_MANIFEST) == image.manifest


def test_an_index_that_lies_is_not_believed(place: Make, copy: Any) -> None:
    """A size that is not the manifest's, an index within an index."""
    start = place("dir", "lies")
    images, index = write_index(start)
    for change in ({"size": 3}, {"digest": index.digest, "size": len(index.content)}):
        document = json.loads(index.content)
        document["manifests"][0] |= change
        lying = manifest_bytes(OCI_INDEX, document)
        with start.sink() as sink:
            for image in images:
                put_blobs(sink, image)
                sink.put_manifest(image.manifest)
            sink.put_manifest(index)
            sink.commit(lying)
        goal = place("oci", "never")
        with pytest.raises((Damaged, Unsupported)):
            copy(start, goal, multi=ALL)
        assert goal.is_absent()


def test_an_encrypted_layer_is_copied_but_never_changed(place: Make, copy: Any) -> None:
    image = SampleImage("secret")
    document = json.loads(image.manifest.content)
    for layer in document["layers"]:
        layer["mediaType"] += "+encrypted"
    image.manifest = manifest_bytes(OCI_MANIFEST, document)
    start = place("oci", "start")
    start.write(image)
    assert copy(start, place("dir", "same")) == image.manifest
    for number, more in enumerate(({"compression": "zstd", "force": True}, {"unpack": True}, {"pack": True})):
        assert copy(start, place("dir", f"same-{number}"), **more) == image.manifest
    for kind, more in (("dir", {"manifest_type": DOCKER_MANIFEST}), ("docker-archive", {})):
        with pytest.raises(Unsupported, match="encrypted"):
            copy(start, place(kind, "changed"), **more)


def test_a_list_keeps_what_it_held(place: Make, copy: Any) -> None:
    """An image of OCI's in a list of Docker's."""
    start = place("dir", "mixed")
    images = [SampleImage("one", docker=True), SampleImage("two", architecture="arm64")]
    index = index_over(images, docker=True)
    with start.sink() as sink:
        for image in images:
            put_blobs(sink, image)
            sink.put_manifest(image.manifest)
        sink.commit(index)
    assert copy(start, place("docker", "goal"), multi=ALL) == index


def legacy(image: SampleImage) -> Any:
    """A schema 1 manifest over an image's layers, without signatures."""
    sums = [{"blobSum": blob.digest} for blob in reversed(image.descriptors[1:])]
    entries = [
        {"id": "b" * 64, "parent": "a" * 64, "created": "2026-01-01T00:00:00Z", "os": "linux", "architecture": "amd64"},
        {"id": "a" * 64, "created": "2025-01-01T00:00:00Z"},
    ]
    return manifest_bytes(
        SCHEMA1,
        {
            "schemaVersion": 1,
            "name": "old",
            "tag": "1",
            "architecture": "amd64",
            "fsLayers": sums,
            "history": [{"v1Compatibility": json.dumps(entry)} for entry in entries],
        },
    )


def test_schema_1_is_kept_or_made_new(place: Make, copy: Any) -> None:
    image = SampleImage("old", docker=True)
    old = legacy(image)
    start = place("dir", "old")
    with start.sink() as sink:
        put_blobs(sink, image)
        sink.commit(old)
    kept = place("docker", "kept")
    assert copy(start, kept) == old
    assert kept.resolve().content == old.content
    goal = place("oci", "new")
    assert copy(start, goal).media_type == OCI_MANIFEST
    manifest, blobs = goal.read()
    config = json.loads(blobs[descriptors_of(manifest)[0].digest])
    assert config["rootfs"]["diff_ids"] == [digest_of(layer) for layer in image.layers]
    assert [blob.media_type.rpartition(".")[2] for blob in descriptors_of(manifest)[1:]] == ["tar+gzip", "tar"]


def signed(manifest: Any) -> Any:
    """The same, with the form of a signature: its digest stays that of what was signed."""
    payload = manifest.content
    header = {"formatLength": len(payload) - 2, "formatTail": encoded(payload[-2:])}
    signature = json.dumps([{"protected": encoded(json.dumps(header).encode())}]).encode()
    content = payload[:-2] + b',"signatures":' + signature + payload[-2:]
    return manifest.replace(media_type=SCHEMA1_SIGNED, content=content)


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def test_signed_schema_1_keeps_its_bytes(place: Make, copy: Any) -> None:
    image = SampleImage("signed", docker=True)
    old = signed(legacy(image))
    start, goal = place("dir", "signed"), place("docker", "signed")
    with start.sink() as sink:
        put_blobs(sink, image)
        sink.commit(old)
    assert copy(start, goal, preserve_digests=True).content == old.content
    assert goal.resolve().content == old.content
    with pytest.raises(Unsupported):
        copy(start, place("oci", "never"), preserve_digests=True)
