"""A host of its own for a test, and network namespaces as an engine pins them."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sonata_core.models.ids import ContainerId
from sonata_core.models.net import Attachment, AttachRequest, NetnsRef, NetworkDefinition, PortMapping, Subnet
from sonata_testkit.containers import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

HOST = "198.51.100.1"
"""The address of a test's host: a client there is no loopback client."""
_CLONE_NEWNET = 0x40000000
_SERVER = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET, kind)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[2])))
if kind == socket.SOCK_STREAM:
    s.listen()
print("up", flush=True)
while True:
    if kind == socket.SOCK_STREAM:
        c, _ = s.accept()
        c.recv(1)
        c.sendall(sys.argv[3].encode())
        c.close()
    else:
        _, peer = s.recvfrom(100)
        s.sendto(sys.argv[3].encode(), peer)
"""
RESOLVE = """
import socket, struct, sys
name, server = sys.argv[1:]
question = b"".join(bytes((len(p),)) + p.encode() for p in name.split(".")) + b"\\0" + struct.pack(">HH", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
for _ in range(5):
    try:
        s.sendto(struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + question, (server, 53))
        reply = s.recv(4096)
        break
    except OSError:
        continue
else:
    sys.exit("no answer")
count = struct.unpack(">H", reply[6:8])[0]
at = 12 + len(question)
for _ in range(count):
    at += 2 if reply[at] >= 192 else reply[at:].index(0) + 1
    kind, _, _, size = struct.unpack(">HHIH", reply[at : at + 10])
    at += 10
    if kind == 1:
        print(socket.inet_ntoa(reply[at : at + size]))
    at += size
"""


@contextmanager
def own_host() -> Iterator[None]:
    """A new network namespace for this thread and what it starts; the old one again afterwards.

    It has `lo`, and a link of its own with the address HOST, which leads everywhere.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if libc.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    try:
        tool("ip", "link", "set", "lo", "up")
        tool("ip", "link", "add", "lan0", "type", "bridge")
        tool("ip", "addr", "add", f"{HOST}/24", "dev", "lan0")
        tool("ip", "link", "set", "lan0", "up")
        tool("ip", "route", "add", "default", "via", HOST.rpartition(".")[0] + ".254", "dev", "lan0")
        yield
    finally:
        if libc.setns(before, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(before)


def tool(*argv: str) -> str:
    """Run a program that must succeed; what it printed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout


class Namespace:
    """A container's network namespace, pinned below a folder, and what goes on in it."""

    def __init__(self, folder: Path, letter: str) -> None:
        self.id = ContainerId(letter * 64)
        self.name = f"kit-{letter}"
        folder.mkdir(exist_ok=True)
        self.path = str(folder / f"netns-{self.name}")
        with open(self.path, "w", encoding="ascii"):
            pass
        tool("unshare", f"--net={self.path}", "true")
        self.ref = NetnsRef(path=self.path)
        self.run("ip", "link", "set", "lo", "up")
        self.servers: list[subprocess.Popen[bytes]] = []

    def run(self, *argv: str, check: bool = True) -> str:
        """What a program prints that runs in the namespace."""
        done = subprocess.run(
            ["nsenter", f"--net={self.path}", *argv], check=check, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def addresses(self) -> dict[str, set[str]]:
        """Interfaces other than `lo`, and their addresses in CIDR form; the link-local ones are left out."""
        found = {}
        for link in json.loads(self.run("ip", "-j", "addr")):
            if link["ifname"] != "lo":
                found[link["ifname"]] = {
                    f"{one['local']}/{one['prefixlen']}"
                    for one in link["addr_info"]
                    if one.get("scope") != "link" and "local" in one
                }
        return found

    def macs(self) -> dict[str, str]:
        return {link["ifname"]: link["address"] for link in json.loads(self.run("ip", "-j", "link"))}

    def state(self) -> tuple[str, ...]:
        """Everything of the namespace that must be as it was: links, addresses, routes, rules."""
        lines = [line for line in self.run("ip", "-o", "link").splitlines()]
        lines += self.run("ip", "-4", "-o", "addr").splitlines() + self.run("ip", "-4", "route").splitlines()
        return tuple(lines + self.run("ip", "rule").splitlines())

    def serve(self, port: int, word: str, protocol: str = "tcp") -> None:
        """Answer every client on a port with a word."""
        server = subprocess.Popen(
            ["nsenter", f"--net={self.path}", sys.executable, "-I", "-c", _SERVER, protocol, str(port), word],
            stdout=subprocess.PIPE,
        )
        self.servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"

    def resolve(self, name: str, server: str) -> list[str]:
        """The IPv4 addresses that a name server gives, asked from within."""
        return self.run(sys.executable, "-I", "-c", RESOLVE, name, server, check=False).split()

    def request(
        self, *attachments: Attachment, ports: tuple[PortMapping, ...] = (), lifetime_fd: int = -1
    ) -> AttachRequest:
        return AttachRequest(
            container=self.id,
            name=self.name,
            hostname=self.name,
            attachments=attachments,
            ports=ports,
            lifetime_fd=lifetime_fd,
        )

    def vanish(self) -> None:
        """Let go of the namespace without a word to the backend, as after a crash; on return it is dead.

        It lives on for as long as anybody's new mount namespace holds a copy of the pin: a
        container that some other test is just starting, say.
        """
        outside = self._outer_ends()
        for server in self.servers:
            server.kill()
            server.communicate()
        self.servers.clear()
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)
        if os.path.exists(self.path):
            os.unlink(self.path)
        assert eventually(lambda: not outside & _link_indices()), f"something holds {self.path}"

    def _outer_ends(self) -> set[int]:
        """The indices, on the host, of the links whose other end is in here."""
        links = json.loads(self.run("ip", "-j", "link", check=False) or "[]")
        return {link["link_index"] for link in links if "link_index" in link}


def _link_indices() -> set[int]:
    return {link["ifindex"] for link in json.loads(tool("ip", "-j", "link"))}


def ask(address: str, port: int, protocol: str = "tcp", seconds: float = 1.0) -> str:
    """What a server says to this thread's host; empty where nobody answers."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(seconds)
        try:
            client.connect((address, port))
            client.send(b"?")
            return client.recv(100).decode()
        except OSError:
            return ""


def default_definition(number: int) -> NetworkDefinition:
    """A plain network, as the engine's own default is, for a backend that plans none."""
    subnet = Subnet(subnet=f"10.201.{number}.0/24", gateway=f"10.201.{number}.1")
    return NetworkDefinition(name=f"kit{number}", id=f"{number:064x}", interface=f"kit{number}", subnets=(subnet,))


def attachment(definition: NetworkDefinition, host: int, interface: str = "eth0", **fields: Any) -> Attachment:
    """An interface on a network, its addresses leased as the engine leases them."""
    import ipaddress

    addresses = tuple(str(ipaddress.ip_network(each.subnet)[host]) for each in definition.subnets)
    return Attachment(network=definition, interface=interface, addresses=addresses, **fields)
