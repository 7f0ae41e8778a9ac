"""Traffic between containers, their host and another machine of its network: who reaches whom, and is seen as whom."""

from __future__ import annotations

import subprocess
import sys

from private_host import Ended, PrivateHost

from sonata_testkit.containers import eventually

LAN, CLIENT = "198.51.100.1", "198.51.100.9"
LAN6, CLIENT6 = "2001:db8::1", "2001:db8::9"
HOST, FAR = "", "the other machine"
"""Places beside containers, which go by their names."""
SHORT = 1.0
"""Seconds after which an answer that must not come is given up; a datagram is sent five times meanwhile."""

SERVER = """
import os, socket, sys, threading

def listening(kind, port):
    made = socket.socket(socket.AF_INET6, kind)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("::", port))
    return made

def who(made, peer):
    return f"{peer[0].removeprefix('::ffff:')} {peer[1]} {made.getsockname()[1]} ".encode()

def talk(one, peer):
    try:
        one.sendall(who(one, peer))
        while data := one.recv(1 << 16):
            one.sendall(data)
    except OSError:
        pass
    one.close()

def streams(made):
    made.listen()
    while True:
        threading.Thread(target=talk, args=made.accept(), daemon=True).start()

def datagrams(made):
    while True:
        data, peer = made.recvfrom(1 << 16)
        try:
            made.sendto(who(made, peer) + data, peer)
        except OSError:
            pass

for port in map(int, sys.argv[1:]):
    threading.Thread(target=streams, args=(listening(socket.SOCK_STREAM, port),), daemon=True).start()
    threading.Thread(target=datagrams, args=(listening(socket.SOCK_DGRAM, port),), daemon=True).start()
print("up", flush=True)
sys.stdin.read()
os._exit(0)
"""
"""Echoes what it hears, behind address and port of whom it hears, and its own port.

Datagrams are answered from the first address of the interface: one that was sent to another gets no answer.
"""
ASK = """
import socket, sys, threading
kind, address, port, seconds, size = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, getattr(socket, "SOCK_" + kind))
made.settimeout(seconds)
made.connect((address, int(port)))
text = b"." * int(size - 1) + b"!"
for _ in range(5 if kind == "DGRAM" else 1):
    threading.Thread(target=made.sendall, args=(text,), daemon=True).start()
    got = b""
    try:
        while not got.endswith(b"!"):
            got += made.recv(1 << 16) or b" the end !"
        break
    except TimeoutError:
        continue
print(made.getsockname()[1], *got[:100].decode().split()[:3], len(got.rpartition(b" ")[2]))
"""


class Traffic:
    """Servers and clients on a private host with `lan0`; `plug` sets another machine on that network."""

    def __init__(self, host: PrivateHost) -> None:
        self.host = host
        self.machine: subprocess.Popen[bytes] | None = None
        self._servers: list[subprocess.Popen[bytes]] = []

    def plug(self) -> None:
        """The other machine, with an address of each family."""
        self.machine = subprocess.Popen(self.host.inside("unshare", "-n", "sleep", "86398"))
        assert eventually(lambda: "sleep 86398" in self.host.proc().values())
        self.number = next(str(pid) for pid, words in self.host.proc().items() if words == "sleep 86398")
        self.run(HOST, "ip", "link", "add", "c0", "type", "veth", "peer", "name", "c1", "netns", self.number)
        for words in ("link set c0 master lan0 up", f"address add {LAN6}/64 dev lan0 nodad"):
            self.run(HOST, "ip", *words.split())
        moved = ("link set lo up", f"address add {CLIENT}/24 dev c1", f"address add {CLIENT6}/64 dev c1 nodad")
        for words in (*moved, "link set c1 up"):
            self.run(FAR, "ip", *words.split())

    def unplug(self) -> None:
        assert self.machine is not None
        self.machine.kill()
        self.machine.wait()

    def argv(self, place: str, *words: str) -> list[str]:
        """The argument list that runs a program in the network of a place."""
        if place == HOST:
            return self.host.inside(*words)
        number = self.number if place == FAR else self.host.ok("inspect", "-f", "{{.State.Pid}}", place)
        return self.host.inside("nsenter", "-t", number, "-n", "--", *words)

    def attempt(self, place: str, *words: str) -> Ended:
        """Run a program in the network of a place."""
        return self.host.program(self.argv(place, *words))

    def run(self, place: str, *words: str) -> str:
        """Run a program that must succeed; what it printed."""
        done = self.attempt(place, *words)
        assert done.code == 0, (place, words, done)
        return done.out

    def serve(self, place: str, *ports: int) -> None:
        """Echo at these ports, TCP and UDP, of both families."""
        words = self.argv(place, sys.executable, "-I", "-c", SERVER, *map(str, ports))
        server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"

    def silence(self) -> None:
        """End all servers."""
        while self._servers:
            self._servers.pop().communicate()

    def asked(
        self, place: str, address: str, port: int, kind: str = "STREAM", *, size: int = 5, wait: float = 5
    ) -> str:
        """As whom a server sees a place: an address, and `:` with the server's own port. Empty: no answer."""
        words = (sys.executable, "-I", "-c", ASK, kind, address, str(port), str(wait), str(size))
        told = self.attempt(place, *words).out.split()
        return f"{told[1]}:{told[3]}" if len(told) == 5 and told[4] == str(size) else ""

    def reaches(self, place: str, address: str, port: int) -> bool:
        """Whether a stream and a datagram get there, and their answers back."""
        return all(self.asked(place, address, port, kind) for kind in ("STREAM", "DGRAM"))

    def misses(self, place: str, address: str, port: int) -> bool:
        """Whether neither gets there."""
        stream = self.asked(place, address, port, wait=SHORT)
        return not stream and not self.asked(place, address, port, "DGRAM", wait=SHORT / 5)
