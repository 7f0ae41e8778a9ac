"""A Docker daemon's API, as far as images go in and out (Docker Engine API 1.24 and later)."""

from __future__ import annotations

import os
from http.client import HTTPException
from urllib.parse import quote

from sonata_core.errors import ExternalFailure, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import BLOCK, file_error, make_folder, write_all
from sonata_transport_docker_archive.daemon_host import connect, failure

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse
    from typing import BinaryIO

    from sonata_transport_docker_archive.daemon_host import DaemonHost

_MESSAGE = 1 << 20
_LINE = 400


class Daemon:
    """A daemon that is asked over its API."""

    def __init__(self, host: DaemonHost) -> None:
        self._host = host

    def reach(self) -> None:
        """Nothing, if it is there. Raises Unavailable, Denied."""
        connect(self._host).close()

    def get(self, name: str, scratch: str) -> tuple[int, int]:
        """An image as an archive: a descriptor of a file without a name in `scratch`, and its size in bytes."""
        connection, answer = self._ask("GET", f"/images/{quote(name, safe='')}/get", "loading image from docker engine")
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
        connection, answer = self._ask("POST", "/images/load?quiet=1", "loading image to docker engine", archive, size)
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
    ) -> tuple[HTTPConnection, HTTPResponse]:
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)} if body is not None else {}
        connection = connect(self._host)
        try:
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
        except (HTTPException, OSError) as error:
            connection.close()
            raise failure(self._host, error) from error
        if answer.status == 200:
            return connection, answer
        text = answer.read(_MESSAGE)
        told = _member(text, "message") or _first_line(text) or f"status {answer.status}"
        connection.close()
        if answer.status == 404:
            raise NotFound(f"{what}: Error response from daemon: {told}")
        raise ExternalFailure(f"{what}: Error response from daemon: {told}")


def _first_line(text: bytes) -> str:
    """What is not Docker's JSON, as far as it can be shown."""
    line = text[:_LINE].decode(errors="replace").strip().partition("\n")[0]
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _member(text: bytes, key: str) -> str:
    """A member of a JSON object, as text; empty where there is none."""
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""
