"""Connections to one origin, straight or through a proxy, kept for the next request where both sides may."""

from __future__ import annotations

import socket

from sonata_core.lite import TYPE_CHECKING, Any
from sonata_transport_registry.address import bracketed
from sonata_transport_registry.answer import Answer, Broken, Refused, read_head
from sonata_transport_registry.failures import status_text
from sonata_transport_registry.patience import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata_transport_registry.address import Origin
    from sonata_transport_registry.patience import Patience, Watch

_CONNECT_SECONDS = 30.0
_IO_SECONDS = 90.0
_KEPT = 16
_BUFFER = 1 << 16
_SAFE = ("GET", "HEAD")


class Proxy:
    """A proxy: its host and port, the value of Proxy-Authorization, and the TLS to speak to it, if any."""

    def __init__(self, host: str, port: int, login: str, tls: Any) -> None:
        self.host = host
        self.port = port
        self.login = login
        self.tls = tls


class Pool:
    """Connections to an origin. Used by several threads at once. `tls` is an SSLContext for https."""

    def __init__(self, origin: Origin, tls: Any, proxy: Proxy | None, watch: Watch, patience: Patience) -> None:
        from threading import Lock

        self._origin = origin
        self._tls = tls
        self._proxy = proxy
        self._watch = watch
        self._patience = patience
        self._lock = Lock()
        self._idle: list[_Connection] = []
        self._closed = False

    def close(self) -> None:
        """Close the connections that nobody uses; the others when they are given back."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for one in idle:
            one.close()

    def request(self, method: str, target: str, headers: Mapping[str, str], body: object) -> Answer:
        """Send a request, and read the head of its answer. `body` is None, bytes, or yields bytes.

        Raises OSError, Broken among them, RegistryFailure where it takes too long, and what the body raises.
        """
        kept = self._take()
        if kept is not None:
            try:
                return self._ask(kept, method, target, headers, body)
            except OSError:
                # The server may have closed what it had kept for too long: that is no answer.
                if method not in _SAFE:
                    raise
        return self._ask(self._dial(), method, target, headers, body)

    def _take(self) -> _Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                one = self._idle.pop()
            if one.is_quiet():
                return one
            one.close()

    def _ask(self, at: _Connection, method: str, target: str, headers: Mapping[str, str], body: object) -> Answer:
        through = self._proxy is not None and self._tls is None
        every = {"Host": self._origin.netloc, **headers}
        if through and self._proxy is not None and self._proxy.login:
            every["Proxy-Authorization"] = self._proxy.login
        try:
            # A proxy is told the whole address; through its tunnel, and without one, the path is enough.
            at.send(method, f"{self._origin}{target}" if through else target, every, body)
            with self._limit(at, self._patience.head, f"waiting for {self._origin.host}:{self._origin.port}"):
                head = read_head(at.stream)
            return Answer(
                method,
                head,
                at.stream,
                lambda what: self._limit(at, self._patience.block, what),
                lambda lasting: self._give_back(at, lasting),
            )
        except BaseException:
            at.close()
            raise

    def _limit(self, at: _Connection, seconds: float, what: str) -> Limit:
        return Limit(self._watch, at.wire, seconds, what)

    def _give_back(self, one: _Connection, lasting: bool) -> None:
        with self._lock:
            kept = lasting and not self._closed and len(self._idle) < _KEPT
            if kept:
                self._idle.append(one)
        if not kept:
            one.close()

    def _dial(self) -> _Connection:
        proxy = self._proxy
        host, port = (self._origin.host, self._origin.port) if proxy is None else (proxy.host, proxy.port)
        # As bytes: a str would load the tables of internationalised names, which the names of registries are not.
        wire: Any = socket.create_connection((host.encode(), port), _CONNECT_SECONDS)  # type: ignore[arg-type]
        top: Any = wire
        try:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if proxy is not None and proxy.tls is not None:
                top = wire = proxy.tls.wrap_socket(wire, server_hostname=proxy.host.encode())
            if proxy is not None and self._tls is not None:
                self._tunnel(wire, proxy)
            if self._tls is not None and proxy is not None and proxy.tls is not None:
                from sonata_transport_registry.tls_in_tls import Inner

                top = Inner(wire, self._tls, self._origin.host)
            elif self._tls is not None:
                top = wire = self._tls.wrap_socket(wire, server_hostname=self._origin.host.encode())
            wire.settimeout(_IO_SECONDS)
        except BaseException:
            top.close()
            wire.close()
            raise
        return _Connection(wire, top)

    def _tunnel(self, wire: Any, proxy: Proxy) -> None:
        """Have the proxy connect. Raises Refused where it does not."""
        place = f"{bracketed(self._origin.host)}:{self._origin.port}"
        at = _Connection(wire, wire)
        at.send(
            "CONNECT", place, {"Host": place, **({"Proxy-Authorization": proxy.login} if proxy.login else {})}, None
        )
        with self._limit(at, self._patience.head, f"waiting for the proxy {proxy.host}:{proxy.port}"):
            status = read_head(at.stream).status
        if status != 200:
            raise Refused(f"the proxy {proxy.host}:{proxy.port} does not connect: {status_text(status)}")


class _Connection:
    """A connection: the socket beneath, and what is spoken on. The stream reads no further than it must for a head."""

    def __init__(self, wire: Any, top: Any) -> None:
        self.wire = wire
        self._top = top
        self.stream = top.makefile("rb", _BUFFER)

    def is_quiet(self) -> bool:
        """Whether nothing has come, not even the other side's end, since the last answer."""
        from select import POLLIN, poll

        looked = poll()
        looked.register(self.wire, POLLIN)
        return not looked.poll(0)

    def send(self, method: str, address: str, headers: Mapping[str, str], body: object) -> None:
        """Send a request. Where the server closes in mid-body its answer may be there all the same."""
        every = dict(headers)
        pieces: Iterable[bytes] = ()
        if isinstance(body, bytes):
            every.setdefault("Content-Length", str(len(body)))
        elif body is not None:
            pieces = body  # type: ignore[assignment]  # what is neither yields bytes
            if "Content-Length" not in every:
                every["Transfer-Encoding"] = "chunked"
                pieces = _chunks(pieces)
        head = request_head(method, address, every)
        try:
            self._top.sendall(head + body if isinstance(body, bytes) else head)
            for piece in pieces:
                self._top.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            if body is None:
                raise

    def close(self) -> None:
        """Close; idempotent."""
        for one in (self.stream, self._top, self.wire):
            try:
                one.close()
            except OSError:
                continue  # TLS that cannot say goodbye


def _chunks(pieces: Iterable[bytes]) -> Iterable[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n" % len(piece) + piece + b"\r\n"
    yield b"0\r\n\r\n"


def request_head(method: str, address: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request. Raises Broken rather than send one that would be read as something else."""
    if not address.isascii() or not address.isprintable() or " " in address:
        raise Broken("an address with characters that an address may not have")
    lines = [f"{method} {address} HTTP/1.1"]
    for name, value in headers.items():
        if any(sign in value for sign in "\r\n\0"):
            raise Broken(f"the header {name} has characters that a header may not have")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
