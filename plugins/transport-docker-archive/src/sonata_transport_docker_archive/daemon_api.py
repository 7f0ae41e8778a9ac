"""A Docker daemon's API, as far as images go in and out (Docker Engine API 1.24 and later)."""

from __future__ import annotations

import os
import socket
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import quote

from sonata_core.errors import Denied, ExternalFailure, NotFound, SonataError, Unavailable, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import BLOCK, file_error, make_folder, write_all

if TYPE_CHECKING:
    from typing import BinaryIO

_DEFAULT = "/var/run/docker.sock"
_SECONDS = 900.0
"""For one answer: the daemon reads a whole image before it says anything."""
_MESSAGE = 1 << 20


class _Connection(HTTPConnection):
    """HTTP over a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


class Daemon:
    """A daemon behind a socket. `host` is as `DOCKER_HOST` has it, empty for the usual place."""

    def __init__(self, host: str) -> None:
        self._host = host or f"unix://{_DEFAULT}"
        scheme, _, path = self._host.partition("://")
        if scheme != "unix":
            raise Unsupported(
                f"docker-daemon: the daemon at {self._host} is not on this host",
                hint="a daemon elsewhere is reached over its registry, or through ssh -L with a socket here",
            )
        self._path = path

    def get(self, name: str, scratch: str) -> tuple[int, int]:
        """An image as an archive: a descriptor of a file without a name in `scratch`, and its size in bytes."""
        connection, answer = self._ask("GET", f"/images/{quote(name, safe='')}/get", f"image {name}")
        try:
            make_folder(scratch, 0o700)
            fd = os.open(scratch, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        except OSError as error:
            connection.close()
            raise file_error(f"open {scratch}", error) from error
        try:
            size = 0
            while chunk := answer.read(BLOCK):
                write_all(fd, chunk)
                size += len(chunk)
        except (HTTPException, OSError) as error:
            os.close(fd)
            raise ExternalFailure(f"docker-daemon: reading image {name}: {error}") from error
        except SonataError:
            os.close(fd)
            raise
        finally:
            connection.close()
        return fd, size

    def load(self, archive: BinaryIO, size: int) -> None:
        """Have the daemon load an archive. Raises ExternalFailure with the daemon's own words."""
        connection, answer = self._ask("POST", "/images/load?quiet=1", "loading an image", archive, size)
        try:
            told = answer.read(_MESSAGE)
        except (HTTPException, OSError) as error:
            raise ExternalFailure(f"docker-daemon: loading an image: {error}") from error
        finally:
            connection.close()
        for line in told.splitlines():
            trouble = _member(line, "error")
            if trouble:
                raise ExternalFailure(f"docker-daemon: the daemon did not load the image: {trouble}")

    def _ask(
        self, method: str, target: str, what: str, body: BinaryIO | None = None, size: int = 0
    ) -> tuple[_Connection, HTTPResponse]:
        connection = _Connection(self._path)
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)} if body is not None else {}
        try:
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
        except (HTTPException, OSError) as error:
            connection.close()
            raise self._unreachable(error) from error
        if answer.status == 200:
            return connection, answer
        told = _member(answer.read(_MESSAGE), "message") or f"status {answer.status}"
        connection.close()
        if answer.status == 404:
            raise NotFound(f"docker-daemon: {told}")
        raise ExternalFailure(f"docker-daemon: {what}: {told}")

    def _unreachable(self, error: Exception) -> SonataError:
        if isinstance(error, PermissionError):
            return Denied(
                f"permission denied while trying to connect to the Docker daemon socket at {self._host}",
                hint="its group, mostly docker, may",
            )
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return Unavailable(
                f"Cannot connect to the Docker daemon at {self._host}. Is the docker daemon running?",
                hint="DOCKER_HOST=unix:///PATH names another socket",
            )
        return ExternalFailure(f"docker-daemon: talking to {self._host}: {error}")


def _member(text: bytes, key: str) -> str:
    """A member of a JSON object, as text; empty where there is none."""
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
