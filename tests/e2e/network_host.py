"""A private host for tests of networks: containers that sleep, and looks into their network namespaces."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from private_host import PrivateHost

from sonata_testkit.netlab import RESOLVE

CONFIG = "/run/networks"
"""Where other engines' network files lie on this host."""
NAMES = """
import os, socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print(os.getpid(), flush=True)
while True:
    query, peer = server.recvfrom(4096)
    end = query.index(0, 12) + 5
    head = query[:2] + b"\\x81\\x80\\0\\x01\\0\\x01\\0\\0\\0\\0"
    answer = b"\\xc0\\x0c\\0\\x01\\0\\x01\\0\\0\\0\\x05\\0\\x04" + socket.inet_aton(sys.argv[2])
    server.sendto(head + query[12:end] + answer, peer)
"""
ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as client:
        print(client.recv(100).decode())
except OSError as error:
    print("nobody:", error)
"""
SERVE = """
import os, socket, sys
server = socket.socket(socket.AF_INET6 if sys.argv[3:] else socket.AF_INET)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("", int(sys.argv[1])))
server.listen()
print(os.getpid(), flush=True)
while True:
    client, _ = server.accept()
    client.sendall(sys.argv[2].encode())
    client.close()
"""


class NetworkHost(PrivateHost):
    """`helpers`: a folder in which netavark and aardvark-dns are looked for first."""

    helpers = ""
    conf = "/dev/null"
    firewall = ""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def argv(self, *words: str) -> list[str]:
        found = super().argv("--network-config-dir", CONFIG, *words)
        at = found.index("--") + 1
        settings = [f"CONTAINERS_CONF={self.conf}"]
        if self.firewall:
            settings.append(f"NETAVARK_FW={self.firewall}")
        if self.helpers:
            settings.append(f"CONTAINERS_HELPER_BINARY_DIR={self.helpers}")
        return [*found[:at], "env", *settings, *found[at:]]

    def sleeper(self, name: str, *words: str) -> str:
        """A running container; its id."""
        where = ("--cgroup-parent", self.group)
        return self.ok("run", "-d", "--name", name, *where, *words, "--rootfs", self.rootfs, "sleep", "1000")

    def pid_of(self, name: str) -> str:
        return self.ok("container", "inspect", "-f", "{{.State.Pid}}", name)

    def within(self, name: str, *words: str) -> str:
        """What a program of this host says in the container's network namespace."""
        done = self.program(self.inside("nsenter", "-t", self.pid_of(name), "-n", "--", *words))
        return done.out or done.err

    def links(self, name: str) -> dict[str, dict[str, Any]]:
        """A container's interfaces, as `ip -json -details address` tells of them."""
        told = json.loads(self.within(name, "ip", "-j", "-d", "addr"))
        return {link["ifname"]: link for link in told if link["ifname"] != "lo"}

    def addresses(self, name: str, interface: str = "eth0") -> list[str]:
        """Addresses of one interface with their lengths, those of the link alone left out."""
        found = self.links(name)[interface]["addr_info"]
        return [f"{one['local']}/{one['prefixlen']}" for one in found if one["scope"] != "link"]

    def resolve(self, name: str, word: str, server: str) -> list[str]:
        """The IPv4 addresses that a name server gives the container for a name."""
        done = self.program(
            self.inside(
                *("nsenter", "-t", self.pid_of(name), "-n", "--", sys.executable, "-I", "-c", RESOLVE, word, server)
            )
        )
        return done.out.split()

    def ask(self, address: str, port: int, name: str = "") -> str:
        """What a server says to a client of this host, or of a container."""
        words = (sys.executable, "-I", "-c", ASK, address, str(port))
        return self.within(name, *words) if name else self.program(self.inside(*words)).out

    def serve(self, name: str, port: int, word: str, *more: str) -> None:
        """Answer clients with a word, in a container's network namespace."""
        inside = ("nsenter", "-t", self.pid_of(name), "-n", "--", sys.executable, "-I", "-c", SERVE)
        self._up(*inside, str(port), word, *more)

    def name_server(self, address: str, answer: str) -> None:
        """A name server on this host which has one answer to everything."""
        self._up(sys.executable, "-I", "-c", NAMES, address, answer)

    def _up(self, *words: str) -> None:
        started = subprocess.Popen(self.inside(*words), stdout=subprocess.PIPE)
        assert started.stdout is not None
        with started.stdout as said:
            self._started.append((said.readline().decode().strip(), started))

    def lan(self) -> None:
        """A link of the host's own with an address, by which everything else is reached."""
        for words in (
            ("ip", "link", "add", "lan0", "type", "bridge"),
            ("ip", "addr", "add", "198.51.100.1/24", "dev", "lan0"),
            ("ip", "link", "set", "lan0", "up"),
            ("ip", "route", "add", "default", "via", "198.51.100.254"),
        ):
            self.program(self.inside(*words))

    def links_of_host(self) -> set[str]:
        """The names of this host's own links."""
        return {one["ifname"] for one in json.loads("".join(self.lines("ip", "-j", "link")))}

    def clear(self) -> None:
        """Take away every server, container and network."""
        for number, server in self._started:
            self.lines("kill", "-9", number)
            server.wait(30)
        self._started.clear()
        self("rm", "-fa", "-t0")
        self("network", "prune", "-f")

    def definition(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.ok("network", "inspect", name))
        return found[0]
