"""Bytes through a published port: a server for within a container, and a client beside the clock.

The server is run by an image that holds an interpreter and little else, so it imports built-in modules only.
One connection does one thing, which its first byte tells: `u` counts what comes and answers with the sum, `d` sends as
many bytes as the next eight say, `e` sends back what comes.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    import socket

BLOCK = 1 << 18
PORT = 5000
NODELAY = 1


def serve(port: int) -> None:
    """Answer one connection after another, for ever."""
    import _socket

    listening = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listening.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listening.bind(("0.0.0.0", port))
    listening.listen(64)
    while True:
        handle, _ = listening._accept()  # type: ignore[attr-defined]
        talking = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0, handle)
        try:
            _answer(talking)
        except OSError:
            pass
        talking.close()


def _answer(talking: _socket.socket) -> None:
    import _socket

    talking.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, NODELAY)
    asked = talking.recv(1)
    if asked == b"u":
        block, total = bytearray(BLOCK), 0
        while got := talking.recv_into(block):
            total += got
        talking.sendall(total.to_bytes(8, "big"))
    elif asked == b"d":
        left = int.from_bytes(talking.recv(8), "big")
        zeros = bytes(BLOCK)
        while left:
            left -= talking.send(memoryview(zeros)[: min(left, BLOCK)])
    else:
        while came := talking.recv(4096):
            talking.sendall(came)


def _connected(address: tuple[str, int]) -> socket.socket:
    import socket

    made = socket.create_connection(address, timeout=60)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, NODELAY)
    return made


def ready(address: tuple[str, int], patience: float = 30.0) -> None:
    """Wait until the server answers. Raises TimeoutError."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            connects(address, 1)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers at {address}")


def upload(address: tuple[str, int], size: int) -> None:
    """Send bytes into the container, until it has counted them all."""
    import socket

    with _connected(address) as talking:
        talking.sendall(b"u")
        block, left = bytes(BLOCK), size
        while left:
            left -= talking.send(memoryview(block)[: min(left, BLOCK)])
        talking.shutdown(socket.SHUT_WR)
        counted = int.from_bytes(talking.recv(8), "big")
    if counted != size:
        raise OSError(f"{counted} of {size} bytes came in")


def download(address: tuple[str, int], size: int) -> None:
    """Take bytes out of the container."""
    with _connected(address) as talking:
        talking.sendall(b"d" + size.to_bytes(8, "big"))
        block, left = bytearray(BLOCK), size
        while left:
            got = talking.recv_into(block)
            if not got:
                raise OSError(f"{left} of {size} bytes did not come out")
            left -= got


def round_trips(address: tuple[str, int], count: int) -> None:
    """One byte to and fro over one connection, again and again."""
    with _connected(address) as talking:
        talking.sendall(b"e")
        for _ in range(count):
            talking.sendall(b"x")
            if talking.recv(1) != b"x":
                raise OSError("another byte came back")


def connects(address: tuple[str, int], count: int) -> None:
    """New connections, a byte to and fro over each."""
    for _ in range(count):
        round_trips(address, 1)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
