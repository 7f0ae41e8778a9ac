"""A program that stands at an ordinary user's published ports, for as long as one container runs (ADR 45).

    forwarder.py UNTIL READY TARGET4 TARGET6 KEEP FD:PORT…

It is started in the network namespace in which the container's bridge is. Each FD is a socket that was bound before, on
the host; what comes in there goes to PORT of a target, "-" for none. READY is a descriptor to say so to. It ends when
UNTIL can be read: a pipe's end or a process's descriptor. KEEP lists, by commas, the subnets whose addresses are not
shown to the container as they are; all others are, and "-" shows none.
"""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Address = tuple[str, int]

_CHUNK = 1 << 18
_MUCH = 1 << 16
_SPLICE, _F_SETPIPE_SZ = 3, 1031
"""SPLICE_F_MOVE and SPLICE_F_NONBLOCK; Linux `include/linux/splice.h`, `include/uapi/linux/fcntl.h`."""
_BACKLOG = 512
_SESSIONS = 4096
_IDLE = 90.0
"""Seconds without a datagram after which a client is forgotten; as RootlessKit has it."""
_IP_TRANSPARENT, _IPV6_TRANSPARENT = 19, 75
_IP_PKTINFO, _IPV6_RECVPKTINFO, _IPV6_PKTINFO = 8, 49, 50
_IN, _OUT = select.EPOLLIN, select.EPOLLOUT


class Loop:
    """Descriptors, and what is to be done when something happens there."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._known: dict[int, tuple[int, Callable[[int], None]]] = {}
        self.chores: list[Callable[[float], None]] = []
        # One for all: memory that is asked for anew each time costs more than the copying.
        self.buffer = memoryview(bytearray(_CHUNK))

    def watch(self, descriptor: int, events: int, do: Callable[[int], None]) -> None:
        """Have it watched for these events and no others; none at all: not even for its end."""
        before = self._known.get(descriptor)
        if not events:
            if before is not None:
                self._poll.unregister(descriptor)
                del self._known[descriptor]
        elif before is None:
            self._poll.register(descriptor, events)
            self._known[descriptor] = (events, do)
        elif before[0] != events:
            self._poll.modify(descriptor, events)
            self._known[descriptor] = (events, do)

    def run(self) -> None:
        """For ever."""
        due = time.monotonic() + _IDLE / 3
        while True:
            for descriptor, events in self._poll.poll(_IDLE / 3):
                known = self._known.get(descriptor)
                if known is not None:
                    known[1](events)
            now = time.monotonic()
            if now > due:
                due = now + _IDLE / 3
                for chore in self.chores:
                    chore(now)


class Targets:
    """The container's addresses, and under whose address it is called."""

    def __init__(self, four: str, six: str, keep: str) -> None:
        self._by_family = {_socket.AF_INET: four.strip("-"), _socket.AF_INET6: six.strip("-")}
        self._keep = keep != "-"
        self._apart = [_network(text) for text in keep.split(",") if "/" in text]

    def call(self, kind: int, family: int, client: Address, port: int) -> _socket.socket:
        """A socket that is being connected, if need be through the other family. Raises OSError."""
        mine = family if self._by_family[family] else self._other(family)
        made = _socket.socket(mine, kind | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC)
        try:
            if mine == family and self._keep and self._may_show(family, client[0]):
                _show(made, family, client)
            try:
                made.connect((self._by_family[mine], port))
            except BlockingIOError:
                pass
        except BaseException:
            made.close()
            raise
        return made

    def _other(self, family: int) -> int:
        return _socket.AF_INET6 if family == _socket.AF_INET else _socket.AF_INET

    def _may_show(self, family: int, address: str) -> bool:
        if address.startswith(("127.", "fe80:")) or address == "::1" or "%" in address:
            return False
        number = int.from_bytes(_socket.inet_pton(family, address), "big")
        bits = 32 if family == _socket.AF_INET else 128
        return not any(one == family and number >> (bits - size) == base for one, base, size in self._apart)


def _network(text: str) -> tuple[int, int, int]:
    base, _, size = text.partition("/")
    family = _socket.AF_INET6 if ":" in base else _socket.AF_INET
    packed = _socket.inet_pton(family, base)
    return family, int.from_bytes(packed, "big") >> (len(packed) * 8 - int(size)), int(size)


def _show(made: _socket.socket, family: int, client: Address) -> None:
    """Call as the client; from another port of its where that one is taken, and as ourselves where it may not be."""
    level, option = (_socket.IPPROTO_IP, _IP_TRANSPARENT)
    if family == _socket.AF_INET6:
        level, option = (_socket.IPPROTO_IPV6, _IPV6_TRANSPARENT)
    try:
        made.setsockopt(level, option, 1)
        made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        try:
            made.bind(client[:2])
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            made.bind((client[0], 0))
    except OSError:
        return


class Way:
    """One direction of a connection: what came from one end and is to go to the other."""

    def __init__(self, source: _socket.socket, target: _socket.socket, buffer: memoryview) -> None:
        self.source, self.target = source, target
        self._buffer = buffer
        self._rest: bytes | memoryview = b""
        self._pipe: tuple[int, int] | None = None
        self._held = 0
        self.ended = self._shut = False

    def waits(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._rest) or self._held > 0

    def done(self) -> bool:
        """Whether everything was sent, and no more will come."""
        return self.ended and not self.waits()

    def read(self) -> None:
        """Take what is there and send what can be sent. Raises OSError."""
        if self._pipe is not None:
            self._held = os.splice(self.source.fileno(), self._pipe[1], _CHUNK, flags=_SPLICE)
            self.ended = not self._held
            self.flush()
            return
        size = self.source.recv_into(self._buffer)
        self.ended = not size
        if size:
            try:
                sent = self.target.send(self._buffer[:size])
            except BlockingIOError:
                sent = 0
            if sent < size:
                self._rest = bytes(self._buffer[sent:size])
            if size >= _MUCH:
                self._spare_copies()
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as it is taken. Raises OSError."""
        try:
            if self._rest:
                self._rest = memoryview(self._rest)[self.target.send(self._rest) :]
            elif self._held and self._pipe is not None:
                self._held -= os.splice(self._pipe[0], self.target.fileno(), self._held, flags=_SPLICE)
        except BlockingIOError:
            return
        if self.done() and not self._shut:
            self._shut = True
            self.target.shutdown(_socket.SHUT_WR)

    def close(self) -> None:
        """Let go of the pipe."""
        for end in self._pipe or ():
            os.close(end)
        self._pipe = None

    def _spare_copies(self) -> None:
        """Much is coming: from now on it goes from socket to socket by a pipe, and not through our memory."""
        try:
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            fcntl.fcntl(self._pipe[1], _F_SETPIPE_SZ, _CHUNK)
        except OSError:  # no more of either: it goes on as it did, or in smaller pieces
            return


class Connection:
    """One TCP connection: the client's end is 0, the container's is 1."""

    def __init__(self, loop: Loop, client: _socket.socket, server: _socket.socket) -> None:
        self._loop = loop
        self._ends = (client, server)
        self._from = (Way(client, server, loop.buffer), Way(server, client, loop.buffer))
        self._connected = False
        for end in self._ends:
            end.setblocking(False)
            end.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self._arm()

    def _on(self, side: int, events: int) -> None:
        coming, going = self._from[side], self._from[1 - side]
        try:
            if not self._connected:
                trouble = self._ends[1].getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
                if trouble:
                    raise OSError(trouble, os.strerror(trouble))
                self._connected = True
            elif events & _OUT:
                going.flush()
            if events & ~_OUT and not coming.waits() and not coming.ended:
                coming.read()
        except BlockingIOError:
            pass
        except OSError:
            self._close(reset=True)
            return
        if coming.done() and going.done():
            self._close(reset=False)
        else:
            self._arm()

    def _arm(self) -> None:
        for side, end in enumerate(self._ends):
            events = _OUT if self._from[1 - side].waits() else 0
            if not self._connected:
                events = _OUT if side == 1 else 0
            elif not self._from[side].waits() and not self._from[side].ended:
                events |= _IN
            self._loop.watch(end.fileno(), events, self._first if side == 0 else self._second)

    def _first(self, events: int) -> None:
        self._on(0, events)

    def _second(self, events: int) -> None:
        self._on(1, events)

    def _close(self, *, reset: bool) -> None:
        for end, way in zip(self._ends, self._from, strict=True):
            self._loop.watch(end.fileno(), 0, self._first)
            if reset:
                # The one end hears what happened at the other.
                end.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()
            way.close()


class Listener:
    """A published TCP port."""

    def __init__(self, loop: Loop, targets: Targets, listening: _socket.socket, port: int) -> None:
        self._loop, self._targets, self._socket, self._port = loop, targets, listening, port
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        loop.watch(listening.fileno(), _IN, self._on)

    def _on(self, _events: int) -> None:
        try:
            number, client = self._socket._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                time.sleep(0.05)  # until a connection has ended
            return
        accepted = _socket.socket(fileno=number)
        try:
            server = self._targets.call(_socket.SOCK_STREAM, self._socket.family, client, self._port)
        except OSError:
            accepted.close()
            return
        Connection(self._loop, accepted, server)


class Session:
    """A client of a published UDP port, and the socket that stands for it."""

    def __init__(self, box: Datagrams, client: Address, server: _socket.socket, asked: bytes) -> None:
        self._box, self.client, self.server, self.asked = box, client, server, asked
        self.last = time.monotonic()

    def on(self, _events: int) -> None:
        """Answers of the container."""
        try:
            data = self.server.recv(_CHUNK)
        except OSError:  # nothing after all, or nobody listens there
            return
        self.last = time.monotonic()
        self._box.answer(self, data)


class Datagrams:
    """A published UDP port."""

    def __init__(self, loop: Loop, targets: Targets, bound: _socket.socket, port: int) -> None:
        self._loop, self._targets, self._socket, self._port = loop, targets, bound, port
        self._sessions: dict[Address, Session] = {}
        four = bound.family == _socket.AF_INET
        self._level = _socket.IPPROTO_IP if four else _socket.IPPROTO_IPV6
        self._kind = _IP_PKTINFO if four else _IPV6_PKTINFO
        bound.setblocking(False)
        # An answer comes from the address that was asked: a host has several.
        bound.setsockopt(self._level, _IP_PKTINFO if four else _IPV6_RECVPKTINFO, 1)
        loop.watch(bound.fileno(), _IN, self._on)
        loop.chores.append(self._forget)

    def answer(self, session: Session, data: bytes) -> None:
        """Send to the client. What cannot be sent is lost, as datagrams are."""
        extra = [(self._level, self._kind, session.asked)] if session.asked else []
        try:
            self._socket.sendmsg([data], extra, 0, session.client)
        except OSError:
            return

    def _on(self, _events: int) -> None:
        try:
            data, extra, _flags, client = self._socket.recvmsg(_CHUNK, 256)
            session = self._sessions.get(client) or self._begin(client, extra)
            session.last = time.monotonic()
            session.server.send(data)
        except OSError:
            return

    def _begin(self, client: Address, extra: list[tuple[int, int, bytes]]) -> Session:
        if len(self._sessions) >= _SESSIONS:
            self._end(min(self._sessions.values(), key=lambda one: one.last))
        server = self._targets.call(_socket.SOCK_DGRAM, self._socket.family, client, self._port)
        session = Session(self, client, server, next((_source(data) for _, _, data in extra), b""))
        self._sessions[client] = session
        self._loop.watch(server.fileno(), _IN, session.on)
        return session

    def _forget(self, now: float) -> None:
        for session in [one for one in self._sessions.values() if now - one.last > _IDLE]:
            self._end(session)

    def _end(self, session: Session) -> None:
        del self._sessions[session.client]
        self._loop.watch(session.server.fileno(), 0, session.on)
        session.server.close()


def _source(data: bytes) -> bytes:
    """What says where a datagram came in, as what says where its answer comes from: without the interface."""
    if len(data) == 12:  # struct in_pktinfo: interface, our address, the address asked
        return struct.pack("=I", 0) + data[8:12] + bytes(4)
    return data[:16] + struct.pack("=I", 0) if len(data) == 20 else b""


def _more_descriptors() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(words: list[str]) -> None:
    """Forward until told to end."""
    until, ready = int(words[0]), int(words[1])
    targets = Targets(words[2], words[3], words[4])
    loop = Loop()
    _more_descriptors()
    for word in words[5:]:
        descriptor, _, port = word.partition(":")
        bound = _socket.socket(fileno=int(descriptor))
        kind = Listener if bound.type & 0xF == _socket.SOCK_STREAM else Datagrams
        kind(loop, targets, bound, int(port))
    loop.watch(until, _IN, lambda _events: sys.exit(0))
    os.write(ready, b"1")
    os.close(ready)
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1:])
