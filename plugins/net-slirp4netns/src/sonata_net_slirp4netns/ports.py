"""Forwarding ports through slirp4netns's API socket: one JSON document each way per connection."""

from __future__ import annotations

import _socket
import os
import time

from sonata_core import json_text as json
from sonata_core.errors import CommandFailed, TimedOut
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata_core.models.net import PortMapping

TIMEOUT = 5.0
"""Seconds that the helper may take over one answer."""
ANSWER_LIMIT = 1 << 20


def forward(path: str, ports: Iterable[PortMapping], guest: str) -> None:
    """Forward every port of every mapping to `guest`. Raises CommandFailed naming the port that is refused."""
    for port in ports:
        for step in range(port.range):
            host = port.host_ip or "0.0.0.0"  # noqa: S104 - every address is what was asked for
            asked = {
                "proto": port.protocol,
                "host_addr": host,
                "host_port": port.host_port + step,
                "guest_addr": guest,
                "guest_port": port.container_port + step,
            }
            answer = ask(path, {"execute": "add_hostfwd", "arguments": asked})
            if "error" in answer:
                said = str((answer["error"] or {}).get("desc", answer["error"]))
                raise _refusal(port.protocol, host, port.host_port + step, said)


def _refusal(protocol: str, host: str, port: int, said: str) -> CommandFailed:
    """Why the helper cannot listen, which it does not say: the kernel does, when one tries to."""
    import errno

    from sonata_core.sdk.port_start import first_port

    error = _try(protocol, host, port)
    if error is not None and error.errno == errno.EACCES:
        start = "net.ipv4.ip_unprivileged_port_start"
        return CommandFailed(
            f"rootlessport cannot expose privileged port {port}, you can add '{start}={port}' to /etc/sysctl.conf "
            f"(currently {first_port()}), or choose a larger port number (>= {first_port()}): "
            f"listen {protocol} {host}:{port}: bind: permission denied"
        )
    reason = said if error is None else (error.strerror or said).lower()
    taken = error is None or error.errno == errno.EADDRINUSE
    hint = "another program may have the port: `ss -lntup` shows which" if taken else "`ip address` lists this host's"
    return CommandFailed(f"slirp4netns: cannot listen on {protocol} {host}:{port}: {reason}", hint)


def _try(protocol: str, host: str, port: int) -> OSError | None:
    kind = _socket.SOCK_DGRAM if protocol == "udp" else _socket.SOCK_STREAM
    one = _socket.socket(_socket.AF_INET6 if ":" in host else _socket.AF_INET, kind | _socket.SOCK_CLOEXEC)
    try:
        one.bind((host, port))
    except OSError as error:
        return error
    finally:
        one.close()
    return None


def ask(path: str, question: dict[str, Any]) -> dict[str, Any]:
    """One question to the helper's socket. Raises TimedOut, CommandFailed."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        channel.settimeout(TIMEOUT)
        # A socket's address has room for 107 bytes; a folder's path may be longer.
        _connect(channel, f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        channel.send(json.dumps(question).encode())
        channel.shutdown(_socket.SHUT_WR)
        answer = _read(channel)
    except TimeoutError as error:
        raise TimedOut(f"slirp4netns did not answer {question['execute']} in {TIMEOUT:g} s") from error
    except OSError as error:
        raise CommandFailed(f"slirp4netns: API socket {path}: {error.strerror}") from error
    finally:
        channel.close()
        os.close(folder)
    try:
        document = json.loads(answer)
    except ValueError as error:
        raise CommandFailed(f"slirp4netns answered {answer[:200]!r}") from error
    return document if isinstance(document, dict) else {"error": {"desc": repr(document)}}


def _connect(channel: _socket.socket, address: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            channel.connect(address)
            return
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)


def _read(channel: _socket.socket) -> bytes:
    found = b""
    while len(found) < ANSWER_LIMIT:
        piece = channel.recv(65536)
        if not piece:
            break
        found += piece
    return found
