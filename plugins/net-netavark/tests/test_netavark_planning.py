"""What `network create` leaves open, decided: pure, so every rule is a row. Messages are Podman's."""

import ipaddress
from typing import Any

import pytest

from sonata_core.errors import AlreadyExists, Conflict, SonataError, Unsupported, UsageError
from sonata_core.models.net import NetworkDefinition, NetworkWish, Route, Subnet
from sonata_net_netavark.planning import plan
from sonata_net_netavark.program import Netavark, demand, network_features

PODMAN = NetworkDefinition(
    name="podman", id="2" * 64, interface="podman0", subnets=(Subnet(subnet="10.88.0.0/16", gateway="10.88.0.1"),)
)


def made(*existing: NetworkDefinition, **fields: Any) -> NetworkDefinition:
    wish = NetworkWish(**{"name": "net", "id": "a" * 64, "created": "2026-01-01T00:00:00Z", **fields})
    return plan(wish, (PODMAN, *existing))


def subnet(text: str, **fields: str) -> Subnet:
    return Subnet(subnet=text, **fields)


def test_a_bare_wish_is_a_bridge_with_names() -> None:
    found = made()
    assert found == NetworkDefinition(
        name="net",
        id="a" * 64,
        interface="podman1",
        created="2026-01-01T00:00:00Z",
        subnets=(subnet("10.89.0.0/24", gateway="10.89.0.1"),),
        dns_enabled=True,
    )


def test_a_nameless_network_is_named_as_its_bridge() -> None:
    taken = NetworkDefinition(name="podman1", id="1" * 64, interface="br7")
    found = made(taken, name="", taken_interfaces=("podman2", "eth0"))
    assert (found.name, found.interface) == ("podman3", "podman3")


def test_the_first_free_subnet_is_taken() -> None:
    other = NetworkDefinition(name="o", id="1" * 64, subnets=(subnet("10.89.0.0/24"), subnet("fd00::/64")))
    assert made(other).subnets[0].subnet == "10.89.1.0/24"
    assert made(other, taken_subnets=("10.89.1.7/32", "10.89.2.0/23")).subnets[0].subnet == "10.89.4.0/24"
    assert made(taken_subnets=("10.89.0.0/16",)).subnets[0].subnet == "10.90.0.0/24"
    pools = (("192.168.0.0/30", 30), ("172.16.0.0/16", 28))
    assert (
        made(subnet_pools=pools, taken_subnets=("192.168.0.1/32", "172.16.0.0/27")).subnets[0].subnet
        == "172.16.0.32/28"
    )
    with pytest.raises(Conflict, match="could not find free subnet from subnet pools"):
        made(subnet_pools=(("192.168.0.0/30", 30),), taken_subnets=("192.168.0.1/32",))


def test_a_full_pool_is_searched_quickly() -> None:
    others = tuple(
        NetworkDefinition(name=f"n{i}", id=f"{i:064x}", subnets=(subnet(f"10.89.{i}.0/24"),)) for i in range(256)
    )
    assert made(*others).subnets[0].subnet == "10.90.0.0/24"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"subnets": (subnet("10.77.5.9/24"),)}, [("10.77.5.0/24", "10.77.5.1", "", "")]),
        ({"subnets": (subnet("10.77.5.0/24", gateway="10.77.5.254"),)}, [("10.77.5.0/24", "10.77.5.254", "", "")]),
        (
            {"subnets": (subnet("10.77.5.0/24", range_start="10.77.5.128/25"),)},
            [("10.77.5.0/24", "10.77.5.1", "10.77.5.129", "10.77.5.255")],
        ),
        (
            {"subnets": (subnet("10.77.5.0/24", range_start="10.77.5.7", range_end="10.77.5.9"),)},
            [("10.77.5.0/24", "10.77.5.1", "10.77.5.7", "10.77.5.9")],
        ),
        ({"internal": True}, [("10.89.0.0/24", "10.89.0.1", "", "")]),
        ({"internal": True, "disable_dns": True}, [("10.89.0.0/24", "", "", "")]),
    ],
)
def test_subnets(fields: dict[str, Any], found: list[tuple[str, ...]]) -> None:
    subnets = made(**fields).subnets
    assert [(s.subnet, s.gateway, s.range_start, s.range_end) for s in subnets] == found


def test_ipv6() -> None:
    four, six = made(ipv6=True).subnets
    assert four.subnet == "10.89.0.0/24"
    assert ipaddress.ip_network(six.subnet).subnet_of(ipaddress.ip_network("fd00::/8"))  # type: ignore[arg-type]
    assert six.gateway == six.subnet.removesuffix("/64") + "1"
    only = made(subnets=(subnet("fd01::/64"),))
    assert only.ipv6_enabled
    assert [s.subnet for s in only.subnets] == ["fd01::/64"]
    both = made(ipv6=True, subnets=(subnet("fd01::/64"),))
    assert [s.subnet for s in both.subnets] == ["fd01::/64", "10.89.0.0/24"]
    assert made(ipv6=True).subnets[1] != six


def test_options_are_checked_and_spelt_as_netavark_does() -> None:
    found = made(options={"com.docker.network.driver.mtu": "1400", "isolate": "1", "vlan": "7"})
    assert found.options == {"mtu": "1400", "isolate": "true", "vlan": "7"}
    assert made(options={"com.docker.network.bridge.name": "br9"}).interface == "br9"
    assert made(options={"isolate": "strict"}).options == {"isolate": "strict"}
    parent = made(driver="macvlan", options={"parent": "eth0", "mode": "vepa"}, taken_interfaces=("eth0",))
    assert (parent.interface, parent.options, parent.ipam_driver) == ("eth0", {"mode": "vepa"}, "dhcp")
    assert not parent.dns_enabled


def test_a_vlan_may_share_a_bridge_and_a_subnet_but_is_given_one_of_its_own() -> None:
    other = NetworkDefinition(name="first", id="1" * 64, interface="br9", subnets=(subnet("10.89.0.0/24"),))
    shared = made(other, interface="br9", options={"vlan": "5"}, subnets=(subnet("10.89.0.0/24"),))
    assert (shared.interface, shared.subnets[0].subnet) == ("br9", "10.89.0.0/24")
    assert made(other, interface="br9", options={"vlan": "5"}).subnets[0].subnet == "10.89.1.0/24"
    theirs = made(interface="br0", options={"mode": "unmanaged"}, taken_interfaces=("br0",))
    assert (theirs.interface, theirs.ipam_driver, theirs.options) == ("br0", "host-local", {"mode": "unmanaged"})


def test_small_subnets_have_gateways() -> None:
    found = made(subnets=(subnet("10.1.0.0/31"), subnet("10.1.0.4/30"), subnet("10.1.0.8/32"))).subnets
    assert [one.gateway for one in found] == ["10.1.0.1", "10.1.0.5", "10.1.0.8"]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"name": "podman"}, AlreadyExists, "network name podman already used: network already exists"),
        (
            {"name": "bad name"},
            UsageError,
            "network name bad name invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
        ),
        ({"name": "x\n"}, UsageError, "names must match"),
        ({"driver": "foo"}, UsageError, 'failed to find driver or plugin "foo"'),
        (
            {"subnets": (subnet("10.88.5.0/24"),)},
            Conflict,
            "subnet 10.88.5.0/24 is already used on the host or by another config",
        ),
        ({"subnets": (subnet("10.1.0.0/24"), subnet("10.1.0.0/25"))}, Conflict, "subnet 10.1.0.0/25 is already used"),
        ({"subnets": (subnet("10.1.0.0/24"),), "taken_subnets": ("10.0.0.0/8",)}, Conflict, "already used"),
        (
            {"subnets": (subnet("10.1.0.0/24", gateway="10.2.0.1"),)},
            UsageError,
            "gateway 10.2.0.1 not in subnet 10.1.0.0/24",
        ),
        (
            {"subnets": (subnet("10.1.0.0/24", range_start="10.2.0.0/25"),)},
            UsageError,
            "lease range start ip 10.2.0.1 not in subnet 10.1.0.0/24",
        ),
        (
            {"subnets": (subnet("10.1.0.0/24", range_start="10.1.0.9", range_end="10.1.0.3"),)},
            UsageError,
            "is after its end",
        ),
        ({"subnets": (subnet("10.1.0.0/99"),)}, UsageError, "invalid CIDR address: 10.1.0.0/99"),
        ({"options": {"colour": "red"}}, UsageError, "unsupported bridge network option colour"),
        ({"options": {"vlan": "4095"}}, UsageError, "between 0 and 4094"),
        ({"options": {"mtu": "-5"}}, UsageError, "mtu -5 is less than zero"),
        ({"options": {"mtu": "²"}}, UsageError, 'strconv.Atoi: parsing "²": invalid syntax'),
        ({"options": {"isolate": "maybe"}}, UsageError, "failed to parse isolate option"),
        ({"options": {"mode": "odd"}}, UsageError, 'unknown bridge mode "odd"'),
        ({"driver": "macvlan", "options": {"parent": "no0"}}, UsageError, "parent interface no0 does not exist"),
        ({"interface": "a" * 16}, UsageError, "interface names must be 15 characters or less: invalid argument"),
        ({"interface": "a/b"}, UsageError, "interface name contains / or : or whitespace characters"),
        ({"interface": "podman0"}, Conflict, "bridge name podman0 already in use"),
        ({"interface": "eth0", "taken_interfaces": ("eth0",)}, Conflict, "bridge name eth0 already in use"),
        (
            {"disable_dns": True, "dns_servers": ("1.1.1.1",)},
            UsageError,
            "cannot set NetworkDNSServers if DNS is not enabled for the network",
        ),
        (
            {"dns_servers": ("one",)},
            UsageError,
            "unable to parse ip one specified in NetworkDNSServers: invalid argument",
        ),
        ({"ipam_driver": "magic"}, UsageError, 'unsupported ipam driver "magic"'),
        ({"driver": "ipvlan"}, UsageError, "ipam driver dhcp is not supported with ipvlan"),
        (
            {"driver": "macvlan", "ipam_driver": "host-local"},
            UsageError,
            "macvlan driver needs at least one subnet specified when the host-local ipam driver is set",
        ),
        ({"options": {"vlan": "-1"}}, UsageError, "vlan ID -1 must be between 0 and 4094"),
        ({"options": {"vlan": "x"}}, UsageError, 'strconv.Atoi: parsing "x": invalid syntax'),
        ({"options": {"metric": "-1"}}, UsageError, 'strconv.ParseUint: parsing "-1": invalid syntax'),
        ({"options": {"metric": "99999999999"}}, UsageError, "value out of range"),
        ({"options": {"no_default_route": "yes"}}, UsageError, 'strconv.ParseBool: parsing "yes": invalid syntax'),
        ({"options": {"vrf": ""}}, UsageError, "invalid vrf name"),
        ({"options": {"bridge": "br9"}}, UsageError, "unsupported bridge network option bridge"),
        ({"driver": "macvlan", "options": {"vlan": "5"}}, UsageError, "unsupported macvlan network option vlan"),
        ({"driver": "ipvlan", "options": {"bclim": "5"}}, UsageError, "unsupported ipvlan network option bclim"),
        ({"driver": "ipvlan", "options": {"mode": "bridge"}}, UsageError, 'unknown ipvlan mode "bridge"'),
        ({"subnets": (subnet("10.1.0.0/24", range_start="10.1.0.3"),)}, UsageError, "invalid CIDR address: 10.1.0.3"),
        (
            {"subnets": (subnet("10.1.0.0/24", range_start="x", range_end="10.1.0.3"),)},
            UsageError,
            'range start ip "x" is not a ip address',
        ),
        ({"routes": (Route(destination="x", gateway="10.1.1.1"),)}, UsageError, "invalid route destination x"),
        ({"routes": (Route(destination="10.5.0.0/16", gateway="x"),)}, UsageError, "invalid route gateway x"),
        ({"routes": (Route(destination="10.5.0.7/16", gateway="10.1.1.1"),)}, UsageError, "route destination invalid"),
        (
            {"ipam_driver": "none", "subnets": (subnet("10.1.0.0/24"),)},
            UsageError,
            "none ipam driver is set but subnets",
        ),
        (
            {"routes": (Route(destination="10.5.0.0/16", gateway="fd00::1"),)},
            UsageError,
            "are not of one family",
        ),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], error: type[SonataError], said: str) -> None:
    with pytest.raises(error) as caught:
        made(**fields)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("definition", "since"),
    [
        ({"driver": "ipvlan"}, "1.5"),
        ({"ipam_driver": "dhcp", "driver": "macvlan"}, "1.6"),
        ({"routes": (Route(destination="10.0.0.0/8", gateway="10.1.0.1"),)}, "1.7"),
        ({"options": {"no_default_route": "true"}}, "1.7"),
        ({"options": {"isolate": "strict"}}, "1.7"),
        ({"options": {"vrf": "red"}}, "1.8"),
        ({"options": {"mode": "unmanaged"}}, "1.14"),
    ],
)
def test_what_an_old_netavark_lacks_is_refused(definition: dict[str, Any], since: str) -> None:
    wanted = PODMAN.replace(**definition)
    old = Netavark(path="/n", version=(1, 4, 0), firewall="iptables")
    with pytest.raises(Unsupported, match=rf"netavark 1.4.0 \(/n\) does not have it, {since} and later do"):
        demand(old, network_features(wanted))
    demand(Netavark(path="/n", version=(1, 14, 0), firewall="nftables"), network_features(wanted))
