"""Pulls into a real store: what is verified, resumed, shared; and what Podman makes of the result."""

import gzip
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from layer_corpus import member, tar_bytes
from store_world import open_store

from sonata.engine.images.landing import StoreLanding
from sonata.image.layers import tarsplit
from sonata.image.layers.compress import Compression, Compressor
from sonata.image.partial import PartialUse
from sonata.image.pull_options import PullOptions
from sonata.image.transfer import pull_image
from sonata_core.errors import Damaged, NotFound, RegistryFailure, Unsupported
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes, Platform

pytestmark = pytest.mark.needs_root
AMD64 = Platform(os="linux", architecture="amd64")
OCI = "application/vnd.oci.image.{}.v1+json"


def sha(data):
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


class MemorySource:
    """A source over bytes, which can be told to misbehave."""

    def __init__(self):
        self.blobs = {}
        self.manifests = {}
        self.top = None
        self.opened = []
        self.serve = lambda digest, content: content
        self.cut = None

    def add(self, content):
        self.blobs[sha(content)] = content
        return {"digest": sha(content), "size": len(content)}

    def image(self, layers, diffs, architecture="amd64", **config):
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": "2024-01-02T03:04:05Z",
            "config": {},
            **config,
        }
        config["rootfs"] = {"type": "layers", "diff_ids": [sha(diff) for diff in diffs]}
        kind = "application/vnd.oci.image.layer.v1.tar+gzip"
        document = {
            "schemaVersion": 2,
            "mediaType": OCI.format("manifest"),
            "config": {"mediaType": OCI.format("config"), **self.add(json.dumps(config).encode())},
            "layers": [{"mediaType": kind, **self.add(layer)} for layer in layers],
        }
        return self.manifest(OCI.format("manifest"), document)

    def manifest(self, kind, document):
        content = json.dumps(document).encode()
        self.top = ManifestBytes(media_type=kind, digest=sha(content), content=content)
        self.manifests[self.top.digest] = self.top
        return {"mediaType": kind, "digest": self.top.digest, "size": len(content)}

    def resolve(self):
        return self.top

    def manifest_of(self, digest):
        return self.manifests[digest]

    def open_blob(self, blob, offset):
        self.opened.append((blob.digest, offset))
        content = self.serve(blob.digest, self.blobs[blob.digest])[offset:]
        return Flaky(content, self.cut) if self.cut is not None else io.BytesIO(content)

    def signatures(self, digest):
        return ()


MemorySource.manifest_bytes = MemorySource.manifest_of


class Source(MemorySource):
    """`manifest` of the protocol beside the builder of that name."""

    def manifest(self, first, document=None):
        return self.manifests[first] if document is None else super().manifest(first, document)


class Flaky(io.BytesIO):
    """Fails after some bytes."""

    def __init__(self, content, cut):
        super().__init__(content)
        self.left = cut

    def read(self, size=-1):
        if self.left <= 0:
            raise RegistryFailure("connection reset")
        part = super().read(min(size, self.left))
        self.left -= len(part)
        return part


def layer(number, size=3000):
    return tar_bytes(member(f"dir{number}", tarfile.DIRTYPE), member(f"dir{number}/f", data=os.urandom(size)))


def squeeze(data, kind=Compression.GZIP):
    if kind is Compression.NONE:
        return data
    return Compressor(io.BytesIO(data), kind).readall()


@pytest.fixture(params=["overlay", "vfs"])
def world(request):
    top = Path(tempfile.mkdtemp(prefix="sonata-", dir="/tmp"))
    store = open_store(top, request.param)
    options = PullOptions(platform=AMD64, partial=str(top / "graph/sonata/partial"), retries=2, retry_delay=0)
    yield store, StoreLanding(store), options
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line.split()[4] for line in file]
    for path in reversed([path for path in mounts if path.startswith(str(top))]):
        subprocess.run(["umount", "-l", path], check=False)
    shutil.rmtree(top)


def exported(store, layer_id):
    folders = store._driver().storage_contents(layer=store.layer(layer_id).ref)
    fds = tuple(os.open(folder.path, os.O_RDONLY) for folder in folders)
    try:
        with open(store.tar_split(layer_id), "rb") as record, tarsplit.InFolders(fds) as find:
            return b"".join(tarsplit.reassemble(record, find))
    finally:
        for fd in fds:
            os.close(fd)


def chain(store, image):
    layers, at = [], store.find_image(image).layer
    while at is not None:
        layers.insert(0, at)
        at = store.layer(at).parent
    return layers


def test_layers_of_every_compression(world):
    store, landing, options = world
    diffs = [layer(n) for n in range(5)]
    kinds = [Compression.GZIP, Compression.ZSTD, Compression.NONE, Compression.GZIP, Compression.ZSTD]
    source = Source()
    source.image([squeeze(d, k) for d, k in zip(diffs, kinds, strict=True)], diffs)
    told = {}

    class Tell:
        def blob(self, digest, state, done, total):
            told.setdefault(digest, []).append((state, done, total))

    pulled = pull_image(source, landing, options, Tell())
    assert pulled.digest == source.top.digest
    layers = chain(store, pulled.id)
    assert [exported(store, one) for one in layers] == diffs
    assert [store.layer(one).compression for one in layers] == [2, 4, 0, 2, 4]
    assert [store.layer(one).compressed_size for one in layers] == [
        len(squeeze(d, k)) for d, k in zip(diffs, kinds, strict=True)
    ]
    blobs = [sha(squeeze(d, k)) for d, k in zip(diffs, kinds, strict=True)]
    assert all(told[blob][0][0] == "waiting" and told[blob][-1][0] == "done" for blob in blobs)
    assert os.listdir(options.partial) == []
    source.opened.clear()
    pull_image(source, landing, options)
    assert source.opened == []


def test_layers_that_are_there_are_not_fetched(world):
    store, landing, options = world
    diffs = [layer(n) for n in range(3)]
    source = Source()
    source.image([squeeze(d) for d in diffs[:2]], diffs[:2])
    pull_image(source, landing, options)
    source.image([squeeze(d) for d in diffs], diffs)
    source.opened.clear()
    pulled = pull_image(source, landing, options)
    assert len(source.opened) == 2
    assert len(chain(store, pulled.id)) == 3


def test_a_failing_source_is_asked_again_from_where_it_was(world):
    _, landing, options = world
    data = layer(1, 700_000)
    source = Source()
    source.image([squeeze(data)], [data])
    source.cut = 300_000
    pull_image(source, landing, options)
    blob = sha(squeeze(data))
    assert [offset for digest, offset in source.opened if digest == blob] == [0, 300_000, 600_000]


def test_a_broken_pull_goes_on_where_it_was(world):
    store, landing, options = world
    data = layer(1, 700_000)
    source = Source()
    source.image([squeeze(data)], [data])
    source.cut = 300_000
    with pytest.raises(RegistryFailure):
        pull_image(source, landing, options.replace(retries=0))
    assert store.layers() == {}
    use = PartialUse(options.partial)
    blob = sha(squeeze(data))
    assert use.entries() == [(blob, 300_000, len(squeeze(data)))]
    source.cut = None
    source.opened.clear()
    pull_image(source, landing, options)
    assert (blob, 300_000) in source.opened
    assert use.entries() == []


def test_nothing_is_kept_on_its_way_of_what_lies_here(world):
    store, landing, options = world
    diffs = [layer(n, 700_000) for n in range(2)]
    source = Source()
    source.image([squeeze(d) for d in diffs], diffs)
    source.cut = 300_000
    pulled = pull_image(source, landing, options.replace(partial=""))
    assert [exported(store, one) for one in chain(store, pulled.id)] == diffs
    assert not os.path.exists(options.partial)
    assert store.check().left == ()


def test_a_spoilt_partial_blob_is_fetched_anew(world):
    store, landing, options = world
    data = layer(1, 100_000)
    source = Source()
    source.image([squeeze(data)], [data])
    os.makedirs(options.partial)
    Path(options.partial, sha(squeeze(data)).replace(":", "-")).write_bytes(b"\x1f\x8b\x08" + b"spoilt" * 1000)
    pulled = pull_image(source, landing, options)
    assert exported(store, chain(store, pulled.id)[0]) == data


@pytest.mark.parametrize(
    "lie",
    [
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content + b"x",
        lambda content: content[:-10],
        lambda content: b"x" + content[1:],
        lambda content: b"",
    ],
)
def test_what_does_not_verify_leaves_nothing(world, lie):
    store, landing, options = world
    diffs = [layer(n) for n in range(3)]
    source = Source()
    source.image([squeeze(d) for d in diffs], diffs)
    bad = sha(squeeze(diffs[2]))
    source.serve = lambda digest, content: lie(content) if digest == bad else content
    with pytest.raises(Damaged):
        pull_image(source, landing, options.replace(retries=0))
    assert store.images() == []
    assert bad.replace(":", "-") not in os.listdir(options.partial)
    source.serve = lambda digest, content: content
    pull_image(source, landing, options)
    assert len(store.images()) == 1


def test_a_wrong_diff_id_is_refused(world):
    store, landing, options = world
    data = layer(1)
    source = Source()
    source.image([squeeze(data)], [layer(2)])
    with pytest.raises(Damaged, match="does not match the image's config"):
        pull_image(source, landing, options)
    assert store.images() == []
    assert store.layers() == {}


def test_the_platform_is_chosen(world):
    store, landing, options = world
    data = layer(1)
    source = Source()
    entries = []
    for arch in ("arm64", "amd64"):
        entry = source.image([squeeze(data)], [data], architecture=arch)
        entries.append({**entry, "platform": {"os": "linux", "architecture": arch}})
    source.manifest(OCI.format("index"), {"schemaVersion": 2, "mediaType": OCI.format("index"), "manifests": entries})
    pulled = pull_image(source, landing, options)
    assert pulled.digest == entries[1]["digest"]
    assert pulled.top_digest == source.top.digest
    record = store.find_image(pulled.id)
    assert record.digest == source.top.digest
    assert set(record.digests) == {source.top.digest, pulled.digest}
    with pytest.raises(NotFound, match="s390x"):
        pull_image(source, landing, options.replace(platform=Platform(os="linux", architecture="s390x")))


def test_documents_that_lie_are_refused(world):
    _, landing, options = world
    data = layer(1)
    source = Source()
    entry = source.image([squeeze(data)], [data])
    index = {
        "schemaVersion": 2,
        "mediaType": OCI.format("index"),
        "manifests": [{**entry, "platform": {"os": "linux", "architecture": "amd64"}}],
    }
    inner = source.manifest(OCI.format("index"), index)
    source.manifest(
        OCI.format("index"), {**index, "manifests": [{**inner, "platform": {"os": "linux", "architecture": "amd64"}}]}
    )
    with pytest.raises(Unsupported, match="index within an index"):
        pull_image(source, landing, options)
    source.manifest(OCI.format("index"), {**index, "layers": []})
    with pytest.raises(Damaged, match="ambiguous"):
        pull_image(source, landing, options)
    source.top = source.top.replace(digest=sha(b"other"))
    with pytest.raises(Damaged, match="digest"):
        pull_image(source, landing, options)
    big = {"schemaVersion": 2, "mediaType": OCI.format("manifest"), "layers": []}
    source.manifest(
        OCI.format("manifest"),
        {**big, "config": {"mediaType": OCI.format("config"), "digest": sha(b""), "size": 5 << 20}},
    )
    with pytest.raises(Damaged, match="config has 5242880 bytes"):
        pull_image(source, landing, options)


def test_an_encrypted_image_is_refused_before_anything_is_fetched(world):
    _, landing, options = world
    source = Source()
    source.image([b"sealed"], [layer(1)])
    document = json.loads(source.top.content)
    document["layers"][0]["mediaType"] += "+encrypted"
    source.manifest(OCI.format("manifest"), document)
    with pytest.raises(Unsupported, match=f"layer {sha(b'sealed')} is encrypted") as caught:
        pull_image(source, landing, options)
    assert "skopeo copy" in caught.value.hint
    assert source.opened == []


def test_one_blob_twice(world):
    """Two layers of one content, as builds of empty layers make them."""
    store, landing, options = world
    data = layer(1)
    source = Source()
    source.image([squeeze(data)] * 3, [data] * 3)
    pulled = pull_image(source, landing, options)
    assert len(chain(store, pulled.id)) == 3


@pytest.mark.needs_peer
@pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
def test_skopeo_writes_the_same_layers(world):
    """What skopeo copies into a store of its own, and what we pull, file by file and field by field."""
    store, landing, options = world
    odd = [
        member("d", tarfile.DIRTYPE, mode=0o1777, uid=3, gid=4, mtime=1000.25),
        member("d/su", data=b"x" * 70000, mode=0o6755, uid=1000),
    ]
    odd += [
        member("d/hard", tarfile.LNKTYPE, link="d/su", mode=0o6755, uid=1000),
        member("s", tarfile.SYMTYPE, link="/x"),
    ]
    odd += [
        member("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("p", tarfile.FIFOTYPE),
        member("x/y/z", data=b"1"),
    ]
    odd += [
        member("n" * 150, data=b"long"),
        member("xa", data=b"", pax={"SCHILY.xattr.user.a": "b"}),
        member("täst/ü", data=b"u"),
    ]
    diffs = [
        tar_bytes(*odd),
        tar_bytes(
            member("d", tarfile.DIRTYPE),
            member("d/.wh.su"),
            member("x", tarfile.DIRTYPE),
            member("x/.wh..wh..opq"),
            member("x/new"),
        ),
    ]
    source = Source()
    source.image([squeeze(d) for d in diffs], diffs)
    pulled = pull_image(source, landing, options)
    top = Path(tempfile.mkdtemp(prefix="sonata-", dir="/tmp"))
    try:
        (top / "oci/blobs/sha256").mkdir(parents=True)
        for content in [*source.blobs.values(), source.top.content]:
            (top / "oci/blobs/sha256" / sha(content)[7:]).write_bytes(content)
        (top / "oci/oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        entry = {"mediaType": source.top.media_type, "digest": source.top.digest, "size": len(source.top.content)}
        (top / "oci/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        driver = store.place.driver
        place = f"containers-storage:[{driver}@{top}/graph+{top}/run]localhost/x:1"
        policy = top / "policy.json"
        policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
        subprocess.run(
            ["skopeo", "--policy", policy, "copy", "-q", f"oci:{top}/oci", place], check=True, capture_output=True
        )
        theirs = {one["id"]: one for one in json.loads((top / f"graph/{driver}-layers/layers.json").read_text())}
        for one in chain(store, pulled.id):
            ours = {k: v for k, v in store.layer(one).data.items() if k != "created"}
            assert ours == {k: v for k, v in theirs[one].items() if k != "created"}
            below = "diff" if driver == "overlay" else ""
            kind = "overlay" if driver == "overlay" else "vfs/dir"
            mine = listing(Path(store.place.graph, kind, one, below))
            assert mine == listing(Path(top, "graph", kind, one, below))
            assert split(store.tar_split(one)) == split(top / f"graph/{driver}-layers/{one}.tar-split.gz")
    finally:
        subprocess.run(
            f"grep -o '{top}[^ ]*' /proc/self/mountinfo | sort -ru | xargs -r umount -l", shell=True, check=False
        )
        shutil.rmtree(top)


def listing(folder):
    """Everything that a layer's folder says, but for times that are those of the unpacking."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")], key=str):
        seen = path.lstat()
        extra = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else seen.st_rdev
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        }
        # folders that the tar has no entry for have the time of the unpacking
        time = seen.st_mtime_ns if path.name not in ("x", "y", "täst") and path != folder else 0
        whiteout = (seen.st_mode & 0o170000) == 0o020000 and seen.st_rdev == 0
        found[str(path.relative_to(folder))] = (
            seen.st_mode,
            seen.st_uid,
            seen.st_gid,
            0 if whiteout else time,
            extra,
            attributes,
        )
    return found


def split(path):
    """tar-split data without the empty segment that old peers end with."""
    lines = [json.loads(line) for line in gzip.decompress(Path(path).read_bytes()).splitlines()]
    files = [line for line in lines if line["type"] == 1]
    raw = hashlib.sha256()
    import base64

    for line in lines:
        if line["type"] == 2:
            raw.update(base64.b64decode(line["payload"] or ""))
    return [{k: v for k, v in line.items() if k != "position"} for line in files], raw.hexdigest()


def _stall(top, driver, data):
    """In a process of its own: a pull whose source hands out a part and then nothing, for ever."""

    class Stalling(Source):
        def open_blob(self, blob, offset):
            stream = super().open_blob(blob, offset)
            if blob.digest != sha(squeeze(data)):
                return stream
            inner = io.BytesIO(stream.read(400_000))

            class Slow(io.RawIOBase):
                def read(self, size=-1):
                    return inner.read(size) or time.sleep(1000)

            return Slow()

    source = Stalling()
    source.image([squeeze(data)], [data])
    options = PullOptions(platform=AMD64, partial=str(top / "graph/sonata/partial"))
    pull_image(source, StoreLanding(open_store(top, driver)), options)


def test_a_killed_pull_goes_on_where_it_was(world):
    store, landing, options = world
    data = layer(1, 700_000)
    top = Path(store.place.graph).parent
    blob = sha(squeeze(data))
    part = Path(options.partial, blob.replace(":", "-"))
    child = multiprocessing.get_context("fork").Process(target=_stall, args=(top, store.place.driver, data))
    child.start()
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == 400_000) and time.monotonic() < until:
        time.sleep(0.01)
    child.kill()
    child.join()
    source = Source()
    source.image([squeeze(data)], [data])
    pulled = pull_image(source, landing, options)
    assert (blob, 400_000) in source.opened
    assert exported(store, chain(store, pulled.id)[0]) == data
    assert os.listdir(options.partial) == []


class Robbed(StoreLanding):
    """A store from which somebody removes the image with the same base, once it was seen to be here: some times."""

    def __init__(self, store, times):
        super().__init__(store)
        self.bare, self.times = store, times

    def has_layer(self, layer):
        known = super().has_layer(layer)
        if known and self.times:
            self.times -= 1
            for image in self.bare.images():
                self.bare.delete_image(image)
            for one in self.bare.layers():
                self.bare.delete_layer(one)
        return known


def two_with_one_base():
    base, other = layer(1), layer(2)
    first, second = Source(), Source()
    first.image([squeeze(base)], [base])
    second.image([squeeze(base), squeeze(other)], [base, other])
    return first, second


def test_a_layer_that_goes_with_another_image_meanwhile_is_brought_again(world):
    store, landing, options = world
    first, second = two_with_one_base()
    pull_image(first, landing, options)
    pulled = pull_image(second, Robbed(store, 1), options)
    assert [one.id for one in store.images()] == [pulled.id]
    assert len(store.layers()) == 2
    assert landing.has_image(pulled.id, pulled.digest)


def test_layers_that_always_go_end_it(world):
    store, landing, options = world
    first, second = two_with_one_base()
    pull_image(first, landing, options)
    robbed = Robbed(store, 1)
    robbed.has_layer = lambda layer: True
    for one in store.images():
        store.delete_image(one)
    with pytest.raises(NotFound, match=r"layer [0-9a-f]+ not known"):
        pull_image(second, robbed, options)
    assert store.images() == []
