"""Images out of a store: what arrives, in which form, and that others read it."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from store_world import open_store
from test_pull_image import AMD64, Source, layer, sha, squeeze

from sonata.engine.images.landing import StoreLanding
from sonata.engine.images.stored import stored_image
from sonata.image.layers.compress import Compression, Decompressor
from sonata.image.pull_options import PullOptions
from sonata.image.push import PushOptions, push_image
from sonata.image.transfer import pull_image
from sonata_core.errors import Damaged, Unsupported
from sonata_core.models.image import TransportFacts
from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST

pytestmark = pytest.mark.needs_root
ANY = TransportFacts(schemes=("x",), writes=True)
ARCHIVE = TransportFacts(schemes=("x",), writes=True, manifest_types=(DOCKER_MANIFEST,), layer_compression="none")


class Sink:
    """Keeps what it is given, if it is what it was said to be."""

    def __init__(self):
        self.blobs = {}
        self.named = None

    def has_blob(self, blob):
        return blob.digest in self.blobs

    def put_blob(self, blob, stream):
        content = b""
        while part := stream.read(1 << 16):
            content += part
        assert (sha(content), len(content)) == (blob.digest, blob.size)
        self.blobs[blob.digest] = content

    def commit(self, manifest):
        assert sha(manifest.content) == manifest.digest
        self.named = manifest


@pytest.fixture(params=["overlay", "vfs"])
def world(request):
    top = Path(tempfile.mkdtemp(prefix="sonata-", dir="/tmp"))
    store = open_store(top, request.param)
    diffs = [layer(n, 50_000) for n in range(3)]
    source = Source()
    source.image([squeeze(d) for d in diffs], diffs)
    options = PullOptions(platform=AMD64, partial=str(top / "graph/sonata/partial"))
    pulled = pull_image(source, StoreLanding(store), options)

    def stored():
        return stored_image(store, lambda ref: store._driver().storage_contents(layer=ref), store.find_image(pulled.id))

    yield top, store, source, diffs, stored
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line.split()[4] for line in file]
    for path in reversed([path for path in mounts if path.startswith(str(top))]):
        subprocess.run(["umount", "-l", path], check=False)
    shutil.rmtree(top)


def options_of(top, facts=ANY, **more):
    return PushOptions(facts=facts, spool=str(top / "spool"), **more)


def test_blobs_that_are_there_keep_the_digest(world):
    top, _, source, _, stored = world
    sink = Sink()
    sink.blobs = dict(source.blobs)
    assert push_image(stored(), sink, options_of(top, preserve_digests=True)) == source.top
    assert sink.named == source.top


@pytest.mark.parametrize("there", [True, False])
def test_layers_that_came_uncompressed_stay_so_where_they_are(world, there):
    top, store, source, diffs, _ = world
    source.image(diffs, diffs, author="plain")
    document = json.loads(source.top.content)
    for one in document["layers"]:
        one["mediaType"] = one["mediaType"].removesuffix("+gzip")
    source.manifest(OCI_MANIFEST, document)
    pulled = pull_image(source, StoreLanding(store), PullOptions(platform=AMD64, partial=str(top / "partial")))
    image = stored_image(
        store, lambda ref: store._driver().storage_contents(layer=ref), store.find_image(pulled.id), pulled.digest
    )
    sink = Sink()
    sink.blobs = dict(source.blobs) if there else {}
    sent = push_image(image, sink, options_of(top))
    assert (sent == source.top) is there
    assert all(one["mediaType"].endswith("+gzip") is not there for one in json.loads(sent.content)["layers"])


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZSTD, Compression.NONE])
def test_an_empty_sink_gets_everything(world, kind):
    top, _, source, diffs, stored = world
    sink = Sink()
    manifest = push_image(stored(), sink, options_of(top, compression=kind))
    document = json.loads(manifest.content)
    assert document["config"]["digest"] == json.loads(source.top.content)["config"]["digest"]
    suffix = "" if kind is Compression.NONE else f"+{kind}"
    assert {one["mediaType"] for one in document["layers"]} == {"application/vnd.oci.image.layer.v1.tar" + suffix}
    got = [Decompressor(io.BytesIO(sink.blobs[one["digest"]])).readall() for one in document["layers"]]
    assert got == diffs
    assert os.listdir(top / "spool") == [] if kind is not Compression.NONE else True


def test_more_layers_are_sent_at_once_than_compressed(world):
    top, _, _, diffs, stored = world
    image, sink, tars, waiting = stored(), Sink(), [], []
    put, arrived = sink.put_blob, threading.Barrier(len(diffs))

    def opener(open_tar):
        def opened():
            assert not [one for one in tars if not one.closed], "two are compressed at once"
            tars.append(open_tar())
            return tars[-1]

        return opened

    def put_blob(blob, stream):
        if "layer" in blob.media_type or "tar" in blob.media_type:
            waiting.append(arrived.wait(60))
        put(blob, stream)

    sink.put_blob = put_blob
    layers = tuple(one.replace(open_tar=opener(one.open_tar)) for one in image.layers)
    push_image(image.replace(layers=layers), sink, options_of(top, parallel=len(diffs), packers=1))
    assert sorted(waiting) == list(range(len(diffs)))


def test_the_config_does_not_wait_for_the_layers(world):
    top, _, source, _, stored = world
    sink, config = Sink(), json.loads(source.top.content)["config"]["digest"]
    put, arrived, sent = sink.put_blob, threading.Event(), []

    def put_blob(blob, stream):
        if blob.digest != config:
            assert arrived.wait(60), "the config waits for the layers"
        put(blob, stream)
        sent.append(blob.digest)
        if blob.digest == config:
            arrived.set()

    sink.put_blob = put_blob
    push_image(stored(), sink, options_of(top, parallel=4))
    assert sent.count(config) == 1
    assert sink.named is not None


def test_an_archive_gets_docker_and_plain_layers(world):
    top, _, source, diffs, stored = world
    sink = Sink()
    manifest = push_image(stored(), sink, options_of(top, ARCHIVE))
    document = json.loads(manifest.content)
    assert manifest.media_type == document["mediaType"] == DOCKER_MANIFEST
    assert [one["digest"] for one in document["layers"]] == [sha(d) for d in diffs]
    assert {one["mediaType"] for one in document["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar"}
    assert document["config"]["digest"] == json.loads(source.top.content)["config"]["digest"]


def test_what_cannot_be_is_refused(world):
    top, _, _, _, stored = world
    with pytest.raises(Unsupported, match="cannot be kept"):
        push_image(stored(), Sink(), options_of(top, preserve_digests=True, compression=Compression.NONE))
    with pytest.raises(Unsupported):
        docker = TransportFacts(schemes=("x",), manifest_types=(DOCKER_MANIFEST,))
        push_image(stored(), Sink(), options_of(top, docker, compression=Compression.ZSTD))
    with pytest.raises(Unsupported):
        push_image(stored(), Sink(), options_of(top, ARCHIVE, manifest_type=OCI_MANIFEST))


def test_a_changed_layer_is_not_pushed(world):
    top, store, _, _, stored = world
    for victim in Path(store.place.graph).rglob("dir1/f"):  # vfs has a copy in each layer
        victim.write_bytes(b"changed" + victim.read_bytes()[7:])
    sink = Sink()
    with pytest.raises(Damaged, match="changed"):
        push_image(stored(), sink, options_of(top))
    assert sink.named is None


@pytest.mark.needs_peer
@pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
@pytest.mark.parametrize("form", ["", DOCKER_MANIFEST])
def test_skopeo_takes_it(world, form):
    top, _, _, diffs, stored = world
    sink = Sink()
    manifest = push_image(stored(), sink, options_of(top, manifest_type=form))
    folder = top / "oci"
    (folder / "blobs/sha256").mkdir(parents=True)
    for content in [*sink.blobs.values(), manifest.content]:
        (folder / "blobs/sha256" / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entry = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.content)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    policy = top / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    command = ["skopeo", "--policy", policy, "copy", "-q", f"oci:{folder}", f"docker-archive:{top}/x.tar:x:1"]
    subprocess.run(command, check=True, capture_output=True)
    assert len(diffs) == 3
