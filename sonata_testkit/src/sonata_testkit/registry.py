"""A registry in this process, for tests: it speaks the distribution protocol, and misbehaves on demand.

with FakeRegistry() as registry:
    image = registry.add_image("demo", "1", [b"layer"])
    registry.trouble.cut_at = 1000
    ...
    assert registry.seen("GET", "/blobs/")
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(content: bytes) -> str:
    """`sha256:` and the digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def subject_of(content: bytes) -> str:
    """The digest of a manifest's subject, empty for none."""
    try:
        return str(json.loads(content)["subject"]["digest"])
    except (ValueError, KeyError, TypeError):
        return ""


def described(content: bytes) -> dict[str, Any]:
    """What a list of referrers says of a manifest: its artifact type and annotations."""
    manifest = json.loads(content)
    kind = manifest.get("artifactType") or manifest["config"]["mediaType"]
    notes = {"annotations": manifest["annotations"]} if manifest.get("annotations") else {}
    return {"artifactType": kind, **notes}


class Trouble:
    """What the registry does wrong. Counters go down by one each time."""

    def __init__(self) -> None:
        self.corrupt_blobs = False
        """Blobs have another byte at their end."""
        self.blob_extra = 0
        """Blobs are longer (or shorter) by that many bytes, and say so in Content-Length."""
        self.cut_at = -1
        """The connection breaks after so many bytes of a blob."""
        self.cuts = 1_000_000
        """How often it breaks."""
        self.range_lies = False
        """A 206 holds bytes from the beginning, and says that they are others than asked for."""
        self.no_ranges = False
        """A Range is ignored."""
        self.busy = 0
        """So many requests are answered with 429."""
        self.broken = 0
        """So many requests are answered with 503."""
        self.retry_after = ""
        self.redirect_blobs = ""
        """Blobs lie at this prefix."""
        self.upload_location = ""
        """Uploads go on at this prefix."""
        self.realm = ""
        """The token server that is named, in place of our own."""
        self.token_seconds = 300
        self.expired: set[str] = set()
        """Tokens that are no longer taken."""
        self.endless_manifest = False
        self.manifest_type = ""
        """The Content-Type of manifests, in place of the true one."""
        self.manifest_bytes = b""
        """The bytes of every manifest, in place of the true ones."""
        self.manifest_kinds: tuple[str, ...] = ()
        """Manifests of other types than these are refused; empty for none."""
        self.manifest_refusal = 400
        """The status that such a refusal has."""
        self.tag_loop = False
        """The list of tags has a next page, always."""
        self.slow = 0.0
        """Seconds between the blocks of a blob."""
        self.refuse_mount = False
        self.upload_cut = -1
        """The connection breaks, once, after so many bytes of an upload; what came is kept."""
        self.upload_lost = False
        """What was kept of it is forgotten as well."""
        self.largest_body = -1
        """Bodies of more bytes are answered with 413."""
        self.strange: dict[str, str] = {}
        """What happens to requests whose path has that part in it: the name of a method of `_Strange`."""
        self.strange_times = 1_000_000
        """How often that happens."""
        self.token_body = b""
        """What the token server answers, in place of a token."""


class Request:
    """A request that came in."""

    def __init__(self, method: str, path: str, headers: dict[str, str], host: str) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.host = host

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


class FakeRegistry:
    """A registry on a loopback port, speaking plain HTTP. `auth` is empty, `basic` or `bearer`."""

    def __init__(self, auth: str = "", user: str = "user", password: str = "secret", host: str = "127.0.0.1") -> None:
        self.auth = auth
        self.user = user
        self.password = password
        self.trouble = Trouble()
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.uploads: dict[str, bytes] = {}
        self.referrers_api = False
        """Whether there is the referrers API, two a page."""
        self.listed: list[dict[str, object]] | None = None
        """What `/v1/search` finds; None where there is no such thing."""
        self.requests: list[Request] = []
        self.tokens: list[str] = []
        self.lock = threading.Lock()
        self._server = _Server((host, 0), _Handler, self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.host = f"{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def seen(self, method: str, part: str) -> list[Request]:
        """The requests of that method whose path has `part` in it."""
        return [request for request in self.requests if request.method == method and part in request.path]

    def add_blob(self, repository: str, content: bytes) -> dict[str, object]:
        """Put a blob there. Returns digest and size as a descriptor has them."""
        digest = digest_of(content)
        self.blobs.setdefault(repository, {})[digest] = content
        return {"digest": digest, "size": len(content)}

    def add_manifest(self, repository: str, tag: str, media_type: str, content: bytes) -> str:
        """Put a manifest there, under its digest and a tag. Returns the digest."""
        kept = self.manifests.setdefault(repository, {})
        kept[digest_of(content)] = (media_type, content)
        if tag:
            kept[tag] = (media_type, content)
        return digest_of(content)

    def add_image(
        self, repository: str, tag: str, layers: list[bytes], architecture: str = "amd64", *, gzipped: bool = False
    ) -> dict[str, Any]:
        """Make an OCI image of these layers. Returns its manifest, with its digest under `digest`."""
        kind, stored = (
            (f"{OCI_LAYER}+gzip", [gzip.compress(layer, mtime=0) for layer in layers])
            if gzipped
            else (OCI_LAYER, layers)
        )
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            }
        ).encode()
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, **self.add_blob(repository, config)},
            "layers": [{"mediaType": kind, **self.add_blob(repository, layer)} for layer in stored],
        }
        digest = self.add_manifest(repository, tag, OCI_MANIFEST, json.dumps(manifest).encode())
        return {**manifest, "digest": digest}


class _Server(ThreadingHTTPServer):
    """Its end is the end of every connection and thread: nothing of it outlives a test."""

    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], registry: FakeRegistry) -> None:
        self.registry = registry
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.registry.lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.registry.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self.registry.lock:
            for connection in self._open:
                with suppress(OSError):  # gone by itself
                    connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is nothing to report."""


class _Strange:
    """Answers that no honest server gives. Each ends when the client goes."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._write = handler.wfile.write
        self._connection: socket.socket = handler.connection

    def hang(self) -> None:
        """Nothing comes."""
        while self._connection.recv(4096):
            pass

    def drip_head(self) -> None:
        """A header that comes byte by byte."""
        self._write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip()

    def drip_body(self) -> None:
        """A body that comes byte by byte."""
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        self._drip()

    def _drip(self) -> None:
        while True:
            self._write(b"a")
            time.sleep(0.02)

    def endless(self) -> None:
        """A body without an end, half a gigabyte of it."""
        self._write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(512):
            self._write(b" " * (1 << 20))

    def long_line(self) -> None:
        """A header of a mebibyte."""
        self._write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * (1 << 20) + b"\r\n\r\n")

    def many_headers(self) -> None:
        """Ten thousand headers."""
        self._write(b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n")

    def short(self) -> None:
        """A body of which most is missing."""
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}")

    def no_http(self) -> None:
        """Noise."""
        self._write(b"\0\xff" * 1000)

    def loop(self) -> None:
        """A redirect to a place that redirects, and so on."""
        self._write(b"HTTP/1.1 302 Found\r\nLocation: ?again\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(30)

    def handle_one_request(self) -> None:
        if self.connection.recv(1, socket.MSG_PEEK) == b"\x16":  # a TLS handshake
            self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
            self.close_connection = True
            return
        super().handle_one_request()

    @property
    def registry(self) -> FakeRegistry:
        server = self.server
        assert isinstance(server, _Server)
        return server.registry

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silence."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        registry = self.registry
        headers = {name.lower(): value for name, value in self.headers.items()}
        with registry.lock:
            registry.requests.append(Request(self.command, self.path, headers, headers.get("host", "")))
        for part, kind in registry.trouble.strange.items():
            if part in self.path and registry.trouble.strange_times:
                registry.trouble.strange_times -= 1
                self.close_connection = True
                with suppress(OSError):  # the client has had enough of it
                    getattr(_Strange(self), kind)()
                return None
        self.query = parse_qs(urlsplit(self.path).query)
        path = urlsplit(self.path).path
        if path == "/token":
            return self._token(headers)
        if self._busy():
            return None
        if path == "/v1/search" and registry.listed is not None:
            return self._answer(200, json.dumps({"results": registry.listed}).encode())
        if not self._allowed(headers):
            self._body()
            return self._challenge()
        if path == "/v2/":
            return self._answer(200, b"{}")
        if path == "/v2/_catalog":
            return self._catalog()
        return self._route(path)

    def _catalog(self) -> None:
        """Two repositories a page."""
        names = sorted({*self.registry.manifests})
        names = [name for name in names if name > self.query.get("last", [""])[0]]
        more = {"Link": f'</v2/_catalog?n=2&last={names[1]}>; rel="next"'} if len(names) > 2 else {}
        self._answer(200, json.dumps({"repositories": names[:2]}).encode(), more)

    def _route(self, path: str) -> None:
        for marker, act in (
            ("/blobs/uploads/", self._upload),
            ("/blobs/", self._blob),
            ("/manifests/", self._manifest),
            ("/tags/list", self._tags),
            ("/referrers/", self._referrers),
        ):
            if marker in path:
                repository, _, rest = path.removeprefix("/v2/").partition(marker)
                return act(repository, rest)
        return self._refuse(404, "NAME_UNKNOWN", "no such path")

    def _busy(self) -> bool:
        trouble = self.registry.trouble
        with self.registry.lock:
            status = 429 if trouble.busy else 503 if trouble.broken else 0
            trouble.busy -= status == 429
            trouble.broken -= status == 503
        if status:
            extra = {"Retry-After": trouble.retry_after} if trouble.retry_after else {}
            self._answer(status, b"", extra)
        return bool(status)

    def _allowed(self, headers: dict[str, str]) -> bool:
        registry = self.registry
        given = headers.get("authorization", "")
        if registry.auth == "basic":
            return given == self._basic()
        if registry.auth == "bearer":
            token = given.removeprefix("Bearer ")
            return token in registry.tokens and token not in registry.trouble.expired
        return True

    def _basic(self) -> str:
        registry = self.registry
        return "Basic " + base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()

    def _challenge(self) -> None:
        registry = self.registry
        realm = registry.trouble.realm or f"http://{registry.host}/token"
        value = 'Basic realm="here"' if registry.auth == "basic" else f'Bearer realm="{realm}",service="here"'
        body = json.dumps(
            {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": []}]}
        ).encode()
        self._answer(401, body, {"WWW-Authenticate": value})

    def _token(self, headers: dict[str, str]) -> None:
        registry = self.registry
        given = headers.get("authorization", "")
        if given and given != self._basic():
            return self._answer(401, b"{}")
        token = f"token-{len(registry.tokens)}"
        registry.tokens.append(token)
        body = {"token": token, "expires_in": registry.trouble.token_seconds}
        return self._answer(200, registry.trouble.token_body or json.dumps(body).encode())

    def _manifest(self, repository: str, reference: str) -> None:
        registry = self.registry
        if self.command == "PUT":
            content = self._body()
            known = registry.trouble.manifest_kinds
            if known and self.headers["Content-Type"] not in known:
                return self._refuse(registry.trouble.manifest_refusal, "MANIFEST_INVALID", "manifest invalid")
            registry.add_manifest(
                repository, "" if ":" in reference else reference, self.headers["Content-Type"], content
            )
            extra = {"Docker-Content-Digest": digest_of(content)}
            if registry.referrers_api and subject_of(content):
                extra["OCI-Subject"] = subject_of(content)
            return self._answer(201, b"", extra)
        if registry.trouble.endless_manifest:
            return self._endless()
        found = registry.manifests.get(repository, {}).get(reference)
        if found is None:
            return self._refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, content = found
        content = registry.trouble.manifest_bytes or content
        return self._answer(200, content, {"Content-Type": registry.trouble.manifest_type or media_type})

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", OCI_MANIFEST)
        self.end_headers()
        self.close_connection = True
        for _ in range(1000):
            self.wfile.write(b" " * 65536)

    def _blob(self, repository: str, digest: str) -> None:
        registry, trouble = self.registry, self.registry.trouble
        content = registry.blobs.get(repository, {}).get(digest)
        if content is None:
            return self._refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if trouble.redirect_blobs:
            return self._answer(307, b"", {"Location": trouble.redirect_blobs + self.path})
        if trouble.corrupt_blobs:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if trouble.blob_extra:
            content = content[: trouble.blob_extra] if trouble.blob_extra < 0 else content + b"x" * trouble.blob_extra
        asked = self.headers.get("Range", "")
        if not asked or trouble.no_ranges:
            return self._stream(200, content, {})
        begin, _, until = asked.removeprefix("bytes=").partition("-")
        first, last = int(begin), min(int(until or len(content)), len(content) - 1)
        if first >= len(content):
            return self._answer(416, b"")
        if trouble.range_lies:
            return self._stream(206, content, {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"})
        span = f"bytes {first}-{last}/{len(content)}"
        return self._stream(206, content[first : last + 1], {"Content-Range": span})

    def _stream(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        trouble = self.registry.trouble
        self._head(status, len(content), {"Content-Type": "application/octet-stream", **headers})
        if self.command == "HEAD":
            return
        cut = trouble.cut_at if trouble.cuts > 0 and 0 <= trouble.cut_at < len(content) else -1
        end = len(content) if cut < 0 else cut
        for at in range(0, end, 65536):
            self.wfile.write(content[at : min(at + 65536, end)])
            time.sleep(trouble.slow)
        if cut >= 0:
            trouble.cuts -= 1
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _upload(self, repository: str, session: str) -> None:
        registry = self.registry
        place = f"{registry.trouble.upload_location}/v2/{repository}/blobs/uploads/"
        if self.command == "POST":
            self._body()
            return self._begin(repository, place)
        if self.command == "DELETE":
            registry.uploads.pop(session, None)
            return self._answer(204, b"")
        content = registry.uploads.get(session)
        if content is None:
            self._body()
            return self._refuse(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown")
        if self.command == "GET":
            return self._answer(204, b"", {"Range": f"0-{max(len(content) - 1, 0)}", "Location": f"{place}{session}"})
        more = self._patched(session, content)
        if more is None:
            return None
        content += more
        if self.command == "PATCH":
            registry.uploads[session] = content
            return self._answer(202, b"", {"Location": f"{place}{session}?state=x"})
        digest = self.query.get("digest", [""])[0]
        del registry.uploads[session]
        if digest_of(content) != digest:
            return self._refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        registry.add_blob(repository, content)
        return self._answer(201, b"", {"Docker-Content-Digest": digest})

    def _patched(self, session: str, content: bytes) -> bytes | None:
        """The body of a request that goes on with an upload; None where it is too large, or the line breaks."""
        trouble, size = self.registry.trouble, int(self.headers.get("Content-Length") or 0)
        given = self.headers.get("Content-Range", "")
        wrong = bool(given) and not given.startswith(f"{len(content)}-")
        if wrong or 0 <= trouble.largest_body < size:
            self._body()
            self.close_connection = True
            self._answer(416 if wrong else 413, b"")
            return None
        if not 0 <= trouble.upload_cut < size:
            return self._body()
        self.registry.uploads[session] = content + self.rfile.read(trouble.upload_cut)
        if trouble.upload_lost:
            del self.registry.uploads[session]
        trouble.upload_cut = -1
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
        return None

    def _begin(self, repository: str, place: str) -> None:
        registry = self.registry
        wanted, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
        content = registry.blobs.get(source, {}).get(wanted)
        if content is not None and not registry.trouble.refuse_mount:
            registry.add_blob(repository, content)
            return self._answer(201, b"", {"Docker-Content-Digest": wanted})
        session = f"s{len(registry.requests)}"
        registry.uploads[session] = b""
        return self._answer(202, b"", {"Location": f"{place}{session}"})

    def _tags(self, repository: str, rest: str) -> None:
        registry = self.registry
        kept = registry.manifests.get(repository)
        if kept is None:
            return self._refuse(404, "NAME_UNKNOWN", "repository name not known to registry")
        tags = sorted(name for name in kept if ":" not in name)
        last = self.query.get("last", [""])[0]
        page = [tag for tag in tags if tag > last][:2]
        extra = {}
        if registry.trouble.tag_loop or (page and page[-1] != tags[-1]):
            query = urlencode({"last": "" if registry.trouble.tag_loop else page[-1], "n": 2})
            extra = {"Link": f'</v2/{repository}/tags/list?{query}>; rel="next"'}
        return self._answer(200, json.dumps({"name": repository, "tags": page}).encode(), extra)

    def _referrers(self, repository: str, digest: str) -> None:
        registry = self.registry
        if not registry.referrers_api:
            return self._refuse(404, "UNSUPPORTED", "no such path")
        kept = registry.manifests.get(repository, {})
        rows = [
            {"mediaType": kind, "digest": name, "size": len(content), **described(content)}
            for name, (kind, content) in sorted(kept.items())
            if ":" in name and subject_of(content) == digest
        ]
        wanted, last = self.query.get("artifactType", [""])[0], self.query.get("last", [""])[0]
        rows = [row for row in rows if wanted in ("", row["artifactType"]) and row["digest"] > last]
        extra = {"Content-Type": "application/vnd.oci.image.index.v1+json"}
        extra |= {"OCI-Filters-Applied": "artifactType"} if wanted else {}
        if len(rows) > 2:
            query = urlencode({"last": rows[1]["digest"], "artifactType": wanted})
            extra["Link"] = f'</v2/{repository}/referrers/{digest}?{query}>; rel="next"'
        return self._answer(200, json.dumps({"schemaVersion": 2, "manifests": rows[:2]}).encode(), extra)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            found = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        wanted = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(wanted)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode())

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(content), headers or {})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
