"""Connections that do not come about: what is said of certificates, of proxies, and of the files of certs.d."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from sonata_core.errors import SonataError
from sonata_core.models.image import Endpoint, TransportOptions
from sonata_transport_registry.address import Origin
from sonata_transport_registry.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost that signs itself, as the authority of certs.d, and its key elsewhere."""
    made = tmp_path_factory.mktemp("certs")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", f"{made}/own-key", "-out", f"{made}/ca.crt"]
    subprocess.run(["openssl", *words, *names, *files], check=True, capture_output=True)
    return made


class Server:
    """Answers every connection with the same bytes, after a TLS handshake where it has a context."""

    def __init__(self, said: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._said = said
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                wire, _ = self._socket.accept()
                wire.settimeout(20)
                with suppress(OSError), wire, self._top(wire) as top:
                    top.recv(4096)
                    top.sendall(self._said)

    def _top(self, wire: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(wire, server_side=True) if self._tls else wire

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(20)
        self._socket.close()


@pytest.fixture
def served(folder: Path) -> Iterator[Server]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "ca.crt", folder / "own-key")
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", tls)
    yield server
    server.close()


def asked(origin: Origin, certs: str = "", proxy: str = "") -> str:
    """What is said of a request; empty where it goes well."""
    endpoint = Endpoint(reference="r.example/x:1", cert_dirs=(certs,) if certs else ())
    wire = Wire(endpoint, TransportOptions(retries=0, proxies={"https": proxy} if proxy else {}))
    try:
        wire.ask("GET", origin, "/v2/", {}).close()
    except SonataError as error:
        assert "Traceback" not in error.message
        return f"{error.message} ({error.hint})"
    finally:
        wire.close()
    return ""


def test_certificates(served: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Origin(scheme="https", host="localhost", port=served.port)
    other = good.replace(host="127.0.0.1")
    assert "x509: certificate signed by unknown authority (put the certificate of its authority" in asked(good)
    assert asked(good, str(folder)) == ""
    said = asked(other, str(folder))
    assert "x509: certificate is valid for other names, not 127.0.0.1 (ask for a name" in said
    assert f"open {folder}/ca.crt: not a directory" in asked(good, f"{folder}/ca.crt")
    (tmp_path / "ca.crt").symlink_to("nowhere")
    assert "unknown authority" in asked(good, str(tmp_path))
    (tmp_path / "me.cert").touch()
    told = "missing key me.key for client certificate me.cert. Note that CA certificates should use the extension .crt"
    assert told in asked(good, str(tmp_path))
    (tmp_path / "me.cert").rename(tmp_path / "me.key")
    assert "missing client certificate me.cert for key me.key" in asked(good, str(tmp_path))
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{folder}")
    assert asked(good) == ""


def test_a_server_that_wants_a_certificate(folder: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "ca.crt", folder / "own-key")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(folder / "ca.crt")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2  # where the refusal comes before an answer could
    server = Server(b"", tls)
    said = asked(Origin(scheme="https", host="localhost", port=server.port), str(folder))
    server.close()
    assert "remote error: tls: handshake failure" in said or "remote error: tls: certificate required" in said


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ("http://[x", 'invalid proxy address "http://[x": '),
        ("http://me:secret@p.example:99999", 'invalid proxy address "p.example:99999": '),
    ],
)
def test_proxies_that_are_none(proxy: str, told: str) -> None:
    said = asked(Origin(scheme="https", host="r.example", port=443), proxy=proxy)
    assert told in said
    assert "secret" not in said


def test_a_proxy_that_does_not_connect() -> None:
    server = Server(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
    address = f"127.0.0.1:{server.port}"
    said = asked(Origin(scheme="https", host="r.example", port=443), proxy=f"http://me:secret@{address}")
    server.close()
    told = f"the proxy {address} does not connect: received unexpected HTTP status: 407 Proxy Authentication Required"
    assert told in said
    assert "secret" not in said
