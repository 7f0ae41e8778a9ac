"""`docker-daemon:`: the contract, against a daemon of ours; and what goes wrong with one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import ExternalFailure, NotFound, Unavailable, Unsupported, UsageError
from sonata_core.models.image import TransportOptions
from sonata_testkit.images import SampleImage
from sonata_testkit.transport import Place, TransportConformance, put_blobs
from sonata_transport_docker_archive.daemon import DockerDaemonTransport

sys.path.insert(0, str(Path(__file__).parent))
from fake_daemon import FakeDaemon


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with tempfile.TemporaryDirectory() as folder, FakeDaemon(Path(folder, "docker.sock")) as made:
        yield made


@pytest.fixture
def transport(plugin_context: PluginContext, daemon: FakeDaemon) -> DockerDaemonTransport:
    return DockerDaemonTransport(plugin_context.replace(config={"socket": f"unix://{daemon.path}"}))


class TestDaemon(TransportConformance):
    @pytest.fixture
    def backend(self, transport: DockerDaemonTransport) -> DockerDaemonTransport:
        return transport

    @pytest.fixture
    def place_text(self) -> Callable[[str], str]:
        return lambda name: f"h.example/{name}:1"


def place_of(transport: DockerDaemonTransport, text: str = "h.example/x:1") -> Place:
    return Place(transport, text, lambda _reference: TransportOptions())


def test_what_the_daemon_says_is_told(transport: DockerDaemonTransport, daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.fail("no space left on device")
    image = SampleImage("told", docker=True, compressed=False)
    with place_of(transport).sink() as sink:
        put_blobs(sink, image)
        with pytest.raises(ExternalFailure, match="no space left on device"):
            sink.commit(image.manifest)
    with pytest.raises(NotFound, match="No such image"):
        place_of(transport).resolve()
    assert not list(tmp_path.rglob("load-*"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "reference x has neither a tag nor a digest"),
        ("", "invalid"),
        ("X:1", "lower"),
        ("sha256:1234", "reserved for"),
        (f"x:1@sha256:{'a' * 64}", "both a tag and digest"),
    ],
)
def test_names(transport: DockerDaemonTransport, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        transport.transport_parse(text)
    assert transport.transport_parse("x:1").name == "docker.io/library/x:1"
    image = f"sha256:{'a' * 64}"
    assert transport.transport_parse(image).rest == image
    with pytest.raises(UsageError, match="must be a name:tag"):
        transport.transport_open_sink(transport.transport_parse(image), TransportOptions())


def test_daemons_that_cannot_be_reached(plugin_context: PluginContext, tmp_path: Path, monkeypatch: Any) -> None:
    def asks(host: str) -> Place:
        return place_of(DockerDaemonTransport(plugin_context.replace(config={"socket": host})))

    with pytest.raises(Unavailable, match="Is the docker daemon running"):
        asks(f"unix://{tmp_path}/none").resolve()
    with pytest.raises(Unavailable, match=r"at tcp://127\.0\.0\.1:1\. Is the docker daemon running"):
        asks("tcp://127.0.0.1:1").resolve()
    with pytest.raises(Unsupported, match="not reached by ssh"):
        asks("ssh://somewhere").resolve()
    for odd in ("blah", "unix://", "tcp://:1", "tcp://[x", "tcp://h:p"):
        with pytest.raises(UsageError, match="initializing docker engine client"):
            asks(odd).resolve()
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(dead))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{dead}")
    with pytest.raises(Unavailable, match=str(dead)):
        place_of(DockerDaemonTransport(plugin_context)).resolve()


@pytest.mark.needs_root
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("dockerd"), reason="needs dockerd")
def test_a_real_daemon(plugin_context: PluginContext) -> None:
    with tempfile.TemporaryDirectory() as folder:
        socket_path = f"{folder}/docker.sock"
        words = ["dockerd", "--iptables=false", "--bridge=none", "--storage-driver=vfs", "-H", f"unix://{socket_path}"]
        words += [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        with Path(folder, "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as running:
            try:
                while not Path(socket_path).exists():
                    assert running.poll() is None, Path(folder, "log").read_text()[-2000:]
                    time.sleep(0.1)
                config = {"socket": f"unix://{socket_path}"}
                place = place_of(DockerDaemonTransport(plugin_context.replace(config=config)))
                image = SampleImage("real", docker=True, compressed=False)
                place.write(image)
                _, blobs = place.read()
                assert image.config in blobs.values()
                assert set(image.layers) <= set(blobs.values())
            finally:
                running.terminate()
