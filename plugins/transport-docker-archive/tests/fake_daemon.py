"""A Docker daemon for tests, as far as images go in and out: it keeps archives by the names in them."""

from __future__ import annotations

import io
import json
import socketserver
import tarfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    images: dict[str, bytes]
    trouble: str


class FakeDaemon:
    """`with FakeDaemon(path) as daemon`: `images` are archives by name; `trouble` is what loading fails with."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._server = _Server(str(path), _Handler)
        self._server.images = {}
        self._server.trouble = ""
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def images(self) -> dict[str, bytes]:
        return self._server.images

    def fail(self, words: str) -> None:
        self._server.trouble = words

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def address_string(self) -> str:
        return "here"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silence."""

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path.removeprefix("/images/").removesuffix("/get"))
        found = self.server.images.get(name)
        if found is None:
            self._answer(404, json.dumps({"message": f"No such image: {name}"}).encode())
        else:
            self._answer(200, found)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.trouble:
            self._answer(200, json.dumps({"error": self.server.trouble}).encode() + b"\n")
            return
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            file = tar.extractfile("manifest.json")
            assert file is not None
            table: list[dict[str, Any]] = json.load(file)
        for row in table:
            for name in row["RepoTags"]:
                self.server.images[name] = raw
        self._answer(200, b'{"stream":"Loaded image"}\n')

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
