"""Signatures beside a registry, by places that lie, are endless, or lead elsewhere."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import Damaged, RegistryFailure, SonataError, Unsupported
from sonata_core.models.ids import Digest
from sonata_core.models.image import Endpoint, TransportOptions
from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST
from sonata_core.sdk import signatures
from sonata_testkit.registry import FakeRegistry
from sonata_transport_registry.plugin import RegistryTransport

CONTENT = b'{"schemaVersion":2,"config":{},"layers":[]}'
DIGEST = Digest("sha256:" + hashlib.sha256(CONTENT).hexdigest())
TAG = DIGEST.replace(":", "-") + ".sig"


class Place:
    """A repository with one manifest; where its signatures lie is the test's choice."""

    def __init__(self, registry: FakeRegistry, backend: RegistryTransport) -> None:
        self.registry = registry
        self.backend = backend
        self.reference = backend.transport_parse(f"//{registry.host}/team/app:1")
        registry.manifests["team/app"] = {one: (OCI_MANIFEST, CONTENT) for one in ("1", DIGEST)}

    def options(self, **places: Any) -> TransportOptions:
        endpoint = Endpoint(reference=self.reference.name, insecure=True, **places)
        return TransportOptions(endpoints=(endpoint,), retries=0, retry_delay=0.0)

    def read(self, **places: Any) -> tuple[bytes, ...]:
        with self.backend.transport_open_source(self.reference, self.options(**places)) as source:
            return source.signatures(DIGEST)

    def write(self, *blobs: bytes, **places: Any) -> None:
        self.backend.transport_put_signatures(self.reference, DIGEST, blobs, self.options(**places))

    def attach(self, document: Any, kind: str = OCI_MANIFEST) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.registry.manifests["team/app"][TAG] = (kind, content)


@pytest.fixture
def place(plugin_context: PluginContext) -> Iterator[Place]:
    with FakeRegistry() as registry:
        yield Place(registry, RegistryTransport(plugin_context))


def folder(base: Path) -> Path:
    made = base / f"app@{DIGEST.replace(':', '=')}"
    made.mkdir(parents=True)
    return made


def test_a_folder(place: Place, tmp_path: Path) -> None:
    beside = f"file://{tmp_path}/with%20space/app"
    made = folder(tmp_path / "with space")
    assert place.read(lookaside=beside) == ()
    for number in (1, 2, 4):
        (made / f"signature-{number}").write_bytes(b"\x90%d" % number)
    assert place.read(lookaside=beside) == (b"\x901", b"\x902"), "what follows a gap is not read"
    place.write(b"\x90new", lookaside=beside)
    assert place.read(lookaside=beside) == (b"\x90new",)
    for number in range(2, 140):
        (made / f"signature-{number}").write_bytes(b"\x90")
    with pytest.raises(Damaged, match="unreasonable"):
        place.read(lookaside=beside)


def test_folders_that_cannot_be_read(place: Place, tmp_path: Path) -> None:
    made = folder(tmp_path)
    (made / "signature-1").write_bytes(b"\x90" * ((4 << 20) + 1))
    with pytest.raises(SonataError):
        place.read(lookaside=f"file://{tmp_path}/app")
    (made / "signature-1").unlink()
    (made / "signature-1").mkdir()
    with pytest.raises(SonataError):
        place.read(lookaside=f"file://{tmp_path}/app")
    for url in ("ftp://h/x", "file://other/x", "/no/scheme", "file:relative"):
        with pytest.raises(Unsupported):
            place.read(lookaside=url)
        with pytest.raises(Unsupported):
            place.write(b"\x90", lookaside=url)


def test_five_large_signatures_are_too_many(place: Place, tmp_path: Path) -> None:
    made = folder(tmp_path)
    for number in range(1, 6):
        (made / f"signature-{number}").write_bytes(b"\x90" * (4 << 20))
    with pytest.raises(Damaged, match="unreasonable"):
        place.read(lookaside=f"file://{tmp_path}/app")


class Web:
    """A web server that answers each path by a rule."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: list[tuple[int, bytes, str]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append((self.path, self.headers.get("Authorization", "")))
                number = int(self.path.rpartition("-")[2]) - 1
                code, body, location = web.answers[number] if number < len(web.answers) else (404, b"", "")
                self.send_response(code)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/sig/app"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


def test_a_place_on_the_web(place: Place, web: Web) -> None:
    web.answers = [(200, b"\x90one", ""), (200, b"\x90two", "")]
    assert place.read(lookaside=web.url) == (b"\x90one", b"\x90two")
    assert web.asked[0] == (f"/sig/app@{DIGEST.replace(':', '=')}/signature-1", "")
    web.answers = [(200, b"\x90one", ""), (500, b"broken", "")]
    with pytest.raises(RegistryFailure):
        place.read(lookaside=web.url)
    web.answers = [(302, b"", "file:///etc/passwd")]
    with pytest.raises(RegistryFailure):
        place.read(lookaside=web.url)
    web.answers = [(200, b"\x90" * ((4 << 20) + 1), "")]
    with pytest.raises(SonataError):
        place.read(lookaside=web.url)
    with pytest.raises(Unsupported, match="Writing directly to the lookaside"):
        place.write(b"\x90", lookaside=web.url)


def descriptor(content: bytes = b"{}", **changes: Any) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"mediaType": signatures.SIGSTORE_MIME, "digest": digest, "size": len(content), **changes}


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        [],
        {"layers": {}},
        {"layers": [1]},
        {"layers": [descriptor(digest="sha256:../../x")]},
        {"layers": [descriptor(size=-1)]},
        {"layers": [descriptor(size=5 << 20)]},
        {"layers": [descriptor(size=True)]},
        {"layers": [descriptor(size=1)]},
        {"layers": [descriptor(size=3)]},
        {"layers": [descriptor(b"[]")]},
        {"layers": [descriptor(annotations={"a": 1})]},
        {"layers": [descriptor(annotations=[1])]},
        {"layers": [descriptor(mediaType=None)]},
        {"layers": [descriptor()] * 129},
    ],
)
def test_attachments_that_make_no_sense(place: Place, document: Any) -> None:
    content = b"{}"
    place.registry.blobs["team/app"] = {"sha256:" + hashlib.sha256(content).hexdigest(): content}
    place.attach(document)
    with pytest.raises(SonataError):
        place.read(attachments=True)


def test_attachments(place: Place) -> None:
    assert place.read(attachments=True) == ()
    place.attach({"layers": []}, DOCKER_MANIFEST)
    with pytest.raises(Damaged, match="are of the type"):
        place.read(attachments=True)
    del place.registry.manifests["team/app"][TAG]
    first, second = (
        signatures.write(signatures.Sigstore(payload=b"{%d}" % number, annotations={"k": "v"})) for number in (1, 2)
    )
    for wanted in ((first,), (first, second)):
        place.write(wanted[-1], attachments=True)
        assert place.read(attachments=True) == wanted
    place.registry.requests.clear()
    place.write(first, attachments=True)
    assert [one for one in place.registry.requests if one.method == "PUT"] == [], "it is there already"
    with pytest.raises(Unsupported, match="disabled by configuration"):
        place.write(first)
    with pytest.raises(Damaged):
        place.write(b"nonsense", attachments=True)


class OpenShift:
    """A registry that keeps signatures itself; its list is what the test says."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.seen: list[str] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.seen.append(self.path)
                body = b"{}" if self.path == "/v2/" else json.dumps({"signatures": shop.kept}).encode()
                if "/manifests/" in self.path:
                    body = CONTENT
                self.send_response(200)
                self.send_header("X-Registry-Supports-Signatures", "1")
                self.send_header("Content-Type", OCI_MANIFEST)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self) -> None:
                shop.kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def test_a_registry_that_keeps_signatures_itself(plugin_context: PluginContext, tmp_path: Path) -> None:
    shop = OpenShift()
    try:
        backend = RegistryTransport(plugin_context)
        reference = backend.transport_parse(f"//127.0.0.1:{shop.server.server_address[1]}/ns/app:1")
        endpoint = Endpoint(reference=reference.name, insecure=True, lookaside=f"file://{tmp_path}/app")
        options = TransportOptions(endpoints=(endpoint,), retries=0)

        def read() -> tuple[bytes, ...]:
            with backend.transport_open_source(reference, options) as source:
                return source.signatures(DIGEST)

        for _ in range(2):
            backend.transport_put_signatures(reference, DIGEST, (b"\x90one", b"\x90two"), options)
            assert read() == (b"\x90one", b"\x90two")
        assert f"/extensions/v2/ns/app/signatures/{DIGEST}" in shop.seen
        assert [one["name"].partition("@")[0] for one in shop.kept] == [DIGEST, DIGEST]
        assert list(tmp_path.glob("app@*")) == []
        shop.kept.append({"schemaVersion": 1, "type": "atomic", "content": "?"})
        assert len(read()) == 2, "another version is not for us"
        for bad in (1, {"schemaVersion": 2, "type": "atomic", "content": "?"}, {"schemaVersion": 2, "type": "atomic"}):
            shop.kept = [bad]
            with pytest.raises(Damaged):
                read()
    finally:
        shop.close()
