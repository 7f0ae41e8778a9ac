"""Netlink, as much as a teardown needs: attributes, dumps, transactions.

Written by hand on a raw socket because pyroute2 takes longer to import (186 ms) than a whole
teardown may last. Sources: Linux `include/uapi/linux/{netlink,rtnetlink,if_link}.h`,
`include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h`; rfc 3549.
"""

from __future__ import annotations

import _socket
import os
import struct

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
ERROR, DONE = 0x2, 0x3
DUMP_INTERRUPTED = 0x10
NESTED_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_BUFFER = 1 << 17
_TIMEOUT = struct.pack("@ll", 10, 0)

Attributes = dict[int, bytes]
Message = tuple[int, bytes]


class Interrupted(Exception):
    """The kernel's tables changed while they were read: nothing that was read can be relied on."""


class Channel:
    """A netlink socket. Its replies are awaited for ten seconds at most, so that nothing hangs."""

    def __init__(self, protocol: int) -> None:
        self.socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)
        self.socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, _TIMEOUT)
        self.socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, 1 << 20)
        self._sequence = 0

    def close(self) -> None:
        """Close our descriptor."""
        self.socket.close()

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """Everything of one kind. Raises OSError, and Interrupted if it changed meanwhile."""
        sequence = self._send([(kind, REQUEST | DUMP, body)])
        found: list[Message] = []
        while True:
            for answer, flags, number, data in self._receive():
                if number != sequence:
                    continue
                if flags & DUMP_INTERRUPTED:
                    raise Interrupted
                if answer == ERROR:
                    _raise(data)
                if answer == DONE:
                    return found
                found.append((answer, data))

    def ask(self, kind: int, body: bytes, flags: int = 0) -> Message | None:
        """One question, one answer; None for a bare acknowledgement. Raises OSError."""
        sequence = self._send([(kind, REQUEST | ACK | flags, body)])
        found: Message | None = None
        while True:
            for answer, _flags, number, data in self._receive():
                if number != sequence:
                    continue
                if answer == ERROR:
                    _raise(data)
                    return found
                found = (answer, data)

    def transact(self, begin: bytes, messages: list[tuple[int, bytes]], end: bytes, batch: tuple[int, int]) -> None:
        """All of it or nothing, as one nfnetlink batch. Raises OSError with the first refusal's errno."""
        packet = [(batch[0], REQUEST, begin), *((kind, REQUEST | ACK, body) for kind, body in messages)]
        first = self._send([*packet, (batch[1], REQUEST, end)])
        awaited = len(messages)
        while awaited:
            for answer, _flags, number, data in self._receive():
                if answer != ERROR or not first <= number <= first + len(messages) + 1:
                    continue
                _raise(data)
                awaited -= 1

    def _send(self, messages: list[tuple[int, int, bytes]]) -> int:
        first = self._sequence + 1
        packet = []
        for kind, flags, body in messages:
            self._sequence += 1
            packet.append(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        self.socket.send(b"".join(packet))
        return first

    def _receive(self) -> Iterator[tuple[int, int, int, bytes]]:
        data = self.socket.recv(_BUFFER)
        at = 0
        while at + _HEADER.size <= len(data):
            length, kind, flags, sequence, _port = _HEADER.unpack_from(data, at)
            if length < _HEADER.size:
                return
            yield kind, flags, sequence, data[at + _HEADER.size : at + length]
            at += (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def text(kind: int, value: str) -> bytes:
    """A string attribute, with its closing zero."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes) -> Attributes:
    """Attributes by kind; of several of one kind, the last."""
    return dict(attribute_list(data))


def attribute_list(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Attributes in their order, flags of the kind taken off."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & NESTED_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3


def string(value: bytes | None) -> str:
    """A string attribute's text."""
    return (value or b"").rstrip(b"\0").decode(errors="replace")


def _raise(data: bytes) -> None:
    code = -struct.unpack_from("=i", data)[0]
    if code:
        raise OSError(code, os.strerror(code))
