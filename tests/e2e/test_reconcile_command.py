"""`network reconcile`: what harmed the network of running containers is told and mended, and they notice nothing."""

from __future__ import annotations

import fcntl
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest
from private_host import PrivateHost, host_needs

from sonata_testkit.containers import eventually

pytestmark = host_needs()
WEB = "echo web > /tmp/x; busybox nc -ll -p 7 -e cat & exec httpd -f -p 80 -h /tmp"
AARDVARK = "/run/containers/networks/aardvark-dns"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    with PrivateHost(str(tmp_path_factory.mktemp("reconcile"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("network", "create", "net")
        made.ok("run", "--rm", "--network", "net", made.image, "true")
        yield made


@pytest.fixture
def two(host: PrivateHost) -> Iterator[PrivateHost]:
    """A server with a published port, and another container of its network."""
    where = ["--network", "net", "--cgroup-parent", host.group]
    try:
        host.ok("run", "-d", "--name", "web", "-p", "18071:80", *where, host.image, "sh", "-c", WEB)
        host.ok("run", "-d", "--name", "peer", *where, host.image, "sleep", "999")
        assert eventually(lambda: fetch(host) == "web")
        yield host
    finally:
        host.ok("rm", "-f", "-t", "0", "-a")


def fetch(host: PrivateHost) -> str:
    program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:18071/x', timeout=5).read().decode())"
    return host.program(host.inside(sys.executable, "-I", "-c", program)).out.strip()


def resolved(host: PrivateHost, name: str) -> str:
    """What a container hears when it asks for a name."""
    return host("exec", "peer", "busybox", "nslookup", f"{name}.dns.podman").out


def address(host: PrivateHost, name: str = "web") -> str:
    return host.ok("inspect", "--format", "{{.NetworkSettings.Networks.net.IPAddress}}", name)


def shape(host: PrivateHost) -> list[list[str]]:
    """Rules, links, routes and the name server's files, of this host and as `web` sees its own."""
    path = host.ok("inspect", "--format", "{{.NetworkSettings.SandboxKey}}", "web")
    inside = host.inside("nsenter", f"--net={path}", "sh", "-c", "ip -4 -o address; ip route")
    rules = [line for line in host.lines("iptables-save") if line.startswith(("-A", "*"))]
    # Indices left out: an interface that is made again has another.
    links = [re.sub(r"@[^:]*|^\d+: ", "", line.split(" qdisc")[0]) for line in host.lines("ip", "-o", "link")]
    names = host.lines("sh", "-c", f"cat {AARDVARK}/net | sort")
    routes = [line.replace(" linkdown", "") for line in host.lines("ip", "route")]
    return [
        sorted(rules),
        sorted(links),
        routes,
        names,
        sorted(re.sub(r"^\d+: ", "", line) for line in host.program(inside).out.splitlines()),
    ]


class Talk:
    """A connection from one container to another, kept open while things are broken and mended."""

    def __init__(self, host: PrivateHost) -> None:
        words = ("exec", "-i", "peer", "busybox", "nc", address(host), "7")
        self._client = subprocess.Popen(host.argv(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.says("first")

    def says(self, word: str) -> None:
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(f"{word}\n".encode())
        self._client.stdin.flush()
        assert self._client.stdout.readline().decode().strip() == word

    def end(self) -> None:
        self._client.kill()
        self._client.communicate()


def within(host: PrivateHost, command: str) -> None:
    """Run a command in the network namespace of `web`, its interface in `$ETH`."""
    path = host.ok("inspect", "--format", "{{.NetworkSettings.SandboxKey}}", "web")
    host.program(host.inside("nsenter", f"--net={path}", "sh", "-c", command))


def on_host(host: PrivateHost, command: str) -> None:
    host.program(host.inside("sh", "-c", command))


HARMS = {
    "flushed": lambda host: on_host(host, "iptables -F; iptables -t nat -F"),
    "nothing left of the firewall": lambda host: on_host(host, "nft flush ruleset"),
    "no bridge": lambda host: on_host(host, "ip link delete podman1"),
    "no route": lambda host: within(host, "ip route delete default"),
    "no name server": lambda host: on_host(host, f"kill -9 $(cat {AARDVARK}/aardvark.pid)"),
    "no names": lambda host: on_host(host, f"rm {AARDVARK}/net; kill -HUP $(cat {AARDVARK}/aardvark.pid)"),
    "all at once": lambda host: on_host(
        host, f"nft flush ruleset; ip link delete podman1; rm {AARDVARK}/net; kill -9 $(cat {AARDVARK}/aardvark.pid)"
    ),
}

OUTER = "ip -o link show master podman1 | sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/'"
ON_HOST = {
    "no filter": "iptables -F",
    "no nat": "iptables -t nat -F",
    "no masquerading": "iptables -t nat -F POSTROUTING",
    "no published ports": "iptables -t nat -F PREROUTING; iptables -t nat -F OUTPUT",
    "no marks": "iptables -t nat -F NETAVARK-HOSTPORT-SETMARK; iptables -t nat -F NETAVARK-HOSTPORT-MASQ",
    "no forwarding of packets": "iptables -F NETAVARK_FORWARD",
    "no chain of the port": "iptables -t nat -F NETAVARK-HOSTPORT-DNAT; for one in $(iptables-save -t nat | sed -n "
    "'s/^:\\(NETAVARK-DN-[^ ]*\\).*/\\1/p'); do iptables -t nat -F $one; iptables -t nat -X $one; done",
    "one rule of many": "iptables -t nat -D NETAVARK-HOSTPORT-DNAT 1",
    "a firewall that was loaded anew": "nft flush ruleset; printf '*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n"
    ":OUTPUT ACCEPT\nCOMMIT\n*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n' | iptables-restore",
    "a bridge that is down": "ip link set podman1 down",
    "a bridge without address": "ip address flush dev podman1",
    "a bridge without ports": f"for one in $({OUTER}); do ip link set $one nomaster; done",
    "outer ends that are down": f"for one in $({OUTER}); do ip link set $one down; done",
    "outer ends that are gone": f"for one in $({OUTER}); do ip link delete $one; done",
    "no forwarding": "echo 0 > /proc/sys/net/ipv4/ip_forward",
    "no way for the loopback": "echo 0 > /proc/sys/net/ipv4/conf/podman1/route_localnet",
    "an empty file of names": f": > {AARDVARK}/net; kill -HUP $(cat {AARDVARK}/aardvark.pid)",
    "wrong addresses of names": f"sed -i 's/ 10[.]89[.]0[.]/ 10.99.0./' {AARDVARK}/net; "
    f"kill -HUP $(cat {AARDVARK}/aardvark.pid)",
    "no folder of names": f"kill -9 $(cat {AARDVARK}/aardvark.pid); rm -r {AARDVARK}",
    "no number of the name server": f"kill -9 $(cat {AARDVARK}/aardvark.pid); rm {AARDVARK}/aardvark.pid",
}
WITHIN = {
    "an interface that is down": "ip link set eth0 down",
    "an interface without address": "ip address flush dev eth0",
    "an interface that is gone": "ip link delete eth0",
    "no routes": "ip route flush table main",
}
MORE = [pytest.param(one, marks=pytest.mark.slow) for one in (*ON_HOST, *WITHIN)]


def harmed(host: PrivateHost, harm: str) -> None:
    if harm in HARMS:
        HARMS[harm](host)
    else:
        (on_host if harm in ON_HOST else within)(host, (ON_HOST | WITHIN)[harm])


"""The contract's clauses N-18 and N-19 go through the others."""


def test_nothing_wrong_is_told_by_silence(two: PrivateHost) -> None:
    before = shape(two)
    done = two("network", "reconcile", "--check")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert json.loads(two.ok("network", "reconcile", "--json")) == []
    assert shape(two) == before


@pytest.mark.parametrize("harm", [*HARMS, *MORE])
def test_harm_is_told_and_mended(two: PrivateHost, harm: str) -> None:
    before, talk = shape(two), Talk(two)
    pid = two.ok("inspect", "--format", "{{.State.Pid}}", "web")
    try:
        harmed(two, harm)
        looked = two("network", "reconcile", "--check", "--format", "json")
        assert looked.code == 1, looked
        assert {one["State"] for one in json.loads(looked.out)} == {"to be mended"}
        told = two("network", "reconcile", "--check")
        assert (told.code, told.err) == (1, "")
        mended = two("network", "reconcile")
        assert mended.code == 0, mended
        assert len(mended.out.splitlines()) == len(told.out.splitlines())
        assert two("network", "reconcile", "--check").code == 0
        assert two.ok("network", "reconcile") == ""
        assert eventually(lambda: fetch(two) == "web")
        assert eventually(lambda: address(two) in resolved(two, "web"))
        talk.says("second")
        assert two.ok("inspect", "--format", "{{.State.Pid}}", "web") == pid
    finally:
        talk.end()
    assert shape(two) == before


def test_an_interface_that_is_gone_is_made_again_alone(two: PrivateHost) -> None:
    mac = two.ok("inspect", "--format", "{{.NetworkSettings.Networks.net.MacAddress}}", "web")
    within(two, "ip link delete eth0")
    assert two("network", "reconcile", "--check", "peer").code == 0
    assert two("network", "reconcile", "--check", "web").code == 1
    assert "web" in two.ok("network", "reconcile", "web")
    assert eventually(lambda: fetch(two) == "web")
    assert two.ok("inspect", "--format", "{{.NetworkSettings.Networks.net.MacAddress}}", "web") == mac
    assert two("network", "reconcile", "--check").code == 0


def test_of_several_ways_out_that_of_the_first_network_is_first(two: PrivateHost) -> None:
    """Whichever was lost. Netavark 1.4 makes them in any order."""
    for name in ("first", "second"):
        two.ok("network", "create", "--ignore", "--ipv6", name)
    where = ("--network", "first", "--network", "second", "--cgroup-parent", two.group)
    two.ok("run", "-d", "--name", "both", *where, two.image, "sleep", "600")
    pid = two.ok("inspect", "--format", "{{.State.Pid}}", "both")

    def ways(family: str) -> list[str]:
        return two.lines("nsenter", "-t", pid, "-n", "ip", family, "route", "show", "default")

    try:
        four, six = sorted(ways("-4")), sorted(ways("-6"))
        assert (len(four), sum("nexthop" in line for line in six)) == (2, 2)
        for harm in ("link set eth0 down", "link delete eth0", "route flush default; ip -6 route flush default"):
            on_host(two, f"nsenter -t {pid} -n sh -c 'ip {harm}'")
            mended = two("network", "reconcile")
            assert (mended.code, mended.err) == (0, ""), harm
            assert "default via" in mended.out
            assert two("network", "reconcile", "--check").code == 0
            assert (ways("-4"), sorted(ways("-6"))) == (four, six), harm
            assert " eth0 " in four[0]
    finally:
        two.ok("rm", "-f", "-t", "0", "both")


def test_what_the_gone_have_left_is_taken_away(two: PrivateHost) -> None:
    """Rules, names and leases of a container that nobody knows."""
    ghost = "f" * 64
    chain = next(
        word for line in two.lines("iptables-save") for word in line.split() if word.startswith("NETAVARK-DN-")
    )
    rule = f'-p tcp --dport 18079 -m comment --comment "dnat name: net id: {ghost}" -j {chain}'
    on_host(two, f"iptables -t nat -A {chain} -p tcp --dport 18079 -j DNAT --to-destination 10.89.0.99:80")
    on_host(two, f"iptables -t nat -A NETAVARK-HOSTPORT-DNAT {rule}")
    on_host(two, f"echo '{ghost} 10.89.0.99  ghost' >> {AARDVARK}/net")
    found = json.loads(two("network", "reconcile", "--check", "--json").out)
    assert [(one["Problem"], one["Kind"]) for one in found] == [("stale", "rule")] * 2 + [("stale", "name")]
    assert two("network", "reconcile").code == 0
    assert two("network", "reconcile", "--check").code == 0
    assert not [line for line in two.lines("iptables-save") if "18079" in line]
    assert eventually(lambda: fetch(two) == "web")


def test_the_next_container_has_names_served_again(two: PrivateHost) -> None:
    HARMS["no name server"](two)
    two.ok("run", "-d", "--network", "net", "--cgroup-parent", two.group, two.image, "sleep", "99")
    # Netavark 1.4 does not wait until the server that it starts is ready.
    assert eventually(lambda: address(two) in resolved(two, "web"))
    assert two("network", "reconcile", "--check").code == 0


def test_what_another_command_is_cleaning_up_is_left_to_it(two: PrivateHost) -> None:
    """Ended, its monitor too, but somebody has its lock; afterwards it is found."""
    ident = two.ok(
        "run", "-d", "--network", "net", "--cgroup-parent", two.group, "-p", "18080:80", two.image, "sleep", "88"
    )
    with open(f"/proc/{two.pid}/root{two.run_root}/sonata/locks/{ident}", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pids = [str(pid) for pid, words in two.proc().items() if ident in words or words == "sleep 88"]
        on_host(two, f"kill -9 {' '.join(pids)}")
        assert eventually(lambda: not {str(pid) for pid in two.proc()} & set(pids))
        left = two("network", "reconcile", "--check")
        assert (left.code, left.out) == (0, "")
    found = json.loads(two("network", "reconcile", "--check", "--json").out)
    assert ("container", "ended, not cleaned up") in {(one["Kind"], one["What"]) for one in found}
    assert two("network", "reconcile").code == 0
    assert two("network", "reconcile", "--check").code == 0
    two.ok("rm", ident)


def test_leases_of_nobody_and_a_namespace_that_nobody_finds(two: PrivateHost) -> None:
    pin = two.ok("inspect", "--format", "{{.NetworkSettings.SandboxKey}}", "web")
    boot = two.rows("SELECT boot FROM lease")[0][0]
    state = sqlite3.connect(f"{two.graph}/sonata/state.db")
    with state:
        state.execute("INSERT INTO lease VALUES ('net', '10.89.0.77', ?, ?)", ("e" * 64, boot))
        state.execute("INSERT INTO port VALUES ('tcp', '', 18078, ?, ?)", ("e" * 64, boot))
        state.execute("DELETE FROM lease WHERE address = ?", (address(two),))
    state.close()
    on_host(two, f"umount {pin} && rm {pin}")
    looked = two("network", "reconcile", "--check", "--json")
    found = {(one["Problem"], one["Kind"], one["What"]) for one in json.loads(looked.out)}
    assert found >= {
        ("stale", "lease", "10.89.0.77"),
        ("stale", "port", "0.0.0.0:18078/tcp"),
        ("missing", "lease", address(two)),
        ("missing", "namespace", pin),
    }
    mended = two("network", "reconcile")
    assert mended.code == 0, mended
    assert two("network", "reconcile", "--check").code == 0
    assert "10.89.0.77" not in str(two.rows("SELECT address FROM lease"))
    assert eventually(lambda: fetch(two) == "web")


def test_a_name_that_is_none_is_refused(host: PrivateHost) -> None:
    done = host("network", "reconcile", "nosuch")
    assert done.code == 125
    assert "no container and no network with name or ID nosuch" in done.err
