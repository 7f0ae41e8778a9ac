"""Beside a real Docker daemon: images go in and out, and stay what they are."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from dockerd import Dockerd, missing
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
LAYERS = "{{json .RootFS.Layers}}"


@pytest.fixture(scope="module")
def docker() -> Iterator[Dockerd]:
    with Dockerd() as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, docker: Dockerd, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainStore]:
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    made = PlainStore(tmp_path)
    yield made
    made.close()


def id_of(store: PlainStore, name: str) -> str:
    return store.out("image", "inspect", "--format", "{{.Id}}", name)


def test_push_and_pull(store: PlainStore, docker: Dockerd, tmp_path: Path) -> None:
    store.out("tag", IMAGE, "h.example/box:1")
    assert store.out("push", "-q", f"--digestfile={tmp_path}/digest", "h.example/box:1", "docker-daemon:box:one") == ""
    own = id_of(store, IMAGE)
    assert docker.id_of("box:one") == own
    layers = json.loads(docker("image", "inspect", "--format", LAYERS, "box:one"))
    assert layers == json.loads(store.out("image", "inspect", "--format", LAYERS, IMAGE))
    store.out("rmi", "-fa")
    pulled = store("pull", "docker-daemon:box:one")
    assert pulled.stdout.decode().strip() == own
    told = pulled.stderr.decode().splitlines()
    assert told[0] == "Getting image source signatures"
    assert sorted(line for line in told if "blob" in line) == sorted(f"Copying blob {layer}" for layer in layers)
    assert told[-2:] == [f"Copying config sha256:{own}", "Writing manifest to image destination"]
    assert store.out("images", "--format", "{{.Repository}}:{{.Tag}}") == "docker.io/library/box:one"
    config = json.loads(docker("image", "inspect", "box:one"))[0]["Config"]
    mine = json.loads(store.out("image", "inspect", "box:one"))[0]["Config"]
    assert {key: config[key] for key in mine} == mine
    assert store.out("pull", "-q", f"docker-daemon:sha256:{own}") == own


def test_archives_of_either_are_the_others(store: PlainStore, docker: Dockerd, tmp_path: Path) -> None:
    store.out("save", "-q", "-o", f"{tmp_path}/ours.tar", IMAGE)
    assert docker("load", "-i", f"{tmp_path}/ours.tar") == f"Loaded image: {IMAGE}"
    own = id_of(store, IMAGE)
    assert docker.id_of(IMAGE) == own
    docker("tag", IMAGE, "again:1")
    docker("save", "-o", f"{tmp_path}/theirs.tar", "again:1", IMAGE)
    store.out("rmi", "-fa")
    loaded = store.out("load", "-q", "-i", f"{tmp_path}/theirs.tar").splitlines()
    assert sorted(loaded) == sorted(["Loaded image: localhost/again:1", f"Loaded image: {IMAGE}"])
    assert id_of(store, "again:1") == id_of(store, IMAGE) == own
    docker("save", "-o", f"{tmp_path}/id.tar", own)
    assert store.out("load", "-q", "-i", f"{tmp_path}/id.tar") == f"Loaded image: sha256:{own}"


def test_an_image_that_docker_made(store: PlainStore, docker: Dockerd, tmp_path: Path) -> None:
    """Several layers with whiteouts and hard links, by the changes that Docker itself writes."""
    store.out("push", "-q", IMAGE, "docker-daemon:base:1")
    for start, end, script in (
        (
            "base:1",
            "made:0",
            "mkdir -p /d /e/f && echo 1 >/d/one && echo 0 >/e/f/old && ln /d/one /d/two && touch /gone",
        ),
        ("made:0", "made:1", "rm /gone && rm -r /e && mkdir /e && echo 2 >/e/new && ln /d/one /d/three"),
    ):
        docker("run", "--name", "maker", "--network", "none", start, "sh", "-c", script)
        docker("commit", "--change", "ENV A=b", "--change", "LABEL k=v", "maker", end)
        docker("rm", "maker")
    store.out("pull", "-q", "docker-daemon:made:1")
    assert id_of(store, "made:1") == docker.id_of("made:1")
    look = "cat /d/one /d/two /d/three; ls /e; [ /d/one -ef /d/two ] && echo same; ls /gone || echo $A"
    assert store.out("run", "--rm", "--network", "none", "made:1", "sh", "-c", look).split() == (
        ["1", "1", "1", "new", "same", "b"]
    )
    store.out("push", "-q", "made:1", "docker-daemon:back:1")
    assert docker.id_of("back:1") == docker.id_of("made:1")


def test_copies_both_ways(store: PlainStore, docker: Dockerd, tmp_path: Path) -> None:
    copy = ("image", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false")
    store.out("push", "-q", IMAGE, "docker-daemon:start:1")
    own = docker.id_of("start:1")
    with FakeRegistry() as registry:
        for number, place in enumerate(
            (
                f"docker://{registry.host}/box:1",
                f"docker-archive:{tmp_path}/box-{os.getpid()}.tar:x.example/y:1",
                f"dir:{tmp_path}/folder",
                f"containers-storage:[vfs@{tmp_path}/other+{tmp_path}/other-run]x.example/y:1",
            )
        ):
            store.out(*copy, "docker-daemon:start:1", place)
            store.out(*copy, place, f"docker-daemon:end:{number}")
            assert docker.id_of(f"end:{number}") == own, place
        sent = json.loads(registry.manifests["box"]["1"][1])
    assert sent["config"]["digest"] == f"sha256:{own}"
    assert {layer["mediaType"].rpartition(".")[2] for layer in sent["layers"]} == {"gzip"}
    # An OCI layout has a config of OCI's form, and so another ID, which stays from then on.
    store.out(*copy, "docker-daemon:start:1", f"oci:{tmp_path}/layout:1")
    store.out(*copy, f"oci:{tmp_path}/layout:1", "docker-daemon:oci:1")
    store.out(*copy, "docker-daemon:oci:1", f"oci-archive:{tmp_path}/layout.tar:1")
    store.out(*copy, f"oci-archive:{tmp_path}/layout.tar:1", "docker-daemon:oci:2")
    assert docker.id_of("oci:1") == docker.id_of("oci:2")
    for source, tag in ((f"dir:{tmp_path}/folder", "dir"), (f"containers-storage:{IMAGE}", "store")):
        more = (f"--additional-tag=more.example/{tag}:1", f"--additional-tag={tag}")
        store.out(*copy, *more, source, f"docker-daemon:first-{tag}:1")
        names = {f"first-{tag}:1", f"more.example/{tag}:1", f"{tag}:latest"}
        assert len({docker.id_of(name) for name in names}) == 1


def test_what_goes_wrong_is_said_in_docker_words(
    store: PlainStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = "loading image from docker engine: Error response from daemon: reference does not exist"
    assert answer in store.refused("pull", "docker-daemon:none:1")
    assert answer in store.refused("image", "copy", "docker-daemon:none:1", f"dir:{tmp_path}/d")
    assert "Error: docker-daemon: reference none has neither a tag nor a digest" in (
        store.refused("pull", "docker-daemon:none")
    )
    reserved = "The sha256 repository name is reserved for (non-shortened) digest references"
    assert reserved in store.refused("pull", "docker-daemon:sha256:1234")
    digest = f"sha256:{'a' * 64}"
    assert f"Invalid destination docker-daemon:{digest}: a destination must be a name:tag" in (
        store.refused("push", IMAGE, f"docker-daemon:{digest}")
    )
    for address in (f"unix://{tmp_path}/none", "tcp://127.0.0.1:1", "http://127.0.0.1:1"):
        gone = f"Cannot connect to the Docker daemon at {address}. Is the docker daemon running?"
        copy = ("image", "copy", f"--src-daemon-host={address}", f"--dest-daemon-host={address}")
        assert gone in store.refused(*copy, "docker-daemon:x:1", f"dir:{tmp_path}/d")
        assert gone in store.refused(*copy, f"docker-archive:{tmp_path}/box.tar", "docker-daemon:x:1")
        monkeypatch.setenv("DOCKER_HOST", address)
        assert gone in store.refused("pull", "docker-daemon:x:1")
        pushed = store.refused("push", IMAGE, "docker-daemon:x:1")
        assert gone in pushed
        assert "Copying blob" not in pushed
    assert "unable to parse docker host `blah`" in (
        store.refused("image", "copy", "--src-daemon-host=blah", "docker-daemon:x:1", f"dir:{tmp_path}/d")
    )


def test_a_daemon_behind_tls(store: PlainStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker` has it: DOCKER_TLS_VERIFY and DOCKER_CERT_PATH; as Skopeo: tcp:// is TLS, --src-cert-dir."""
    certificates = tmp_path / "certs"
    make_certificates(certificates)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://localhost:{port}"
    tls = [
        f"--tls{name}={certificates}/{file}.pem" for name, file in (("cacert", "ca"), ("cert", "cert"), ("key", "key"))
    ]
    with Dockerd("-H", f"tcp://127.0.0.1:{port}", "--tlsverify", *tls) as docker:
        copy = ("image", "copy", "-q", f"--src-daemon-host={address}", f"--dest-daemon-host={address}")
        known = (f"--src-cert-dir={certificates}", f"--dest-cert-dir={certificates}")
        store.out(*copy, *known, f"docker-archive:{tmp_path}/box.tar", "docker-daemon:tls:1")
        store.out(*copy, *known, "docker-daemon:tls:1", f"dir:{tmp_path}/back")
        assert docker.id_of("tls:1") == id_of(store, IMAGE)
        assert "certificate" in store.refused(*copy, "docker-daemon:tls:1", f"dir:{tmp_path}/no")
        monkeypatch.setenv("DOCKER_HOST", address)
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
        assert store.out("pull", "-q", "docker-daemon:tls:1") == docker.id_of("tls:1")
        monkeypatch.delenv("DOCKER_TLS_VERIFY")
        assert "HTTP request to an HTTPS server" in store.refused("pull", "-q", "docker-daemon:tls:1")


def make_certificates(folder: Path) -> None:
    """One certificate that is its own authority, the daemon's and the client's at once."""
    folder.mkdir()
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    words += ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    (folder / "ca.pem").write_bytes((folder / "cert.pem").read_bytes())
