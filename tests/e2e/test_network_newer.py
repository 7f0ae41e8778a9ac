"""What only newer releases of netavark can do: networks with the helpers of a folder that the environment names.

`SONATA_NEWER_HELPERS` is a folder with programs netavark and aardvark-dns of release 1.17 or later.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from network_host import NetworkHost
from private_host import host_needs

from sonata_testkit.containers import eventually

HELPERS = os.environ.get("SONATA_NEWER_HELPERS", "")
pytestmark = [*host_needs(), pytest.mark.skipif(not HELPERS, reason="needs SONATA_NEWER_HELPERS")]


@pytest.fixture(scope="module", params=["nftables", "iptables"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkHost]:
    base = tmp_path_factory.mktemp("newer")
    with NetworkHost(str(base)) as made:
        (base / "containers.conf").write_text(f'[network]\nfirewall_driver = "{request.param}"\n')
        made.helpers, made.conf = HELPERS, str(base / "containers.conf")
        made.lan()
        yield made


@pytest.fixture
def host(world: NetworkHost) -> Iterator[NetworkHost]:
    yield world
    world.clear()


def rules(host: NetworkHost) -> str:
    """Every rule of the host, whoever made it."""
    return "\n".join(
        (*host.lines("nft", "list", "ruleset"), *host.lines("iptables-save"), *host.lines("ip6tables-save"))
    )


def test_containers_reach_each_other_by_name_and_are_reached(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "--subnet", "fd71::/64", "one")
    host.sleeper("c", "--network", "one", "-p", "18091:80", "-p", "[::1]:18092:80")
    host.sleeper("d", "--network", "one")
    host.serve("c", 80, "hello")
    assert host.ask("198.51.100.1", 18091) == "hello"
    assert [f"{one}/24" for one in host.resolve("d", "c", "10.71.0.1")] == host.addresses("c")[:1]
    assert "18092" in rules(host)
    again = host("run", "--rm", "--network", "one", "-p", "18091:80", "--rootfs", host.rootfs, "true")
    assert again.code == 126
    host.ok("rm", "-f", "-t0", "c")
    assert host.ask("198.51.100.1", 18091).startswith("nobody")
    assert "18091" not in rules(host)
    host.ok("rm", "-f", "-t0", "d")
    assert "10.71.0" not in rules(host)


def test_connect_disconnect_reload_update(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "two")
    host.sleeper("c", "--network", "one", "-p", "18091:80")
    host.ok("network", "connect", "two", "c")
    assert set(host.links("c")) == {"eth0", "eth1"}
    host.ok("network", "disconnect", "two", "c")
    assert set(host.links("c")) == {"eth0"}
    host.serve("c", 80, "hello")
    host.lines("nft", "flush", "ruleset")
    assert host.ask("198.51.100.1", 18091).startswith("nobody")
    host.ok("network", "reload", "c")
    assert host.ask("198.51.100.1", 18091) == "hello"
    host.name_server("198.51.100.1", "192.0.2.7")
    host.ok("network", "update", "--dns-add", "198.51.100.1", "one")
    assert host.resolve("c", "elsewhere.example", "10.71.0.1") == ["192.0.2.7"]


def test_static_routes_and_no_default_route(host: NetworkHost) -> None:
    words = ("--route", "10.21.0.0/24,10.71.0.9,100", "-o", "no_default_route=true")
    host.ok("network", "create", "--subnet", "10.71.0.0/24", *words, "one")
    host.sleeper("c", "--network", "one")
    found = {one["dst"]: one for one in json.loads(host.within("c", "ip", "-j", "route"))}
    assert set(found) == {"10.71.0.0/24", "10.21.0.0/24"}
    assert (found["10.21.0.0/24"]["gateway"], found["10.21.0.0/24"]["metric"]) == ("10.71.0.9", 100)


def test_the_outer_end_has_a_name(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.sleeper("c", "--network", "one:host_interface_name=outer0")
    assert "outer0" in host.links_of_host()


def test_strict_isolation(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "-o", "isolate=strict", "strict")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "open")
    host.sleeper("c", "--network", "strict")
    host.sleeper("d", "--network", "open", "--ip", "10.72.0.5")
    host.serve("d", 80, "open")
    assert host.ask("10.72.0.5", 80) == "open"
    assert host.ask("10.72.0.5", 80, "c").startswith("nobody")


def test_a_bridge_of_the_hosts_is_used_as_it_is(host: NetworkHost) -> None:
    words = ("-o", "mode=unmanaged", "--interface-name", "lan0", "--subnet", "198.51.100.0/24")
    host.ok("network", "create", *words, "lan")
    host.sleeper("c", "--network", "lan:ip=198.51.100.77")
    host.serve("c", 80, "hello")
    assert host.ask("198.51.100.77", 80) == "hello"
    host.ok("rm", "-f", "-t0", "c")
    assert "lan0" in host.links_of_host()


def test_macvlan_without_the_proxy_of_dhcp_says_so(host: NetworkHost) -> None:
    host.ok("network", "create", "-d", "macvlan", "-o", "parent=lan0", "-o", "bclim=5", "mac")
    assert host.definition("mac")["ipam_options"] == {"driver": "dhcp"}
    done = host("run", "--rm", "--network", "mac", "--rootfs", host.rootfs, "true")
    assert done.code == 127  # Podman's, for "no such file"
    assert "is the netavark-dhcp-proxy.socket unit enabled?" in done.err
    assert host.links_of_host() == {"lo", "lan0"}


def test_what_the_kernel_lacks_is_the_helpers_word(host: NetworkHost) -> None:
    host.ok("network", "create", "-o", "vrf=blue", "--subnet", "10.71.0.0/24", "vrf")
    host.ok(
        "network", "create", "-d", "ipvlan", "-o", "parent=lan0", "-o", "mode=l3", "--subnet", "198.51.100.0/24", "ip"
    )
    assert host.definition("vrf")["options"] == {"vrf": "blue"}
    done = host("run", "--rm", "--network", "vrf", "--rootfs", host.rootfs, "true")
    assert (done.code, done.err.startswith("Error: netavark: ")) == (126, True)
    done = host("run", "--rm", "--network", "ip", "--rootfs", host.rootfs, "true")
    assert done.code == 0 or done.err.startswith("Error: netavark: ")


def test_the_environment_chooses_the_firewall(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    conf = host.conf
    try:
        for driver, found in (("nftables", True), ("none", False)):
            host.conf, host.firewall = "/dev/null", driver
            host.sleeper("c", "--network", "one")
            assert ("10.71.0.0" in "\n".join(host.lines("nft", "list", "table", "inet", "netavark"))) is found
            host.ok("rm", "-f", "-t0", "c")
    finally:
        host.conf, host.firewall = conf, ""


UDHCPD = """start 198.51.100.100
end 198.51.100.110
interface served
option subnet 255.255.255.0
option router 198.51.100.2
lease_file /run/leases
pidfile /run/udhcpd.pid
"""


@pytest.fixture
def dhcp(host: NetworkHost) -> Iterator[NetworkHost]:
    """A server of addresses on the host's link, and netavark's proxy of its clients."""
    Path(f"/proc/{host.pid}/root/run/udhcpd.conf").write_text(UDHCPD)
    for words in (
        "touch /run/leases",
        "mkdir -p /run/podman",
        "ip netns add server",
        "ip link add served netns server type veth peer name serving",
        "ip link set serving master lan0 up",
        "ip -n server addr add 198.51.100.2/24 dev served",
        "ip -n server link set served up",
    ):
        host.lines(*words.split())
    for words in (
        "ip netns exec server busybox udhcpd -f /run/udhcpd.conf",
        f"{HELPERS}/netavark dhcp-proxy --dir /run/podman --uds /run/podman/nv-proxy.sock",
    ):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(host.inside("setsid", "--fork", *words.split()), **quiet).wait(30)
    assert eventually(lambda: "nv-proxy.sock" in host.listed("/run/podman"))
    assert eventually(lambda: "udhcpd.pid" in host.listed("/run"))
    yield host
    host("rm", "-fa", "-t0")
    for number, line in host.proc().items():
        if "udhcpd" in line or "dhcp-proxy" in line:
            host.lines("kill", "-9", str(number))
    host.lines("ip", "netns", "del", "server")
    host.lines("ip", "link", "del", "serving")
    host.lines("rm", "-rf", "/run/podman/nv-proxy.sock", "/run/udhcpd.pid")


def test_addresses_by_dhcp(dhcp: NetworkHost) -> None:
    dhcp.ok("network", "create", "-d", "macvlan", "-o", "parent=lan0", "mac")
    dhcp.sleeper("c", "--network", "mac")
    (address,) = dhcp.addresses("c")
    assert address.startswith("198.51.100.1")
    assert address.endswith("/24")
    (default,) = json.loads(dhcp.within("c", "ip", "-j", "route", "show", "default"))
    assert default["gateway"] == "198.51.100.2"
    shown = json.loads(dhcp.ok("inspect", "-f", "{{json .NetworkSettings.Networks}}", "c"))["mac"]
    assert f"{shown['IPAddress']}/{shown['IPPrefixLen']}" == address
    words = ("-o", "mode=unmanaged", "--ipam-driver", "dhcp", "--interface-name", "lan0")
    dhcp.ok("network", "create", *words, "lan")
    dhcp.sleeper("d", "--network", "lan")
    assert dhcp.addresses("d")[0].startswith("198.51.100.1")
