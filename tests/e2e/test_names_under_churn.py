"""Many containers of one network at once, and names asked for while containers come and go: no answer is wrong.

`./check long` starts a hundred and asks ten thousand times, `./check` a sample of that.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from private_host import LONG, PrivateHost, difference, host_needs
from test_many_at_once import all_of, at_once

from sonata_core.sdk.spawn import enter_netns
from sonata_core.sdk.syscalls import in_thread

pytestmark = host_needs()
MANY = 100 if LONG else 6
LOOKUPS = 10_000 if LONG else 300
TURNS = 40 if LONG else 2
CHURNERS = 3 if LONG else 2
DOMAIN = "dns.podman"
TRIES = 8


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, host_kind: type[PrivateHost]) -> Iterator[PrivateHost]:
    with host_kind(str(tmp_path_factory.mktemp("churn"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("network", "create", "--subnet", "10.197.60.0/24", "net")
        made.ok("run", "--rm", "--network", "net", made.image, "true")
        yield made


class Asker:
    """Asks the network's server of names, from within a container's network namespace."""

    def __init__(self, host: PrivateHost, container: str) -> None:
        number = host.ok("inspect", "--format", "{{.State.Pid}}", container)
        self._path = f"/proc/{host.pid}/root/proc/{number}/ns/net"
        self._socket = in_thread(self._open)
        self._number = 0

    def _open(self) -> socket.socket:
        enter_netns(self._path)
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(2)
        made.connect(("10.197.60.1", 53))
        return made

    def close(self) -> None:
        self._socket.close()

    def ask(self, name: str) -> list[str]:
        """The IPv4 addresses of a name; none where the server knows no such name. It is asked again as resolvers do."""
        self._number = self._number % 65535 + 1
        labels = b"".join(bytes((len(part),)) + part.encode() for part in f"{name}.{DOMAIN}".split("."))
        question = labels + b"\0" + struct.pack(">HH", 1, 1)
        for _ in range(TRIES):
            try:
                self._socket.send(struct.pack(">HHHHHH", self._number, 256, 1, 0, 0, 0) + question)
                while True:
                    reply = self._socket.recv(4096)
                    if struct.unpack(">H", reply[:2])[0] == self._number:
                        return addresses(reply, 12 + len(question))
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"nobody answers for {name}")


def addresses(reply: bytes, at: int) -> list[str]:
    found = []
    for _ in range(struct.unpack(">H", reply[6:8])[0]):
        at += 2 if reply[at] >= 192 else reply[at:].index(0) + 1
        kind, _, _, size = struct.unpack(">HHIH", reply[at : at + 10])
        at += 10
        if kind == 1:
            found.append(socket.inet_ntoa(reply[at : at + size]))
        at += size
    return sorted(found)


class Life:
    """A container that comes and goes: from when on its name must be known, and from when on it must not."""

    def __init__(self, name: str) -> None:
        self.name, self.address = name, ""
        self.known, self.leaving, self.gone = [float("inf")] * 3

    def wrong(self, began: float, ended: float, answer: list[str]) -> str:
        """What is wrong with an answer that was asked for and came at these times; empty for nothing."""
        if self.known < began and ended < self.leaving and answer != [self.address]:
            return f"{self.name} is {self.address}, and {answer} was the answer"
        if began > self.gone and answer:
            return f"{self.name} is gone for {began - self.gone:.3f} s, and {answer} was the answer"
        if answer and self.address and answer != [self.address]:
            return f"{self.name} was {self.address}, and {answer} was the answer"
        return ""


def start(host: PrivateHost, names: list[str]) -> dict[str, str]:
    """Start all of these at once; their addresses."""
    where = ["--network", "net", "--cgroup-parent", host.group, host.image, "sleep", "9999"]
    ended = all_of(host, [["run", "-d", "--name", name, *where] for name in names])
    assert [one for one in ended if one.code or one.err] == []
    shown = host.ok("inspect", "--format", "{{.NetworkSettings.Networks.net.IPAddress}}", *names).split()
    return dict(zip(names, shown, strict=True))


def test_many_at_once_know_each_other(host: PrivateHost) -> None:
    before = host.world()
    known = start(host, [f"c{number}" for number in range(MANY)])
    try:
        assert len(set(known.values())) == MANY
        asker = Asker(host, "c0")
        try:
            assert {name: asker.ask(name) for name in known} == {name: [address] for name, address in known.items()}
        finally:
            asker.close()
        assert host("network", "reconcile", "--check").code == 0
    finally:
        host.ok("rm", "-f", "-t", "0", "-a")
    assert difference(before, host.world()) == {}


def test_no_answer_is_wrong_while_containers_come_and_go(host: PrivateHost) -> None:
    before = host.world()
    steady = start(host, [f"s{number}" for number in range(5 if LONG else 2)])
    lives: list[Life] = []
    over = threading.Event()
    wrong: list[str] = []
    asked = [0]

    def look_up() -> None:
        asker = Asker(host, "s0")
        draw = random.Random(1)
        try:
            while not (over.is_set() and asked[0] >= LOOKUPS):
                name = draw.choice([*steady, *(one.name for one in lives[-12:])])
                began = time.monotonic()
                answer = asker.ask(name)
                ended = time.monotonic()
                asked[0] += 1
                if name in steady and answer != [steady[name]]:
                    wrong.append(f"{name} is {steady[name]}, and {answer} was the answer")
                wrong.extend(text for one in lives if one.name == name and (text := one.wrong(began, ended, answer)))
                time.sleep(0.002)
        finally:
            asker.close()

    def churn(number: int) -> None:
        for turn in range(TURNS):
            life = Life(f"x{number}-{turn}")
            lives.append(life)
            made = start(host, [life.name])
            life.address, life.known = made[life.name], time.monotonic()
            time.sleep(0.2)
            life.leaving = time.monotonic()
            host.ok("rm", "-f", "-t", "0", life.name)
            life.gone = time.monotonic()

    def both() -> None:
        try:
            at_once([lambda number=number: churn(number) for number in range(CHURNERS)])  # type: ignore[misc]
        finally:
            over.set()

    try:
        at_once([look_up, both])
    finally:
        host.ok("rm", "-f", "-t", "0", "-a")
    print(f"{asked[0]} lookups, {len(lives)} containers came and went")
    assert wrong == []
    assert difference(before, host.world()) == {}


def test_the_server_never_ends_before_a_newcomer(host: PrivateHost) -> None:
    """It ends with the last container: one that starts at that moment has its names served nevertheless."""
    before = host.world()
    last = ""
    try:
        for turn in range(TURNS):
            name, gone, found = f"t{turn}", last, {}
            going = [lambda gone=gone: host.ok("rm", "-f", "-t", "0", gone)] if gone else []
            at_once([lambda name=name, found=found: found.update(start(host, [name])), *going])  # type: ignore[misc, list-item]
            asker = Asker(host, name)
            try:
                assert asker.ask(name) == [found[name]]
                assert not gone or asker.ask(gone) == []
            finally:
                asker.close()
            last = name
    finally:
        host.ok("rm", "-f", "-t", "0", "-a")
    assert difference(before, host.world()) == {}
