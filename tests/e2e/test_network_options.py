"""Every option of `network create`, by what it does to a container, and what the installed helper lacks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from network_host import CONFIG, NetworkHost
from private_host import host_needs

pytestmark = host_needs()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkHost]:
    with NetworkHost(str(tmp_path_factory.mktemp("options"))) as made:
        made.lan()
        yield made


@pytest.fixture
def host(world: NetworkHost) -> Iterator[NetworkHost]:
    yield world
    world.clear()


def test_names_are_served_unless_told_not_to_and_forwarded_where_told(host: NetworkHost) -> None:
    host.name_server("198.51.100.1", "192.0.2.7")
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "--dns", "198.51.100.1", "named")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "--disable-dns", "plain")
    host.sleeper("c", "--network", "named")
    host.sleeper("d", "--network", "plain")
    assert host.resolve("c", "elsewhere.example", "10.71.0.1") == ["192.0.2.7"]
    assert "nameserver 10.71.0.1" in host.ok("exec", "c", "cat", "/etc/resolv.conf")
    assert "nameserver 10.72.0.1" not in host.ok("exec", "d", "cat", "/etc/resolv.conf")
    assert host.listed(f"{host.run_root}/networks/aardvark-dns") == ["aardvark.pid", "named"]


def test_an_internal_network_leads_nowhere(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "--internal", "inner")
    host.sleeper("c", "--network", "inner")
    assert [one["dst"] for one in json.loads(host.within("c", "ip", "-j", "route"))] == ["10.71.0.0/24"]
    assert not any("10.71.0.0" in line for line in host.lines("iptables-save"))


def test_ranges_bound_what_is_given_away_and_end(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "--ip-range", "10.71.0.128/30", "cidr")
    words = ("--subnet", "10.72.0.0/24", "--gateway", "10.72.0.9", "--ip-range", "10.72.0.8-10.72.0.10")
    host.ok("network", "create", *words, "ends")
    host.sleeper("a", "--network", "cidr")
    assert host.addresses("a") == ["10.71.0.129/24"]
    for name, address in (("b", "10.72.0.8/24"), ("c", "10.72.0.10/24")):
        host.sleeper(name, "--network", "ends")
        assert host.addresses(name) == [address]
    full = host("run", "--rm", "--network", "ends", "--rootfs", host.rootfs, "true")
    assert full.code == 126, full
    assert full.err.splitlines()[0] == "Error: IPAM error: failed to find free IP in range: 10.72.0.8 - 10.72.0.10"


def test_the_bridges_name_and_the_drivers_options(host: NetworkHost) -> None:
    words = ("--interface-name", "mybr", "--opt", "mtu=1400", "--opt", "metric=200")
    host.ok("network", "create", "--subnet", "10.71.0.0/24", *words, "one")
    host.ok(
        "network",
        "create",
        "-o",
        "com.docker.network.bridge.name=dbr",
        "-o",
        "com.docker.network.driver.mtu=1300",
        "two",
    )
    host.sleeper("c", "--network", "one")
    host.sleeper("d", "--network", "two")
    assert (host.links("c")["eth0"]["mtu"], host.links("d")["eth0"]["mtu"]) == (1400, 1300)
    links = {one["ifname"]: one for one in json.loads("".join(host.lines("ip", "-j", "link")))}
    assert (links["mybr"]["mtu"], links["dbr"]["mtu"]) == (1400, 1300)
    (default,) = json.loads(host.within("c", "ip", "-j", "route", "show", "default"))
    assert default["metric"] == 200


def test_isolated_networks_do_not_reach_each_other(host: NetworkHost) -> None:
    for number, isolate in enumerate(("true", "true", "false")):
        host.ok("network", "create", "--subnet", f"10.7{number}.0.0/24", "-o", f"isolate={isolate}", f"n{number}")
        host.sleeper(f"c{number}", "--network", f"n{number}", "--ip", f"10.7{number}.0.5")
    host.serve("c1", 80, "isolated")
    host.serve("c2", 80, "open")
    assert host.ask("10.72.0.5", 80, "c0") == "open"
    assert host.ask("10.71.0.5", 80, "c0").startswith("nobody")
    assert host.ask("10.71.0.5", 80) == "isolated"


def test_macvlan_lies_on_a_link_of_the_host(host: NetworkHost) -> None:
    host.ok(
        "network",
        "create",
        "-d",
        "macvlan",
        "-o",
        "parent=lan0",
        "-o",
        "mode=vepa",
        "--subnet",
        "198.51.100.0/24",
        "mac",
    )
    host.sleeper("c", "--network", "mac:ip=198.51.100.77")
    link = host.links("c")["eth0"]
    assert link["linkinfo"]["info_kind"] == "macvlan"
    assert link["linkinfo"]["info_data"]["mode"] == "vepa"
    assert host.addresses("c") == ["198.51.100.77/24"]
    gone = host("network", "create", "-d", "macvlan", "-o", "parent=nosuch")
    assert (gone.code, gone.err.splitlines()[0]) == (125, "Error: parent interface nosuch does not exist")


def test_without_addresses_there_is_an_interface_alone(host: NetworkHost) -> None:
    host.ok("network", "create", "--ipam-driver", "none", "bare")
    host.sleeper("c", "--network", "bare")
    assert host.addresses("c") == []
    assert "subnets" not in host.definition("bare")


def test_both_families_and_several_subnets(host: NetworkHost) -> None:
    words = ("--subnet", "10.71.0.0/24", "--subnet", "10.72.0.0/24", "--subnet", "fd71::/64", "--gateway", "10.71.0.7")
    host.ok("network", "create", *words, "wide")
    host.sleeper("c", "--network", "wide", "-p", "[::1]:18092:80", "-p", "18093-18094:80-81")
    assert host.addresses("c") == ["10.71.0.1/24", "10.72.0.2/24", "fd71::2/64"]
    assert {one["gateway"] for one in json.loads(host.within("c", "ip", "-j", "route", "show", "default"))} >= {
        "10.71.0.7"
    }
    (six,) = json.loads(host.within("c", "ip", "-6", "-j", "route", "show", "default"))
    assert six["gateway"] == "fd71::1"
    host.serve("c", 80, "six", "v6")
    host.serve("c", 81, "second")
    assert host.ask("198.51.100.1", 18094) == "second"
    assert any("18092" in line and "fd71::2" in line for line in host.lines("ip6tables-save", "-t", "nat"))


def test_ls_shows_whole_ids_and_filters(host: NetworkHost) -> None:
    host.ok("network", "create", "--label", "a=b", "--label", "c", "one")
    host.ok("network", "create", "-d", "macvlan", "--subnet", "198.51.100.0/24", "two")
    ident = host.definition("one")["id"]
    assert host.ok("network", "ls", "--no-trunc", "-n", "-f", "name=one").split() == [ident, "one", "bridge"]
    assert host.ok("network", "ls", "-n", "-f", "name=one").split()[0] == ident[:12]
    for filters, found in (
        (("driver=macvlan",), ["two"]),
        (("label=a=b",), ["one"]),
        (("label=a=b", "label=d"), []),
        (("label!=c",), ["podman", "two"]),
        (("name=^t", "name=^o"), ["one", "two"]),
        (("name=one", "driver=macvlan"), []),
        ((f"id={ident[:9]}",), ["one"]),
        (("dangling=true",), ["one", "two"]),
        (("until=1h",), ["podman"]),
    ):
        words = [word for one in filters for word in ("--filter", one)]
        assert host.ok("network", "ls", "-q", *words).split() == found, filters
    assert host.ok("network", "ls", "-q", "--format", "json", "-f", "name=one") == "one"
    for text, said in (
        ("foo=bar", 'invalid filter "foo"'),
        ("name", "filter input must be in the form of filter=value: name is invalid"),
        ("dangling=foo", 'invalid dangling filter value "foo"'),
        ("until=foo", 'failed to parse value as time or duration: "foo"'),
    ):
        done = host("network", "ls", "--filter", text)
        assert (done.code, done.err.splitlines()[0]) == (125, f"Error: {said}")


LACKING = (
    (("-d", "ipvlan", "--subnet", "10.71.0.0/24"), "network driver ipvlan", "1.5"),
    (("-d", "macvlan"), "addresses by DHCP", "1.6"),
    (("--route", "10.21.0.0/24,10.71.0.9,100"), "static routes", "1.7"),
    (("-o", "no_default_route=true"), "network option no_default_route", "1.7"),
    (("-o", "isolate=strict"), "network option isolate=strict", "1.7"),
    (("-d", "macvlan", "-o", "bclim=5", "--subnet", "198.51.100.0/24"), "network option bclim", "1.7"),
    (("-o", "vrf=blue"), "network option vrf", "1.8"),
    (("-o", "vlan=5"), "network option vlan", "1.14"),
    (("--ipam-driver", "dhcp"), "addresses by DHCP on a bridge", "1.14"),
    (("-o", "mode=unmanaged", "--interface-name", "lan0"), "network option mode=unmanaged", "1.14"),
)


@pytest.mark.parametrize(("words", "what", "since"), LACKING, ids=[one[1].split()[-1] for one in LACKING])
def test_what_the_helper_lacks_is_refused_with_the_release_that_has_it(
    host: NetworkHost, words: tuple[str, ...], what: str, since: str
) -> None:
    if not re.match(r"1\.4\.", json.loads("".join(host.lines("/usr/lib/podman/netavark", "version")))["version"]):
        pytest.skip("netavark here is not the release 1.4")
    done = host("network", "create", *words, "never")
    said = f"Error: {what}: netavark 1.4.0 (/usr/lib/podman/netavark) does not have it, {since} and later do"
    assert (done.code, done.err.splitlines()[0]) == (125, said)
    assert f"install netavark {since} or later" in done.err
    assert host("network", "exists", "never").code == 1


def test_a_port_that_is_taken_is_found_before_anything_is_made(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.sleeper("c", "--network", "one", "-p", "18095:80", "-p", "18097:81/udp")
    rules = host.lines("iptables-save", "-t", "nat")
    for port in ("18095:80", "18090-18099:90-99", "18097:1/udp"):
        done = host("run", "-d", "--network", "one", "-p", port, "--rootfs", host.rootfs, "sleep", "1000")
        assert done.code == 126, (port, done)
        assert re.search(r"address already in use|already allocated|rootlessport", done.err), (port, done.err)
    assert [one for one in host.lines("iptables-save", "-t", "nat") if one.startswith("-A")] == [
        one for one in rules if one.startswith("-A")
    ]
    assert len(host.listed("/run/netns")) == 1


def podman(host: NetworkHost, *words: str) -> str:
    """What Podman says, on this host, with the same folder of networks."""
    where = ("--root", f"{host.base}/podman", "--runroot", "/run/podman", "--network-config-dir", CONFIG)
    done = host.program(host.inside("podman", *where, *words))
    assert done.code == 0, (words, done)
    return done.out


@pytest.mark.needs_peer("podman")
def test_podman_and_sonata_see_each_others_networks(host: NetworkHost) -> None:
    podman(host, "network", "create", "--subnet", "10.71.0.0/24", "--label", "a=b", "--opt", "mtu=1400", "theirs")
    assert host.definition("theirs") | {"containers": 0} == json.loads(podman(host, "network", "inspect", "theirs"))[
        0
    ] | {"containers": 0}
    host.sleeper("c", "--network", "theirs")
    assert host.links("c")["eth0"]["mtu"] == 1400
    taken = host("network", "create", "--subnet", "10.71.0.128/25", "mine")
    assert taken.err == "Error: subnet 10.71.0.128/25 is already used on the host or by another config"
    assert host("network", "create", "theirs").code == 125
    host.ok("network", "update", "--dns-add", "198.51.100.1", "theirs")
    theirs = Path(f"/proc/{host.pid}/root{CONFIG}/theirs.json").read_text()
    assert json.loads(theirs)["network_dns_servers"] == ["198.51.100.1"]
    podman(host, "network", "inspect", "theirs")
    assert "another tool's" in host("network", "rm", "-f", "theirs").err
    host.ok("rm", "-f", "-t0", "c")
    podman(host, "network", "rm", "theirs")
    words = ("--subnet", "10.73.0.0/24", "--ip-range", "10.73.0.8-10.73.0.9", "--label", "c=d", "--opt", "isolate=true")
    host.ok("network", "create", *words, "ours")
    text = host.ok("network", "inspect", "--format", "netavark", "ours")
    Path(f"/proc/{host.pid}/root{CONFIG}/ours.json").write_text(text + "\n")
    host.ok("network", "rm", "ours")
    try:
        assert json.loads(podman(host, "network", "inspect", "ours"))[0] == json.loads(text)
        assert host.definition("ours")["id"] == json.loads(text)["id"]  # as another tool's, by now
        Path(f"/proc/{host.pid}/root{CONFIG}/ours.json").rename(f"/proc/{host.pid}/root/run/kept.json")
        assert host.ok("network", "create", "--from", "/run/kept.json") == "ours"
        assert host.ok("network", "inspect", "--format", "netavark", "ours") == text
        assert host("network", "create", "--from", "/run/kept.json", "other").err.startswith(
            "Error: subnet 10.73.0.0/24"
        )
        assert host("network", "create", "--from", "/run/kept.json", "--internal", "other").code == 125
        assert "does not define a network" in host("network", "create", "--from", "/etc/passwd").err
    finally:
        Path(f"/proc/{host.pid}/root/run/kept.json").unlink(missing_ok=True)


def test_options_of_an_interface(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.sleeper("c", "--network", "one:ip=10.71.0.9,interface_name=data0,mac=02:11:22:33:44:77,alias=db")
    assert host.addresses("c", "data0") == ["10.71.0.9/24"]
    assert host.resolve("c", "db", "10.71.0.1") == ["10.71.0.9"]
    odd = host("run", "--rm", "--network", "one:colour=red", "--rootfs", host.rootfs, "true")
    assert (odd.code, odd.err.splitlines()[0]) == (
        126,
        "Error: unsupported option colour for an interface on network one",
    )
    late = host("run", "--rm", "--network", "one:host_interface_name=outer0", "--rootfs", host.rootfs, "true")
    assert late.code == 126
    assert "network option host_interface_name: netavark 1.4.0" in late.err


@pytest.mark.parametrize("driver", ["nftables", "magic"])
def test_a_firewall_that_the_helper_does_not_have_is_refused(host: NetworkHost, driver: str) -> None:
    version = json.loads("".join(host.lines("/usr/lib/podman/netavark", "version")))["version"]
    if driver == "nftables" and version != "1.4.0":
        pytest.skip("netavark here is not the release 1.4")
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    try:
        host.firewall = driver
        done = host("run", "--rm", "--network", "one", "--rootfs", host.rootfs, "true")
    finally:
        host.firewall = ""
    assert done.code == 126, done
    if driver == "nftables":
        assert "firewall driver nftables: netavark 1.4.0 (/usr/lib/podman/netavark) does not have it" in done.err
        assert "1.10 and later do" in done.err
    assert driver in done.err
    assert not any("10.71.0.0" in line for line in host.lines("iptables-save"))
