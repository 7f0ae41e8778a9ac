"""One request to a server on a Unix socket, as small and as bounded as can be: HTTP/1.0, one answer, then the end.

What answers is no friend: time and size are bounded as a whole, not per read.
"""

from __future__ import annotations

import socket
import time

from sonata_core.errors import Damaged, ExternalFailure, TimedOut
from sonata_core.record import Record

_LIMIT = 1 << 20
"""Bytes of an answer, its head included."""
_HEAD_LIMIT = 16384


class Answer(Record):
    """The status of an answer, and its body."""

    status: int
    body: bytes


def post(path: str, target: str, body: bytes, kind: str, timeout: float) -> Answer:
    """POST `body` to `target` at the socket `path`. All of it may take `timeout` seconds.

    Raises ExternalFailure (no server, or it hangs up), TimedOut, Damaged (no HTTP, or too much of it).
    """
    deadline = time.monotonic() + timeout
    head = (
        f"POST {target} HTTP/1.0\r\nHost: plugin\r\nContent-Type: {kind}\r\nAccept: {kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as link:
        try:
            link.settimeout(_left(deadline, path))
            link.connect(path)
            link.sendall(head.encode("ascii") + body)
            return _parsed(_received(link, deadline, path), path)
        except TimeoutError as error:
            raise TimedOut(f"{path} gave no answer within {timeout:g} seconds") from error
        except OSError as error:
            raise ExternalFailure(f"dial unix {path}: connect: {(error.strerror or str(error)).lower()}") from error


def _left(deadline: float, path: str) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError(path)
    return seconds


def _received(link: socket.socket, deadline: float, path: str) -> bytes:
    """All bytes up to the end that the server makes, or that its Content-Length tells."""
    found = bytearray()
    wanted = -1
    while wanted < 0 or len(found) < wanted:
        link.settimeout(_left(deadline, path))
        part = link.recv(65536)
        if not part:
            break
        found += part
        if len(found) > _LIMIT:
            raise Damaged(f"{path} answers with more than {_LIMIT} bytes")
        if wanted < 0 and b"\r\n\r\n" in found:
            top = found.index(b"\r\n\r\n")
            wanted = _length(bytes(found[:top]), path)
            wanted = wanted if wanted < 0 else wanted + top + 4
    if len(found) < wanted:
        raise Damaged(f"{path} hung up in the middle of its answer")
    return bytes(found if wanted < 0 else found[:wanted])


def _length(head: bytes, path: str) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            value = value.strip()
            if not value.isdigit() or len(value) > 9:
                raise Damaged(f"{path} gives its answer the length {value[:20]!r}")
            if int(value) > _LIMIT:
                raise Damaged(f"{path} answers with more than {_LIMIT} bytes")
            return int(value)
    return -1


def _parsed(answer: bytes, path: str) -> Answer:
    head, found, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    shaped = len(words) > 1 and words[0].startswith(b"HTTP/1.") and len(words[1]) == 3 and words[1].isdigit()
    if not found or not shaped or len(head) > _HEAD_LIMIT:
        raise Damaged(f"{path} does not speak HTTP")
    if b"\r\ntransfer-encoding:" in head.lower():
        raise Damaged(f"{path} answers an HTTP/1.0 request in an encoding that it does not have")
    return Answer(status=int(words[1]), body=body)
