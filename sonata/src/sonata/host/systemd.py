"""What is asked of systemd, by its own socket: scopes for processes, slices for pods.

It speaks the bus's protocol there without a bus (D-Bus specification 0.41, "Message Protocol"), as systemctl(1) does;
so neither a bus daemon nor a program of its own is in the way of a container that starts.
"""

from __future__ import annotations

import os
import socket
import struct
import time

from sonata.host import cgroups
from sonata_core.errors import AlreadyExists, ExternalFailure, NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PATIENCE = 10.0
_LARGEST = 1 << 20
_CALL, _REPLY, _FAILED = 1, 2, 3
_UNIX_NAME = 108


def place(runtime_dir: str, *, rootless: bool) -> str:
    """Where the systemd listens that makes this user's control groups: the host's, or the one of his sessions."""
    return f"{runtime_dir if rootless else '/run'}/systemd/private"


def start_scope(at: str, name: str, pid: int, inside: str) -> None:
    """Put a process into a new scope, within the slice `inside`; it is there afterwards. Raises ExternalFailure."""
    wanted = (
        ("PIDs", "au", [pid]),
        ("Slice", "s", inside),
        ("Delegate", "b", True),
        ("DefaultDependencies", "b", False),
    )
    _start(at, name, (*wanted, ("CollectMode", "s", "inactive-or-failed")))
    deadline = time.monotonic() + _PATIENCE
    while not any(group.endswith(f"/{name}") for group in cgroups.of_process(pid).values()):
        if time.monotonic() > deadline:
            raise ExternalFailure(f"systemd did not put process {pid} into {name}")
        time.sleep(0.001)


def start_slice(at: str, name: str, resources: Mapping[str, Any]) -> None:
    """Start a slice with these limits, of the runtime specification. One that runs is left. Raises ExternalFailure."""
    try:
        _start(at, name, (("DefaultDependencies", "b", False), *limits(resources)))
    except AlreadyExists:
        return


def stop(at: str, name: str) -> None:
    """Stop a unit. Absent is success. Raises ExternalFailure."""
    try:
        _ask(at, "StopUnit", "ss", _Body().text(name).text("replace"))
    except NotFound:
        return


def limits(resources: Mapping[str, Any]) -> tuple[tuple[str, str, Any], ...]:
    """Limits of the runtime specification as properties: names, types, values (systemd.resource-control(5))."""
    memory, cpu = (resources.get(name, {}) for name in ("memory", "cpu"))
    found: list[tuple[str, str, Any]] = []
    for key, name in (("cpus", "AllowedCPUs"), ("mems", "AllowedMemoryNodes")):
        if key in cpu:
            found.append((name, "ay", _bits(cpu[key])))
    for name, asked, value in (
        ("MemoryMax", "limit" in memory, memory.get("limit")),
        ("MemorySwapMax", "swap" in memory, memory.get("swap", 0) - memory.get("limit", 0)),
        ("MemoryLow", "reservation" in memory, memory.get("reservation")),
        ("CPUWeight", "shares" in cpu, 1 + (cpu.get("shares", 2) - 2) * 9999 // 262142),
        ("CPUQuotaPerSecUSec", cpu.get("quota", 0) > 0, cpu.get("quota", 0) * 1_000_000 // cpu.get("period", 100_000)),
    ):
        if asked:
            found.append((name, "t", value))
    return (*found, *_rates(resources.get("blockIO", {})))


def _rates(block: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    if "weight" in block:
        yield "IOWeight", "t", block["weight"]
    for key, member, name in (
        ("weightDevice", "weight", "IODeviceWeight"),
        ("throttleReadBpsDevice", "rate", "IOReadBandwidthMax"),
        ("throttleWriteBpsDevice", "rate", "IOWriteBandwidthMax"),
        ("throttleReadIOPSDevice", "rate", "IOReadIOPSMax"),
        ("throttleWriteIOPSDevice", "rate", "IOWriteIOPSMax"),
    ):
        rates = [(f"/dev/block/{one['major']}:{one['minor']}", one[member]) for one in block.get(key, ())]
        if rates:
            yield name, "a(st)", rates


def _bits(text: str) -> list[int]:
    """`0-2,5` as a mask, the lowest byte first."""
    mask = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        for number in range(int(first), int(last or first) + 1):
            mask |= 1 << number
    return list(mask.to_bytes((mask.bit_length() + 7) // 8, "little"))


def _start(at: str, name: str, properties: tuple[tuple[str, str, Any], ...]) -> None:
    body = _Body().text(name).text("fail")
    with body.array(8):
        for key, kind, value in properties:
            body.align(8).text(key).signature(kind).value(kind, value)
    with body.array(8):
        pass
    _ask(at, "StartTransientUnit", "ssa(sv)a(sa(sv))", body)


class _Body:
    """Values as the bus has them, least byte first, each at a multiple of its size."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._open: list[tuple[int, int]] = []

    def align(self, size: int) -> _Body:
        self.data += bytes(-len(self.data) % size)
        return self

    def number(self, value: int, size: int = 4) -> _Body:
        self.align(size).data += value.to_bytes(size, "little")
        return self

    def text(self, text: str) -> _Body:
        encoded = text.encode()
        self.number(len(encoded)).data += encoded + b"\0"
        return self

    def signature(self, text: str) -> _Body:
        self.data += bytes([len(text)]) + text.encode() + b"\0"
        return self

    def array(self, size: int) -> _Body:
        """`with body.array(SIZE):` what is written within are its elements, which begin at multiples of SIZE."""
        self.number(0)
        at = len(self.data) - 4
        self.align(size)
        self._open.append((at, len(self.data)))
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None:
        at, first = self._open.pop()
        self.data[at : at + 4] = (len(self.data) - first).to_bytes(4, "little")

    def value(self, kind: str, value: Any) -> None:
        if kind == "s":
            self.text(value)
        elif kind == "b":
            self.number(int(value))
        elif kind == "t":
            self.number(value, 8)
        elif kind == "a(st)":
            with self.array(8):
                for path, rate in value:
                    self.align(8).text(path).number(rate, 8)
        else:
            size = {"au": 4, "ay": 1}[kind]
            with self.array(size):
                for one in value:
                    self.number(one, size)


def _ask(at: str, method: str, signature: str, body: _Body) -> None:
    """Call a method of the manager. Raises AlreadyExists, NotFound, ExternalFailure with what systemd says."""
    message = _Body()
    message.data += bytes([ord("l"), _CALL, 0, 1])
    message.number(len(body.data)).number(1)
    with message.array(8):
        for code, kind, text in (
            (1, "o", "/org/freedesktop/systemd1"),
            (2, "s", "org.freedesktop.systemd1.Manager"),
            (3, "s", method),
            (6, "s", "org.freedesktop.systemd1"),
        ):
            message.align(8).data += bytes([code])
            message.signature(kind).text(text)
        message.align(8).data += bytes([8])
        message.signature("g").signature(signature)
    message.align(8)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
        peer.settimeout(_PATIENCE)
        try:
            _connect(peer, at)
            peer.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
            _greeted(peer)
            peer.sendall(message.data + body.data)
            while not _answered(peer, method):
                pass
        except OSError as error:
            raise ExternalFailure(f"asking systemd at {at}: {error.strerror or error}") from error


def _connect(peer: socket.socket, at: str) -> None:
    if len(at) < _UNIX_NAME:
        peer.connect(at)
        return
    folder = os.open(os.path.dirname(at), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        peer.connect(f"/proc/self/fd/{folder}/{os.path.basename(at)}")
    finally:
        os.close(folder)


def _greeted(peer: socket.socket) -> None:
    """Read `DATA` and `OK ID`: what comes then are messages."""
    seen = b""
    while seen.count(b"\r\n") < 2:
        more = peer.recv(1)
        if not more or len(seen) > 1024 or seen.startswith(b"REJECTED"):
            raise ExternalFailure(f"systemd refuses to be asked: {seen.decode(errors='replace').strip()}")
        seen += more


def _answered(peer: socket.socket, method: str) -> bool:
    """Whether the next message was the answer. Raises what it says, if it is an error."""
    head = _exactly(peer, 16)
    number = struct.Struct("<I" if head[:1] == b"l" else ">I").unpack_from
    length, fields = int(number(head, 4)[0]), int(number(head, 12)[0])
    if length + fields > _LARGEST:
        raise ExternalFailure(f"systemd's answer to {method} is too long")
    named = _exactly(peer, fields + -fields % 8)
    said = _exactly(peer, length)
    if head[1] == _FAILED:
        told = said[4 : 4 + number(said)[0]].decode(errors="replace") if len(said) >= 4 else ""
        if b".UnitExists\0" in named:
            raise AlreadyExists(told)
        if b".NoSuchUnit\0" in named:
            raise NotFound(told)
        raise ExternalFailure(f"systemd: {method}: {told}")
    return head[1] == _REPLY


def _exactly(peer: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = peer.recv(count - len(found))
        if not more:
            raise ExternalFailure("systemd ended the conversation")
        found += more
    return found
