"""What is read of a server's answer, byte by byte: honest ones in every form, and those that mean no good."""

from __future__ import annotations

import io
import select
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonata_core.models.image import Endpoint, TransportOptions
from sonata_testkit.registry import FakeRegistry
from sonata_transport_registry import wire
from sonata_transport_registry.address import Origin
from sonata_transport_registry.answer import Answer, Broken, read_head
from sonata_transport_registry.connection import request_head
from sonata_transport_registry.patience import Limit, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WATCH = Watch()


class Case:
    """An answer read from bytes; `kept` says whether its connection would be used again, None before its end."""

    def __init__(self, data: bytes, method: str = "GET") -> None:
        self.stream = io.BytesIO(data)
        self.kept: bool | None = None
        mine, self.other = socket.socketpair()
        with mine, self.other:
            self.answer = Answer(
                method, read_head(self.stream), self.stream, lambda what: Limit(WATCH, mine, 9.0, what), self._done
            )

    def _done(self, lasting: bool) -> None:
        self.kept = lasting

    def body(self, step: int = 1 << 16) -> bytes:
        found = b""
        while part := self.answer.read(step):
            found += part
        return found


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4;x=y\r\nabcd\r\n00A\r\n0123456789\r\n0\r\nT: x\r\n\r\nnext"
)


@pytest.mark.parametrize(
    ("data", "body", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcnext", b"abc", True),
        (b"HTTP/1.1 200\r\ncontent-length:3\r\nCONTENT-LENGTH: 3\r\n\r\nabcnext", b"abc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: Close\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False),
        (b"HTTP/1.1 200 OK\n\nabc", b"abc", False),
        (b"HTTP/1.1 204 No\r\n\r\nnext", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 304 N\r\n\r\nnext", b"", True),
        (CHUNKED, b"abcd0123456789", True),
        (CHUNKED.replace(b"\r\n\r\n4", b"\r\nContent-Length: 5\r\n\r\n4"), b"abcd0123456789", False),
    ],
)
def test_bodies(data: bytes, body: bytes, kept: bool) -> None:
    for step in (1, 3, 1 << 16):
        case = Case(data)
        assert case.body(step) == body
        assert case.kept is kept
        case.answer.close()
        assert case.kept is kept


def test_head_has_no_body() -> None:
    case = Case(b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\nX-A: b\r\nx-a: c\r\n\r\nHTTP/1.1 200 OK", "HEAD")
    assert (case.body(), case.kept) == (b"", True)
    assert (case.answer.headers.get("X-a"), case.answer.headers.getlist("X-A")) == ("b, c", ["b", "c"])
    assert case.answer.headers.get("none", "d") == "d"


def test_what_was_not_read_closes() -> None:
    case = Case(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
    assert case.answer.read(2) == b"ab"
    case.answer.close()
    assert (case.kept, case.answer.read(2)) == (False, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 65_536 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + (b"A: " + b"b" * 60_000 + b"\r\n") * 6 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    ],
)
def test_heads_that_are_none(data: bytes) -> None:
    with pytest.raises(Broken):
        Case(data)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"3",
        b"3\r\nab",
        b"3\r\nabc",
        b"3\r\nabcd\r\n",
        b"\r\n",
        b"-3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"3\r\nabc\r\n0\r\n",
        b"0" * 16 + b"\r\n",
        b"3_0\r\n",
        b"0\r\nbad\r\n\r\n",
    ],
)
def test_chunks_that_are_none(body: bytes) -> None:
    case = Case(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    with pytest.raises(Broken):
        case.body()
    case.answer.close()
    assert case.kept is False


def test_a_body_that_is_cut_short() -> None:
    with pytest.raises(Broken):
        Case(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc").body()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", CHUNKED[:30], CHUNKED[:60]]))
def test_any_bytes_are_read_or_refused(data: bytes, before: bytes) -> None:
    try:
        assert Case(before + data).body(7) is not None
    except Broken:
        pass


@pytest.mark.parametrize(
    ("target", "headers"),
    [("/a b", {}), ("/a\r\nX: y", {}), ("/\xe4", {}), ("/", {"A": "b\r\nC: d"}), ("/", {"A": "b\nC: d"})],
)
def test_requests_that_would_be_read_as_others(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(Broken):
        request_head("GET", target, headers)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        made.add_image("demo/x", "1", [b"layer"])
        yield made


def wire_to(registry: FakeRegistry, **options: Any) -> tuple[wire.Wire, Origin]:
    host, _, port = registry.host.partition(":")
    endpoint = Endpoint(reference=f"{registry.host}/demo/x:1", insecure=True)
    made = wire.Wire(endpoint, TransportOptions(retries=0, retry_delay=0.01, **options))
    return made, Origin(scheme="http", host=host, port=int(port))


def test_a_connection_is_used_again(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *given: dialled.append(given) or real(*given))
    made, origin = wire_to(registry)
    try:
        for _ in range(3):
            answer = made.ask("GET", origin, "/v2/", {})
            assert (answer.status, wire.read_all(answer, 1000, "x") is not None) == (200, True)
        assert len(dialled) == 1
    finally:
        made.close()


def test_a_connection_that_the_server_closed_meanwhile_is_not(registry: FakeRegistry) -> None:
    made, origin = wire_to(registry)
    try:
        wire.discard(made.ask("GET", origin, "/v2/", {}))
        with registry.lock:
            for one in registry._server._open:
                one.shutdown(socket.SHUT_RDWR)
        answer = made.ask("GET", origin, "/v2/", {})
        wire.discard(answer)
        assert answer.status == 200
    finally:
        made.close()


class Listener:
    """A server of one connection, in a thread. With `tls` it speaks TLS."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heads: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._socket.settimeout(20)
        wire, _ = self._socket.accept()
        wire.settimeout(20)
        if self._tls is not None:
            wire = self._tls.wrap_socket(wire, server_side=True)
        with wire:
            self.serve(wire)

    def head(self, wire: socket.socket) -> bool:
        """Keep the next request's head; False where the client has gone."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = wire.recv(1)
            if not byte:
                return False
            head += byte
        self.heads.append(head)
        return True

    def serve(self, wire: socket.socket) -> None:
        """Answer every request alike."""
        while self.head(wire):
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"a" * 300_000)

    def close(self) -> None:
        self._thread.join(20)
        self._socket.close()


class ForwardProxy(Listener):
    """Connects whoever asks to one server."""

    def __init__(self, tls: ssl.SSLContext | None, behind: int) -> None:
        self._behind = behind
        super().__init__(tls)

    def serve(self, wire: socket.socket) -> None:
        self.head(wire)
        with socket.create_connection(("127.0.0.1", self._behind), 20) as behind:
            wire.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                ready = [wire] if getattr(wire, "pending", int)() else select.select([wire, behind], [], [], 20)[0]
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    (behind if one is wire else wire).sendall(data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    words += [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        str(key),
        "-out",
        str(made),
    ]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return made, key


@pytest.mark.parametrize("secure", [False, True])
def test_tls_through_a_proxy(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, secure: bool) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = Listener(serving)
    proxy = ForwardProxy(serving if secure else None, server.port)
    address = f"{'https' if secure else 'http'}://us%40er:pass@localhost:{proxy.port}"
    endpoint = Endpoint(reference="registry.example/demo/x:1", insecure=True)
    made = wire.Wire(endpoint, TransportOptions(retries=0, proxies={"https": address}))
    origin = Origin(scheme="https", host="registry.example", port=443)
    try:
        for _ in range(2):
            answer = made.ask("GET", origin, "/v2/", {"Authorization": "Basic own"})
            assert wire.read_all(answer, 1 << 20, "x") == b"a" * 300_000
    finally:
        made.close()
        proxy.close()
        server.close()
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"CONNECT registry.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNAZXI6cGFzcw==" in proxy.heads[0]
    assert b"own" not in proxy.heads[0]
    assert [head.partition(b"\r\n")[0] for head in server.heads] == [b"GET /v2/ HTTP/1.1"] * 2
    assert all(b"Host: registry.example\r\n" in head and b"Proxy-" not in head for head in server.heads)
