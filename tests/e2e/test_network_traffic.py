"""What networks let through and what they do not, shown by traffic: of root's containers, with each firewall driver."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from network_host import NetworkHost
from private_host import host_needs
from traffic import CLIENT, CLIENT6, FAR, HOST, LAN, LAN6, Traffic

from sonata_testkit.containers import eventually

HELPERS = os.environ.get("SONATA_NEWER_HELPERS", "")
pytestmark = host_needs()
newer = pytest.mark.skipif(not HELPERS, reason="needs SONATA_NEWER_HELPERS")
WORLDS = ["installed", pytest.param("nftables", marks=newer), pytest.param("iptables", marks=newer)]
NARROW = """
import socket, sys
made = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
made.settimeout(0.5)
six = made.family == socket.AF_INET6
level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
made.setsockopt(level, 23 if six else 10, 2)  # IP_MTU_DISCOVER: never in pieces
made.connect((sys.argv[1], 80))
for _ in range(20):
    try:
        made.send(b"." * int(sys.argv[2]))
        made.recv(1 << 16)
        print("whole")
        break
    except TimeoutError:
        continue
    except OSError as error:
        print(error.strerror, made.getsockopt(level, 24 if six else 14))  # IP_MTU
        break
"""


@pytest.fixture(scope="module", params=WORLDS)
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    base = tmp_path_factory.mktemp("traffic")
    with NetworkHost(str(base)) as host:
        if request.param != "installed":
            (base / "containers.conf").write_text(f'[network]\nfirewall_driver = "{request.param}"\n')
            host.helpers, host.conf = HELPERS, str(base / "containers.conf")
        host.lan()
        made = Traffic(host)
        made.plug()
        made.run(FAR, "ip", "route", "add", "default", "via", LAN)
        made.run(FAR, "ip", "-6", "route", "add", "default", "via", LAN6)
        yield made
        made.unplug()


@pytest.fixture(autouse=True)
def nothing_stays(net: Traffic) -> Iterator[None]:
    yield
    net.silence()
    world(net).clear()


def world(net: Traffic) -> NetworkHost:
    assert isinstance(net.host, NetworkHost)
    return net.host


def network(net: Traffic, name: str, number: int, *words: str) -> None:
    """A network with a subnet of each family by its number."""
    six = f"fd{number}::/64"
    net.host.ok("network", "create", "--subnet", f"10.{number}.0.0/24", "--subnet", six, *words, name)


def serving(net: Traffic, name: str, *words: str) -> None:
    """A container that answers at port 80."""
    world(net).sleeper(name, *words)
    net.serve(name, 80)


@pytest.mark.slow
def test_isolated_networks(net: Traffic) -> None:
    """Two of them and an open one: neither directly nor by a published port do the two reach each other."""
    for name, number, isolate in (("a", 81, "true"), ("b", 82, "true"), ("open", 83, "false")):
        network(net, name, number, "-o", f"isolate={isolate}")
        serving(net, f"in-{name}", "--network", f"{name}:ip=10.{number}.0.5,ip6=fd{number}::5", "-p", f"180{number}:80")
    world(net).sleeper("peer", "--network", "a")
    world(net).sleeper("both", "--network", "a", "--network", "b")
    for address in ("10.82.0.5", "fd82::5"):
        assert net.misses("in-a", address, 80), address
    assert net.misses("in-b", "10.81.0.5", 80)
    assert net.misses("in-a", LAN, 18082)
    for place, address in (("in-a", "10.83.0.5"), ("in-a", "fd83::5"), ("in-open", "10.81.0.5")):
        assert net.reaches(place, address, 80), (place, address)
    for place, address in (("peer", "10.81.0.5"), ("both", "10.81.0.5"), ("both", "10.82.0.5"), (HOST, "10.82.0.5")):
        assert net.reaches(place, address, 80), (place, address)
    assert net.asked("in-a", LAN, 18083)
    assert [net.asked(FAR, LAN, 18000 + number) for number in (81, 82)] == [f"{CLIENT}:80"] * 2


@pytest.mark.slow
def test_strict_isolation_is_from_all_others(net: Traffic) -> None:
    if not world(net).helpers:
        pytest.skip("netavark 1.4 has no strict isolation")
    for name, number, isolate in (("a", 81, "strict"), ("b", 82, "true"), ("open", 83, "false")):
        network(net, name, number, "-o", f"isolate={isolate}")
        serving(net, f"in-{name}", "--network", f"{name}:ip=10.{number}.0.5", "-p", f"180{number}:80")
    for other in ("10.82.0.5", "10.83.0.5"):
        assert net.misses("in-a", other, 80), other
    assert net.misses("in-a", LAN, 18083)
    assert net.misses("in-b", "10.81.0.5", 80)
    assert net.asked(HOST, "10.81.0.5", 80)
    assert net.asked(FAR, LAN, 18081) == f"{CLIENT}:80"
    net.serve(FAR, 80)
    assert net.asked("in-a", CLIENT, 80) == f"{LAN}:80"


@pytest.mark.slow
def test_an_internal_network(net: Traffic) -> None:
    """Neighbours and the host are reached, nobody beyond, not even by a way that the container makes itself."""
    network(net, "inner", 81, "--internal")
    network(net, "outer", 82)
    serving(net, "in", "--network", "inner:ip=10.81.0.5,ip6=fd81::5")
    serving(net, "out", "--network", "outer:ip=10.82.0.5")
    world(net).sleeper("peer", "--network", "inner")
    net.serve(FAR, 80)
    for address in ("10.81.0.5", "fd81::5"):
        assert net.reaches("peer", address, 80), address
        assert net.misses(FAR, address, 80), address
    assert net.reaches(HOST, "10.81.0.5", 80)
    for address in (CLIENT, CLIENT6, "10.82.0.5"):
        assert net.misses("in", address, 80), address
    assert net.misses("out", "10.81.0.5", 80)
    assert net.reaches("out", CLIENT, 80)


def test_mtu(net: Traffic) -> None:
    """What is greater than a link is sent in pieces, or refused with the size that fits; a narrow way is found out."""
    network(net, "narrow", 81, "-o", "mtu=1300")
    network(net, "wide", 82)
    serving(net, "a", "--network", "narrow:ip=10.81.0.5")
    world(net).sleeper("b", "--network", "narrow")
    world(net).sleeper("c", "--network", "wide")
    net.serve(FAR, 80)

    def whole(place: str, address: str, size: int) -> str:
        return net.run(place, sys.executable, "-I", "-c", NARROW, address, str(size))

    assert whole("b", "10.81.0.5", 1300 - 28 - 1) == "whole"
    assert whole("b", "10.81.0.5", 1300 - 28 + 1) == "Message too long 1300"
    assert net.asked("b", "10.81.0.5", 80, "DGRAM", size=4000) != ""
    assert net.asked("b", CLIENT, 80, size=300_000) == net.asked("b", CLIENT, 80, "DGRAM", size=4000) == f"{LAN}:80"
    assert net.asked(FAR, "10.81.0.5", 80, "DGRAM", size=4000) == f"{CLIENT}:80"
    assert whole("c", CLIENT, 1400) == "whole"
    for place, link in ((HOST, "c0"), (HOST, "lan0"), (FAR, "c1")):
        net.run(place, "ip", "link", "set", link, "mtu", "1290")
    try:
        assert whole("c", CLIENT, 1400) == "Message too long 1290"
        assert whole("c", CLIENT6, 1400) == "Message too long 1290"
        assert net.asked("c", CLIENT, 80, size=300_000) == net.asked("c", CLIENT, 80, "DGRAM", size=4000) != ""
    finally:
        for place, link in ((HOST, "c0"), (HOST, "lan0"), (FAR, "c1")):
            net.run(place, "ip", "link", "set", link, "mtu", "1500")


@pytest.mark.parametrize(
    "mode", ["bridge", *(pytest.param(one, marks=pytest.mark.slow) for one in ("private", "vepa", "passthru"))]
)
def test_macvlan(net: Traffic, mode: str) -> None:
    """The network's other machines are neighbours; containers of one parent only where the mode has it so."""
    net.run(HOST, "sh", "-c", "ip link add mv0 type veth peer name mv1; ip link set mv1 master lan0 up")
    net.run(HOST, "ip", "link", "set", "mv0", "up")
    try:
        words = ("-d", "macvlan", "-o", "parent=mv0", "-o", f"mode={mode}", "--subnet", "198.51.100.0/24")
        net.host.ok("network", "create", *words, "--gateway", LAN, "mac")
        serving(net, "one", "--network", "mac:ip=198.51.100.71,mac=02:00:5e:00:53:71")
        net.serve(FAR, 80)
        assert net.reaches(FAR, "198.51.100.71", 80)
        assert net.asked("one", CLIENT, 80) == "198.51.100.71:80"
        assert "02:00:5e:00:53:71" in net.run(FAR, "ip", "neigh", "show", "198.51.100.71") or mode == "passthru"
        second = ("--rootfs", net.host.rootfs, "sleep", "1000")
        done = net.host("run", "-d", "--name", "two", "--network", "mac:ip=198.51.100.72", *second)
        if mode == "passthru":  # the parent is the first one's alone
            assert done.code != 0, done
            return
        assert done.code == 0, done
        assert net.reaches("two", CLIENT, 80)
        assert (net.reaches if mode == "bridge" else net.misses)("two", "198.51.100.71", 80)
        # A switch that sends frames back where they came from brings neighbours of `vepa` together.
        net.run(HOST, "bridge", "link", "set", "dev", "mv1", "hairpin", "on")
        if mode == "private":
            assert net.misses("two", "198.51.100.71", 80)
        else:
            assert eventually(lambda: net.reaches("two", "198.51.100.71", 80))
    finally:
        world(net).clear()
        net.run(HOST, "ip", "link", "del", "mv0")


@pytest.mark.slow
def test_the_way_out_is_that_of_the_least_metric(net: Traffic) -> None:
    network(net, "near", 81, "-o", "metric=50")
    network(net, "far", 82, "-o", "metric=200")
    net.serve(HOST, 80)
    for name, networks in (("c", ("near", "far")), ("d", ("far", "near"))):
        world(net).sleeper(name, *(word for one in networks for word in ("--network", one)))
        assert net.asked(name, LAN, 80).startswith("10.81.0."), name
        assert net.asked(name, LAN6, 80).startswith("fd81::"), name
    net.host.ok("network", "disconnect", "near", "c")
    assert net.asked("c", LAN, 80).startswith("10.82.0.")


@pytest.mark.slow
def test_static_routes_and_networks_without_a_way_out(net: Traffic) -> None:
    if not world(net).helpers:
        pytest.skip("netavark 1.4 has no static routes")
    ways = ("--route", "203.0.113.0/24,10.81.0.9", "--route", "fd99::/64,fd81::9", "-o", "no_default_route=true")
    network(net, "routed", 81, *ways)
    network(net, "other", 82)
    serving(net, "router", "--network", "routed")
    for address in ("10.81.0.9/24", "203.0.113.7/24", "fd81::9/64", "fd99::7/64"):
        net.run("router", "ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    # Where br_netfilter sees frames of one bridge, netavark's masquerading takes this for a way out.
    net.run(HOST, "sh", "-c", "for one in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do echo 0 > $one; done")
    world(net).sleeper("c", "--network", "routed:ip=10.81.0.5")
    net.serve(FAR, 80)
    assert net.asked("c", "203.0.113.7", 80) == "10.81.0.5:80"
    assert net.asked("c", "fd99::7", 80).startswith("fd81::")
    assert net.misses("c", CLIENT, 80)
    world(net).sleeper("d", "--network", "other", "--network", "routed")
    assert net.asked("d", CLIENT, 80) == f"{LAN}:80"
    assert net.asked("d", "203.0.113.7", 80).startswith("10.81.0.")


@pytest.mark.slow
def test_several_subnets_of_both_families(net: Traffic) -> None:
    subnets = ("10.81.0.0/24", "10.82.0.0/24", "fd81::/64")
    net.host.ok("network", "create", *(word for one in subnets for word in ("--subnet", one)), "wide")
    serving(net, "c", "--network", "wide")
    world(net).sleeper("d", "--network", "wide")
    net.serve(FAR, 80)
    first, second, six = (one.partition("/")[0] for one in world(net).addresses("c"))
    for address in (first, second, six):
        assert net.reaches("d", address, 80), address
    assert net.asked("c", CLIENT, 80) == f"{LAN}:80"
    assert net.asked("c", CLIENT6, 80) == f"{LAN6}:80"


@pytest.mark.slow
def test_addresses_that_are_asked_for(net: Traffic) -> None:
    network(net, "n", 81)
    net.host.ok("network", "create", "--subnet", "10.83.0.0/24", "--ip-range", "10.83.0.64/26", "ranged")
    words = ("--ip", "10.81.0.77", "--ip6", "fd81::77", "--mac-address", "02:00:5e:00:53:77")
    serving(net, "c", "--network", "n", *words)
    world(net).sleeper("d", "--network", "n")
    net.serve("d", 80)
    assert net.asked("c", world(net).addresses("d")[0].partition("/")[0], 80) == "10.81.0.77:80"
    for address in ("10.81.0.77", "fd81::77"):
        assert net.reaches("d", address, 80)
        assert "02:00:5e:00:53:77" in net.run("d", "ip", "neigh", "show", address)
    serving(net, "e", "--network", "ranged")
    assert net.reaches(HOST, "10.83.0.65", 80)
    taken = net.host("run", "--rm", "--network", "n", "--ip", "10.81.0.77", "--rootfs", net.host.rootfs, "true")
    assert taken.code == 126, taken
    assert "10.81.0.77" in taken.err


@pytest.mark.slow
def test_networks_come_and_go_while_it_runs(net: Traffic) -> None:
    """What is connected is reached at once, what is disconnected no more; talk on the other network goes on."""
    network(net, "one", 81, "-o", "isolate=true")
    network(net, "two", 82, "-o", "isolate=true")
    serving(net, "c", "--network", "one:ip=10.81.0.5", "-p", "18081:80")
    world(net).sleeper("d", "--network", "two")
    assert net.misses("d", "10.81.0.5", 80)
    net.host.ok("network", "connect", "--ip", "10.82.0.5", "--ip6", "fd82::5", "two", "c")
    for address in ("10.82.0.5", "fd82::5"):
        assert net.reaches("d", address, 80), address
    assert net.misses("d", "10.81.0.5", 80)
    assert net.asked(FAR, LAN, 18081) == f"{CLIENT}:80"
    net.host.ok("network", "disconnect", "one", "c")
    assert net.misses(HOST, "10.81.0.5", 80)
    assert net.reaches("d", "10.82.0.5", 80)
    # Ports are the container's, not the network's.
    assert net.asked(FAR, LAN, 18081) == f"{CLIENT}:80"
    net.host.ok("network", "disconnect", "two", "c")
    assert net.misses("d", "10.82.0.5", 80)
    assert net.misses(FAR, LAN, 18081)


@pytest.mark.slow
def test_the_host_has_a_name(net: Traffic) -> None:
    network(net, "n", 81)
    world(net).sleeper("c", "--network", "n")
    net.serve(HOST, 80)
    lines = net.host.ok("exec", "c", "cat", "/etc/hosts").splitlines()
    address = next(line.split()[0] for line in lines if "host.containers.internal" in line)
    assert net.asked("c", address, 80).startswith("10.81.0.")


def test_published_ports_and_as_whom_they_show_clients(net: Traffic) -> None:
    """From another machine, from the host, from itself and its neighbours; what was not published is not reached."""
    network(net, "n", 81)
    ports = ("-p", "18080:80", "-p", "18080:80/udp", "-p", "18090-18092:90-92", "-p", "127.0.0.1:18099:99")
    world(net).sleeper("c", "--network", "n", *ports, "-p", f"{LAN}:18098:98", "-p", "18097:97/udp")
    net.run(HOST, "ip", "address", "add", "198.51.100.2/24", "dev", "lan0")
    net.serve("c", 80, 90, 91, 92, 97, 98, 99)
    world(net).sleeper("d", "--network", "n")
    try:
        for address, client in ((LAN, CLIENT), ("198.51.100.2", CLIENT), (LAN6, CLIENT6)):
            for kind in ("STREAM", "DGRAM"):
                assert net.asked(FAR, address, 18080, kind) == f"{client}:80", (address, kind)
        for number in (90, 91, 92):
            assert net.asked(FAR, LAN, 18000 + number) == f"{CLIENT}:{number}"
        for address in (LAN, LAN6):  # by the host and back to its own network
            assert net.asked("d", address, 18080).endswith("::1:80" if ":" in address else "10.81.0.1:80")
        assert net.asked(HOST, "127.0.0.1", 18080) == "10.81.0.1:80"
        assert net.asked(HOST, "127.0.0.1", 18099) == "10.81.0.1:99"
        assert net.asked(HOST, LAN, 18080).endswith(":80")
        assert net.asked(FAR, LAN, 18098) == f"{CLIENT}:98"
        assert net.asked(FAR, LAN, 18097, "DGRAM") == f"{CLIENT}:97"
        for place, address, port, kind in (
            (FAR, LAN, 18099, "STREAM"),  # of the loopback
            (HOST, LAN, 18099, "STREAM"),
            (FAR, "198.51.100.2", 18098, "STREAM"),  # of one address
            (FAR, LAN, 18097, "STREAM"),  # of the other protocol
            (FAR, LAN, 18093, "STREAM"),  # behind the range
            (FAR, LAN, 80, "STREAM"),
        ):
            assert net.asked(place, address, port, kind, wait=1) == "", (place, address, port, kind)
    finally:
        net.run(HOST, "ip", "address", "del", "198.51.100.2/24", "dev", "lan0")
    net.host.ok("stop", "-t0", "c")
    assert net.misses(FAR, LAN, 18080)


def test_ports_of_one_family(net: Traffic) -> None:
    network(net, "n", 81)
    asked = ("-p", "[::]:18080:80", "-p", "0.0.0.0:18081:81", "-p", f"[{LAN6}]:18082:82")
    if not world(net).helpers:
        done = net.host("run", "--rm", "--network", "n", *asked, "--rootfs", net.host.rootfs, "true")
        assert done.code == 126, done
        assert "a port published on [::], of IPv6 alone: netavark 1.4" in done.err
        assert "[::]" not in "".join(net.host.lines("ip6tables-save"))
        asked = asked[2:]
    world(net).sleeper("c", "--network", "n", *asked)
    net.serve("c", 80, 81, 82)
    assert net.asked(FAR, LAN, 18081) == f"{CLIENT}:81"
    assert net.asked(FAR, LAN6, 18081) == f"{CLIENT6}:81"  # as with Podman: every address of the host
    assert net.asked(FAR, LAN6, 18082) == f"{CLIENT6}:82"
    assert net.asked(FAR, LAN, 18082, wait=1) == ""
    if world(net).helpers:
        assert net.asked(FAR, LAN6, 18080) == f"{CLIENT6}:80"
        assert net.asked(FAR, LAN, 18080, wait=1) == ""
