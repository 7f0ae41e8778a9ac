"""Published ports of an ordinary user's containers on bridges: our forwarder, asked from another machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ordinary import UID, OrdinaryHost, user_needs
from private_host import Ended
from traffic import CLIENT, CLIENT6, LAN, LAN6, SERVER

from sonata_testkit.containers import eventually

pytestmark = [*user_needs(), pytest.mark.skipif(not shutil.which("pasta"), reason="needs pasta")]

ASK = """
import socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, getattr(socket, "SOCK_" + kind))
made.settimeout(5)
made.connect((address, port))
made.send(b"hello")
got = b""
while not got.endswith(b"hello"):
    got += made.recv(1000) or b" the end hello"
print(made.getsockname()[1], got.decode())
"""


class Lan(OrdinaryHost):
    """An ordinary user's host, and another machine on its network."""

    service: subprocess.Popen[bytes] | None = None

    def plug(self) -> None:
        self.machine = subprocess.Popen(self.inside("unshare", "-n", "sleep", "86399"))
        assert eventually(lambda: "sleep 86399" in self.proc().values())
        self.number = next(str(pid) for pid, words in self.proc().items() if words == "sleep 86399")
        self.as_root("sh", "-c", "ip link add c0 type veth peer name c1; ip link set c0 master lan0 up")
        self.as_root("ip", "link", "set", "c1", "netns", self.number)
        self.as_root("ip", "address", "add", f"{LAN6}/64", "dev", "lan0", "nodad")
        for words in (f"address add {CLIENT}/24 dev c1", f"address add {CLIENT6}/64 dev c1 nodad", "link set c1 up"):
            assert self.far("ip", *words.split()).code == 0

    def far(self, *words: str) -> Ended:
        """Run a program on the other machine."""
        return self.as_root("nsenter", "-t", self.number, "-n", "--", *words)

    def asked(self, address: str, port: int, kind: str = "STREAM", *, near: bool = False) -> list[str]:
        """Our own port; our address and port as the service sees them, and what it sends back. Empty: no answer."""
        run = self.as_root if near else self.far
        own, *heard = run(sys.executable, "-I", "-c", ASK, kind, address, str(port)).out.split() or [""]
        return [own, *heard[:2], *heard[3:]] if heard else []

    def sees(self, address: str, port: int, kind: str = "STREAM") -> str:
        """As whom the service sees the other machine, where it sees its port too."""
        found = self.asked(address, port, kind)
        return found[1] if len(found) == 4 and found[0] == found[2] and found[3] == "hello" else f"not at all: {found}"

    def serve(self, name: str, *options: str) -> None:
        """A container, and a service in its network."""
        self.ok("run", "-d", "--name", name, *options, self.image, "sleep", "600")
        self.begin_service(name)

    def begin_service(self, name: str) -> None:
        pid = self.ok("inspect", "--format", "{{.State.Pid}}", name)
        words = self.inside("nsenter", "-t", pid, "-n", "--", sys.executable, "-I", "-c", SERVER, "80", "81", "53")
        self.service = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.service.stdout is not None
        assert self.service.stdout.readline() == b"up\n"

    def end_service(self) -> None:
        if self.service is not None:
            self.service.communicate()
            self.service = None


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    with Lan(str(tmp_path_factory.mktemp("ports"))) as made:
        made.pull()
        made.plug()
        yield made
        made.machine.kill()
        made.machine.wait()


@pytest.fixture(autouse=True)
def nothing_stays(host: Lan) -> Iterator[None]:
    yield
    host.end_service()
    host.ok("rm", "-af", "-t", "0")
    host.ok("network", "prune", "-f")
    names = ("pasta", "aardvark", "forwarder")
    assert eventually(lambda: not [each for each in host.proc().values() if any(name in each for name in names)])


def test_a_service_sees_who_asks(host: Lan) -> None:
    host.ok("network", "create", "--ipv6", "blue")
    host.serve("t", "--network", "blue", "-p", "18088:80", "-p", f"{LAN}:18090-18091:80-81", "-p", "18053:53/udp")
    for kind, port in (("STREAM", 18088), ("DGRAM", 18053)):
        assert host.sees(LAN, port, kind) == CLIENT
        assert host.sees(LAN6, port, kind) == CLIENT6
        # An address of the loopback leads nowhere from a container.
        assert host.asked("127.0.0.1", port, kind, near=True)[3] == "hello"
    assert host.sees(LAN, 18091) == CLIENT
    assert host.asked("127.0.0.1", 18091, near=True) == []
    taken = host("run", "--rm", "--network", "blue", "-p", "18088:80", host.image, "true")
    assert taken.code == 126
    assert "cannot listen on the TCP port: listen tcp4 :18088: bind: address already in use" in taken.err
    assert len(host.ok("ps", "-aq").split()) == 1
    host.ok("rm", "-f", "-t", "0", "t")
    assert host.asked(LAN, 18088) == []


def test_a_container_of_one_family_is_reached_through_the_other(host: Lan) -> None:
    host.serve("t", "--network", "podman", "-p", "18088:80", "-p", "18053:53/udp")
    for kind, port in (("STREAM", 18088), ("DGRAM", 18053)):
        assert host.asked(LAN6, port, kind)[1::2] == ["10.88.0.1", "hello"]


def test_much_goes_through_both_ways(host: Lan) -> None:
    host.serve("t", "--network", "podman", "-p", "18088:80")
    echo = (
        "import socket, threading;"
        f"s = socket.create_connection(('{LAN}', 18088));"
        "data = bytes(range(256)) * 40000;"
        "t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(1)));"
        "t.start();"
        "got = b''.join(iter(lambda: s.recv(1 << 16), b''));"
        "print(got.endswith(data))"
    )
    assert host.far(sys.executable, "-I", "-c", echo).out == "True"


def test_ports_follow_the_container_from_network_to_network(host: Lan) -> None:
    for name in ("one", "two"):
        host.ok("network", "create", name)
    host.serve("t", "--network", "one", "-p", "18088:80")
    assert host.sees(LAN, 18088) == CLIENT
    host.ok("network", "connect", "two", "t")
    host.ok("network", "disconnect", "one", "t")
    assert host.asked(LAN, 18088)[3] == "hello"


def kill_forwarder(host: Lan) -> None:
    number = next(str(pid) for pid, words in host.proc().items() if "forwarder" in words)
    host.as_root("kill", "-9", number)
    assert eventually(lambda: host.asked(LAN, 18088) == [])


def missed(host: Lan, *words: str) -> list[str]:
    """What `network reconcile --check` misses, and says by its code."""
    looked = host("network", "reconcile", "--check", "--json", *words)
    found = [one["What"] for one in json.loads(looked.out)]
    assert looked.code == (1 if found else 0), looked
    return found


def test_a_lost_forwarder_gives_the_port_back_and_is_started_again(host: Lan) -> None:
    """By `network reconcile`, by `network reload`, and with the container; the connection of others stays."""
    host.serve("t", "--network", "podman", "-p", "18088:80")
    assert host.sees(LAN, 18088) == CLIENT
    pid = host.ok("inspect", "--format", "{{.State.Pid}}", "t")
    kill_forwarder(host)
    assert host.ok("ps", "--format", "{{.State}}") == "running"
    assert missed(host) == missed(host, "t") == ["the forwarder of published ports runs"]
    mended = host("network", "reconcile")
    assert mended.code == 0, mended
    assert host.sees(LAN, 18088) == CLIENT
    runs = [number for number, words in host.proc().items() if "forwarder" in words]
    assert missed(host) == []
    assert host.ok("network", "reconcile") == ""
    assert [number for number, words in host.proc().items() if "forwarder" in words] == runs
    kill_forwarder(host)
    host.ok("network", "reload", "t")
    assert host.sees(LAN, 18088) == CLIENT
    assert host.ok("inspect", "--format", "{{.State.Pid}}", "t") == pid
    kill_forwarder(host)
    host.end_service()
    host.ok("restart", "-t", "0", "t")
    host.begin_service("t")
    assert host.sees(LAN, 18088) == CLIENT


def test_a_forwarder_whose_port_was_taken_waits_until_it_is_free(host: Lan) -> None:
    host.serve("t", "--network", "podman", "-p", "18088:80")
    kill_forwarder(host)
    hold = "import socket, sys; s = socket.create_server(('', 18088)); print('up', flush=True); sys.stdin.read()"
    words = host.inside(sys.executable, "-I", "-c", hold)
    taker = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert taker.stdout is not None
    assert taker.stdout.readline() == b"up\n"
    refused = host("network", "reconcile")
    assert refused.code == 125
    assert "container t: " in refused.err
    assert "18088: bind: address already in use" in refused.err
    taker.communicate()
    assert host("network", "reconcile").code == 0
    assert host.sees(LAN, 18088) == CLIENT


def test_the_ways_of_answers_are_made_again(host: Lan) -> None:
    """Who calls as somebody else hears of it by a mark, a rule and a route of the shared namespace."""
    host.serve("t", "--network", "podman", "-p", "18088:80")
    assert host.sees(LAN, 18088) == CLIENT
    number = next(str(pid) for pid, words in host.proc().items() if "forwarder" in words)
    flush = "iptables -t mangle -F; ip -4 rule del lookup 5377; ip -6 route flush table 5377"
    host.as_root("nsenter", "-t", number, "-n", "--", "sh", "-c", flush)
    assert host.far("timeout", "1", sys.executable, "-I", "-c", ASK, "STREAM", LAN, "18088").out == ""
    found = missed(host)
    assert [words.split()[0] for words in found] == ["ip", "iptables", "ip"]
    assert "table 5377" in found[2]
    mended = host("network", "reconcile")
    assert mended.code == 0, mended
    assert missed(host) == []
    assert host.sees(LAN, 18088) == CLIENT


@pytest.mark.slow
def test_a_lost_shared_namespace_is_made_anew_under_its_containers(host: Lan) -> None:
    """Its file is gone, as after a cleaned run folder; forwarders alone still hold what was in it."""
    host.ok("network", "create", "one")
    host.serve("t", "--network", "podman", "--network", "one", "-p", "18088:80")
    host.ok("run", "-d", "--name", "u", "--network", "one", host.image, "sleep", "600")
    pids = host.ok("inspect", "--format", "{{.State.Pid}}", "t", "u")
    for name in ("pasta", "aardvark-dns"):
        numbers = [str(pid) for pid, words in host.proc().items() if name in words.split()[0]]
        host.as_root("kill", "-9", *numbers)
    place = host.runtime("containers/networks/rootless-netns")
    inside = f"/run/user/{UID}/containers/networks/rootless-netns"
    assert host("unshare", "sh", "-c", f"umount -l {inside}/rootless-netns; rm -r {inside}").code == 0
    assert "the network namespace that ordinary users' bridges share" in missed(host)
    mended = host("network", "reconcile")
    assert mended.code == 0, mended
    assert missed(host) == []
    assert host.sees(LAN, 18088) == CLIENT
    address = host.ok("inspect", "--format", "{{.NetworkSettings.Networks.one.IPAddress}}", "t")
    assert eventually(lambda: address in host("exec", "u", "busybox", "nslookup", "t.dns.podman").out)
    assert host.ok("inspect", "--format", "{{.State.Pid}}", "t", "u") == pids
    assert (place / "ref-count").read_text() == "2"
    host.end_service()
    host.ok("rm", "-af", "-t", "0")
    assert not place.exists()


def test_what_cannot_be_forwarded_is_refused_before_anything_is_made(host: Lan) -> None:
    for port, said in (("80/sctp", "can't forward protocol: sctp"), ("88:80", "ip_unprivileged_port_start=88")):
        refused = host("run", "--rm", "--network", "podman", "-p", port, host.image, "true")
        assert refused.code in (125, 126)
        assert said in refused.err
    assert host.ok("ps", "-aq") == ""
