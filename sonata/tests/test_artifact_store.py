"""The store of artifacts, and what artifacts say of themselves: nothing of this needs root."""

import json
import os
import subprocess
import sys
import threading

import pytest

from sonata.image import artifact as artifacts
from sonata.image.artifact_store import ArtifactStore
from sonata.image.artifact_type import media_type
from sonata.model.artifact import NewFiles
from sonata_core.errors import AlreadyExists, Conflict, Damaged, NotFound, UsageError

NAME = "quay.io/x/a:1"


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(f"{tmp_path}/graph/artifacts")


def put(store, name, *contents, created="2026-01-02T03:04:05.000000006Z", **more):
    """An artifact of files `f0`, `f1`, …"""
    told = NewFiles(created=created, **more)
    with store.changing() as change:
        files = []
        for number, content in enumerate(contents):
            reader, writer = os.pipe()
            os.write(writer, content)
            os.close(writer)
            files.append((f"/somewhere/f{number}", change.put_file(reader, told.file_type)))
            os.close(reader)
        manifest = artifacts.new_manifest(artifacts.new_layers((), files, told), told)
        change.put_empty()
        change.put(name, manifest)
        change.commit()
    return manifest


def blobs(store):
    return sorted(os.listdir(f"{store.folder}/blobs/sha256"))


# What http.DetectContentType, and so Podman 5.8, says of the same bytes.
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "text/plain; charset=utf-8"),
        (b"hello\n", "text/plain; charset=utf-8"),
        (b'{"a":1}', "text/plain; charset=utf-8"),
        (b"a\x00b", "application/octet-stream"),
        (b"\x1bescape", "text/plain; charset=utf-8"),
        (b"  \n<!doctype html>", "text/html; charset=utf-8"),
        (b"<body>", "text/html; charset=utf-8"),
        (b"<bodyguard>", "text/plain; charset=utf-8"),
        (b"\t<?xml version", "text/xml; charset=utf-8"),
        (b"%PDF-1.4", "application/pdf"),
        (b"\xef\xbb\xbfx", "text/plain; charset=utf-8"),
        (b"\xff\xfea\x00", "text/plain; charset=utf-16le"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"RIFF1234WEBPVP8", "image/webp"),
        (b"RIFF1234WAVEfmt", "audio/wave"),
        (b"\x1f\x8b\x08\x00", "application/x-gzip"),
        (b"\x1f\x8b", "application/octet-stream"),
        (b"PK\x03\x04", "application/zip"),
        (b"\x00asm\x01\x00\x00\x00", "application/wasm"),
        (b"\x7fELF\x02\x01\x01\x00", "application/octet-stream"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
        (b"\x00\x00\x00\x18ftypqt  \x00\x00\x00\x00qt  isom", "application/octet-stream"),
    ],
)
def test_media_types_by_first_bytes(data, kind):
    assert media_type(data) == kind


def test_a_manifest_is_to_the_byte_as_podman_makes_it(store):
    """Recorded from Podman 5.8.6: `artifact add quay.io/x/a:1 a.txt` of `hello`, and of two files with annotations."""
    told = NewFiles(created="2026-11-22T05:04:04.726379514Z")
    put(store, NAME, b"hello\n", created=told.created)
    content = store.get(NAME).manifest.content
    assert content.decode().replace('"f0"', '"a.txt"') == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":'
        '"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f'
        '61caaff8a","size":2,"data":"e30="},"layers":[{"mediaType":"text/plain; charset=utf-8","digest":"sha256:5891b5'
        'b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03","size":6,"annotations":{"org.opencontainers.image'
        '.title":"a.txt"}}],"annotations":{"org.opencontainers.image.created":"2026-11-22T05:04:04.726379514Z"}}'
    )
    put(store, "localhost/t", b"1", artifact_type="text/x", file_type="text/y", annotations={"z": "1", "k": "<v>"})
    text = store.get("localhost/t").manifest.content.decode()
    assert '"artifactType":"text/x","config"' in text
    assert '"annotations":{"k":"\\u003cv\\u003e","org.opencontainers.image.title":"f0","z":"1"}}]' in text
    assert '"mediaType":"text/y"' in text


def test_a_store_that_podman_made(store):
    """Its files after `podman artifact add quay.io/x/a:1 a.txt` with Podman 5.8.6; what we add stands beside it."""
    manifest = (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/'
        b'vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size"'
        b':2,"data":"e30="},"layers":[{"mediaType":"text/plain; charset=utf-8","digest":"sha256:5891b5b522d5df086d0ff0b'
        b'110fbd9d21bb4fc7163af34d08286a2e846f6be03","size":6,"annotations":{"org.opencontainers.image.title":"a.txt"}}],"'
        b'annotations":{"org.opencontainers.image.created":"2026-11-22T05:04:04.726379514Z"}}'
    )
    digest = "3e824d08f69c1544749bc7fe01b4ade381c407fbd51ecc639aef3825b8b7d8e9"
    theirs = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.lock": b"",
        "index.json": b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"media'
        b'Type":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":527,"annotations":{"org.openconta'
        b'iners.image.ref.name":"quay.io/x/a:1"}}]}' % digest.encode(),
        f"blobs/sha256/{digest}": manifest,
        "blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a": b"{}",
        "blobs/sha256/5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03": b"hello\n",
    }
    os.makedirs(f"{store.folder}/blobs/sha256")
    for name, content in theirs.items():
        with open(f"{store.folder}/{name}", "wb") as file:
            file.write(content)
    found = store.get("quay.io/x/a:1")
    assert (found.manifest.digest, found.size, found.created[:10]) == (f"sha256:{digest}", 6, "2026-11-22")
    put(store, "localhost/ours", b"ours")
    with open(f"{store.folder}/index.json", "rb") as file:
        index = json.load(file)
    assert index["manifests"][0] == json.loads(theirs["index.json"])["manifests"][0]
    assert list(index["manifests"][1]) == ["mediaType", "digest", "size", "annotations"]
    assert {name for name, _ in store.names()} == {"quay.io/x/a:1", "localhost/ours"}


def test_append_keeps_what_is_there(store):
    old = put(store, NAME, b"one", annotations={"k": "v"})
    layers = [{"mediaType": "x/y", "digest": "sha256:" + "1" * 64, "size": 3}]
    longer = json.loads(artifacts.longer_manifest(old, layers).content)
    first = json.loads(old.content)
    assert longer["layers"] == [*first["layers"], *layers]
    assert {**longer, "layers": 0} == {**first, "layers": 0}


def test_a_title_is_there_once(store):
    blob = artifacts.EMPTY_BLOB
    with pytest.raises(AlreadyExists, match=r"a\.txt: file already exists in artifact"):
        artifacts.new_layers((), [("/x/a.txt", blob), ("/y/a.txt", blob)], NewFiles())
    titled = NewFiles(annotations={artifacts.TITLE: "zz"})
    assert artifacts.new_layers((), [("/x/a.txt", blob)], titled)[0]["annotations"] == {artifacts.TITLE: "zz"}
    with pytest.raises(AlreadyExists, match="labels within an artifact not allowed"):
        artifacts.new_layers((), [("/x/a.txt", blob), ("/x/b.txt", blob)], titled)


def test_found_by_name_or_first_digits(store):
    first, second = put(store, "b", b"1"), put(store, "localhost/c", b"2")
    assert store.get("b").manifest.digest == first.digest
    assert store.get(second.digest[7:15]).name == "localhost/c"
    for text in ("nosuch", second.digest, "b:latest", ""):
        with pytest.raises(NotFound, match="artifact does not exist"):
            store.get(text)
    many = [("x", artifacts.Digest("sha256:" + "ab" * 32)), ("y", artifacts.Digest("sha256:" + "ac" * 32))]
    with pytest.raises(Conflict):
        artifacts.find(many, "a")


def test_what_is_shared_stays_and_what_nobody_needs_goes(store):
    put(store, "localhost/one", b"shared", b"own")
    put(store, "localhost/two", b"shared")
    with open(f"{store.folder}/blobs/sha256/.new.0123", "wb") as left:  # as a killed process leaves it
        left.write(b"x" * 1000)
    with store.changing() as change:
        change.remove(*change.find("localhost/one"))
        change.commit()
        change.sweep()
    two = store.get("localhost/two")
    assert blobs(store) == sorted(
        digest[7:] for digest in (two.manifest.digest, artifacts.EMPTY_BLOB.digest, two.document.layers[0].digest)
    )


def test_a_manifest_that_cannot_be_read_keeps_every_file(store):
    manifest = put(store, "localhost/one", b"1")
    put(store, "localhost/two", b"2")
    with open(store.blob_path(manifest.digest), "wb") as file:
        file.write(b"{")
    before = blobs(store)
    with store.changing() as change:
        change.remove(*change.find("localhost/two"))
        change.commit()
        change.sweep()
    assert blobs(store) == before
    with pytest.raises(Damaged):
        store.get("localhost/one")


@pytest.mark.parametrize(
    "index", [b"[]", b"{", b'{"manifests":3}', b'{"manifests":[1]}', b'{"manifests":[{"digest":"../x"}]}']
)
def test_a_broken_index_is_told(store, index):
    put(store, NAME, b"1")
    with open(f"{store.folder}/index.json", "wb") as file:
        file.write(index)
    with pytest.raises(Damaged):
        store.names()


@pytest.mark.parametrize("title", ["../x", "/etc/x", "a/b", "..", ".", "a\0b"])
def test_titles_that_are_no_names_of_files(title):
    blob = artifacts.EMPTY_BLOB.replace(annotations={artifacts.TITLE: title})
    with pytest.raises(UsageError, match="artifact blob title invalid"):
        artifacts.file_name(blob, artifacts.title_of(blob))
    assert artifacts.file_name(blob) == "sha256-" + blob.digest[7:]


_WRITER = """
import os, sys
from sonata.image import artifact as artifacts
from sonata.image.artifact_store import ArtifactStore
from sonata.model.artifact import NewFiles
store, number = ArtifactStore(sys.argv[1]), 0
print("ready", flush=True)
while True:
    number += 1
    with store.changing() as change:
        told = NewFiles(created="2026-01-01T00:00:00Z")
        fd = os.open("/proc/self/exe", os.O_RDONLY)
        layers = artifacts.new_layers((), [("x", change.put_file(fd, ""))], told)
        os.close(fd)
        change.put_empty()
        change.put(f"localhost/n{number}", artifacts.new_manifest(layers, told))
        change.commit()
        if number % 3 == 0:
            change.remove(*change.find(f"localhost/n{number - 1}"))
            change.commit()
            change.sweep()
"""


@pytest.mark.heavy
def test_killed_at_any_moment_it_is_whole(store):
    """What is in the index can be read, whenever the writer ended; the next one needs no repair."""
    for moment in range(12):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, store.folder], stdout=subprocess.PIPE)
        writer.stdout.readline()
        for _ in range(moment):
            store.names()
        writer.kill()
        writer.wait()
        writer.stdout.close()
        for name, digest in store.names():
            found = store.read(name, digest)
            for blob in found.document.layers:
                store.open_blob(blob).close()
        put(store, "localhost/after", b"x")
        with store.changing() as change:
            change.sweep()
        assert not [name for name in blobs(store) if name.startswith(".")]


class Raced(ArtifactStore):
    """A store from which somebody else removes an artifact at the moment when it is to be read."""

    def read(self, name, digest):
        def remove():
            with ArtifactStore(self.folder).changing() as change:
                change.remove(name, digest)
                change.commit()
                change.sweep()

        self.other = threading.Thread(target=remove)
        self.other.start()
        self.other.join(0.1)
        return super().read(name, digest)


@pytest.mark.parametrize("look", [lambda store: store.get(NAME), lambda store: store.all()[0][0]])
def test_whoever_removes_an_artifact_waits_until_it_is_read(store, look):
    put(store, NAME, b"x")
    raced = Raced(store.folder)
    assert look(raced).name == NAME
    raced.other.join()
    assert store.names() == []
    with pytest.raises(NotFound):
        store.get(NAME)
