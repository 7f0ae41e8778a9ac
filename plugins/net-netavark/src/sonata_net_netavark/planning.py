"""Deciding what a wished network leaves open. Pure; the rules are Podman's for the same options.

Source: containers/common `libnetwork/netavark/config.go` and `libnetwork/internal/util` (5.8).
"""

from __future__ import annotations

import ipaddress
import os
import re

from sonata_core.errors import AlreadyExists, Conflict, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition, NetworkWish, Route, Subnet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Net = ipaddress.IPv4Network | ipaddress.IPv6Network

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
DRIVERS = ("bridge", "macvlan", "ipvlan")
POOLS: tuple[tuple[str, int], ...] = (
    ("10.89.0.0/16", 24),
    ("10.90.0.0/15", 24),
    ("10.92.0.0/14", 24),
    ("10.96.0.0/11", 24),
    ("10.128.0.0/9", 24),
)
"""Where Podman looks for a free subnet, unless containers.conf names other pools."""
INTERFACE_LENGTH = 15
"""IFNAMSIZ without its closing zero."""
DOCKER_OPTIONS = {"com.docker.network.driver.mtu": "mtu", "com.docker.network.bridge.name": "bridge"}
OPTIONS = {
    "bridge": ("mtu", "vlan", "isolate", "metric", "no_default_route", "vrf", "mode"),
    "macvlan": ("parent", "mode", "mtu", "metric", "no_default_route", "bclim"),
    "ipvlan": ("parent", "mode", "mtu", "metric", "no_default_route"),
}
MODES = {
    "bridge": ("managed", "unmanaged"),
    "macvlan": ("bridge", "private", "vepa", "passthru"),
    "ipvlan": ("l2", "l3", "l3s"),
}
BOOLEANS = {"true": "true", "1": "true", "t": "true", "false": "false", "0": "false", "f": "false"}
IPAM_DRIVERS = ("host-local", "dhcp", "none")


def plan(wish: NetworkWish, existing: tuple[NetworkDefinition, ...]) -> NetworkDefinition:
    """The network, decided. Raises AlreadyExists, Conflict and UsageError, in Podman's words."""
    if wish.driver not in DRIVERS:
        raise UsageError(f"unsupported driver {wish.driver}: invalid argument", f"drivers are {', '.join(DRIVERS)}")
    names = {network.name for network in existing}
    interfaces = {network.interface for network in existing if network.interface and network.driver == "bridge"}
    interfaces.update(wish.taken_interfaces)
    name = _name(wish.name, names, interfaces)
    options, parent = _options(wish.driver, wish.options)
    bridge = wish.driver == "bridge"
    ipam = _ipam(wish, needs_subnet=bridge and options.get("mode") != "unmanaged")
    subnets = _Subnets(wish, existing).decide(ipam, bridge=bridge)
    dns = bridge and not wish.disable_dns and ipam != "none"
    if wish.dns_servers and not dns:
        raise UsageError("cannot set --dns when DNS is disabled for the network: invalid argument")
    for server in wish.dns_servers:
        _address(server, "dns ip")
    return NetworkDefinition(
        name=name,
        id=wish.id,
        driver=wish.driver,
        interface=_interface(wish, parent, name, (names, interfaces)),
        created=wish.created,
        subnets=tuple(_with_gateway(subnet, wish, dns=dns, bridge=bridge) for subnet in subnets),
        routes=tuple(_checked_routes(wish)),
        ipv6_enabled=wish.ipv6 or any(":" in subnet.subnet for subnet in subnets),
        internal=wish.internal,
        dns_enabled=dns,
        dns_servers=wish.dns_servers,
        labels=wish.labels,
        options=options,
        ipam_driver=ipam,
    )


def _name(name: str, names: set[str], interfaces: set[str]) -> str:
    if not name:
        return _free_name(names | interfaces)
    if not NAME.match(name):
        raise UsageError(f"network name {name} invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
    if name in names:
        raise AlreadyExists(f"network name {name} already used: network already exists")
    return name


def _free_name(taken: set[str]) -> str:
    number = 1
    while f"podman{number}" in taken:
        number += 1
    return f"podman{number}"


def _interface(wish: NetworkWish, parent: str, name: str, taken: tuple[set[str], set[str]]) -> str:
    names, interfaces = taken
    asked = wish.interface or parent
    if wish.driver != "bridge":
        if asked and asked not in wish.taken_interfaces:
            raise UsageError(f"parent interface {asked} does not exist", "`ip -brief link` lists the host's interfaces")
        return asked
    if not asked:
        # The network's own generated name is its bridge's too, as with Podman.
        return name if not wish.name else _free_name(names | interfaces)
    if len(asked) > INTERFACE_LENGTH or not asked.isprintable() or any(sign in asked for sign in "/: "):
        raise UsageError(
            f"network interface {asked} invalid: at most {INTERFACE_LENGTH} characters without '/', ':' and blanks"
        )
    if asked in interfaces and wish.options.get("mode") != "unmanaged":
        raise Conflict(f"bridge name {asked} already in use")
    return asked


def _options(driver: str, given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Checked options in netavark's spelling, and the interface that they name."""
    options: dict[str, str] = {}
    parent = ""
    for key, value in given.items():
        option = DOCKER_OPTIONS.get(key, key)
        if option == "parent" or (option == "bridge" and driver == "bridge"):
            parent = value
        if option not in OPTIONS[driver]:
            if option == "bridge" and driver == "bridge":
                continue
            raise UsageError(f"unsupported {driver} network option {key}")
        if option != "parent":
            options[option] = _option(driver, option, value)
    return options, parent


def _option(driver: str, option: str, value: str) -> str:
    if option in ("mtu", "metric", "bclim"):
        return _number(option, value, -1 if option == "bclim" else 0, 4294967295)
    if option == "vlan":
        return _number("vlan ID", value, 0, 4094)
    if option in ("isolate", "no_default_route"):
        if option == "isolate" and value == "strict":
            return value
        if value.lower() not in BOOLEANS:
            raise UsageError(f"failed to parse {option} option: {value!r} is neither true nor false")
        return BOOLEANS[value.lower()]
    if option == "mode" and value not in MODES[driver]:
        raise UsageError(f"unknown {driver} mode {value!r}", f"modes are {', '.join(MODES[driver])}")
    return value


def _number(what: str, value: str, low: int, high: int) -> str:
    digits = value.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or not low <= int(value) <= high:
        raise UsageError(f"{what} {value!r} must be a number between {low} and {high}")
    return value


def _ipam(wish: NetworkWish, *, needs_subnet: bool) -> str:
    driver = wish.ipam_driver
    if driver and driver not in IPAM_DRIVERS:
        raise UsageError(f"unsupported ipam driver {driver!r}", f"ipam drivers are {', '.join(IPAM_DRIVERS)}")
    if driver == "dhcp" and wish.driver == "bridge" and needs_subnet:
        raise UsageError("ipam driver dhcp is not supported with bridge")
    if driver in ("dhcp", "none") and wish.subnets:
        raise UsageError(f"{driver} ipam driver is set but subnets are given")
    if driver:
        return driver
    return "host-local" if wish.subnets or needs_subnet else "dhcp"


def _checked_routes(wish: NetworkWish) -> Iterable[Route]:
    for route in wish.routes:
        destination = _network(route.destination, "route destination")
        gateway = _address(route.gateway, "route gateway")
        if destination.version != gateway.version:
            raise UsageError(f"route destination {destination} and gateway {gateway} are not of one family")
        yield route.replace(destination=str(destination))


class _Subnets:
    """The subnets of one wish, beside those that are taken."""

    def __init__(self, wish: NetworkWish, existing: tuple[NetworkDefinition, ...]) -> None:
        self._wish = wish
        self._taken: list[Net] = [_network(text, "subnet") for text in wish.taken_subnets]
        for network in existing:
            self._taken += [_network(subnet.subnet, "subnet") for subnet in network.subnets]

    def decide(self, ipam: str, *, bridge: bool) -> list[Subnet]:
        """Subnets as asked for and checked, and those that are lacking."""
        if ipam != "host-local":
            return []
        found = [self._checked(subnet) for subnet in self._wish.subnets]
        if bridge and (not found or (self._wish.ipv6 and all(":" in each.subnet for each in found))):
            found.append(self._free_ipv4())
        if bridge and self._wish.ipv6 and all(":" not in each.subnet for each in found):
            found.append(self._free_ipv6())
        return found

    def _checked(self, subnet: Subnet) -> Subnet:
        network = _network(subnet.subnet, "subnet")
        if self._wish.driver == "bridge" and self._collides(network):
            raise Conflict(f"subnet {network} is already used on the host or by another config")
        self._taken.append(network)
        gateway = subnet.gateway
        if gateway and _address(gateway, "gateway") not in network:
            raise UsageError(f"gateway {gateway} not in subnet {network}")
        start, end = _lease_range(subnet, network)
        return Subnet(subnet=str(network), gateway=gateway, range_start=start, range_end=end)

    def _collides(self, network: Net) -> bool:
        return any(other.version == network.version and other.overlaps(network) for other in self._taken)

    def _free_ipv4(self) -> Subnet:
        for base, length in self._wish.subnet_pools or POOLS:
            pool = _network(base, "subnet pool")
            candidate = pool.network_address
            while candidate in pool:
                network = ipaddress.ip_network(f"{candidate}/{length}")
                other = self._colliding(network)
                if other is None:
                    self._taken.append(network)
                    return Subnet(subnet=str(network))
                # Behind whichever is larger, so that one large taken network costs one step.
                after = max(int(network.broadcast_address), int(other.broadcast_address)) + 1
                candidate = ipaddress.ip_address(after)
                if int(candidate) % network.num_addresses:
                    candidate = ipaddress.ip_address(-(-after // network.num_addresses) * network.num_addresses)
        raise Conflict(
            "could not find free subnet from subnet pools", "name one with --subnet, or set default_subnet_pools"
        )

    def _colliding(self, network: Net) -> Net | None:
        for other in self._taken:
            if other.version == network.version and other.overlaps(network):
                return other
        return None

    def _free_ipv6(self) -> Subnet:
        # RFC 4193: fd, 40 random bits, a subnet number of 16.
        while True:
            prefix = bytes([0xFD]) + os.urandom(7)
            network = ipaddress.IPv6Network((prefix + bytes(8), 64))
            if not self._collides(network):
                return Subnet(subnet=str(network))


def _with_gateway(subnet: Subnet, wish: NetworkWish, *, dns: bool, bridge: bool) -> Subnet:
    """The first address is the gateway, unless nothing would listen or route there."""
    wanted = bridge and not (wish.internal and not dns)
    if subnet.gateway or not (wanted or (not bridge and not wish.internal)):
        return subnet
    network = _network(subnet.subnet, "subnet")
    first = int(network.network_address) + (1 if network.num_addresses > 2 else 0)
    return subnet.replace(gateway=str(type(network.network_address)(first)))


def _lease_range(subnet: Subnet, network: Net) -> tuple[str, str]:
    start, end = subnet.range_start, subnet.range_end
    if "/" in start:
        part = _network(start, "ip range")
        if part.version != network.version or part.network_address not in network:
            raise UsageError(f"lease range start ip {part.network_address} not in subnet {network}")
        start, end = str(part.network_address + 1), str(part.broadcast_address)
    for what, text in (("start", start), ("end", end)):
        if text and _address(text, f"lease range {what}") not in network:
            raise UsageError(f"lease range {what} ip {text} not in subnet {network}")
    if start and end and int(ipaddress.ip_address(start)) > int(ipaddress.ip_address(end)):
        raise UsageError(f"lease range start ip {start} is after its end ip {end}")
    return start, end


def _network(text: str, what: str) -> Net:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise UsageError(f"invalid CIDR address: {text}", hint=f"it was given as {what}") from error


def _address(text: str, what: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise UsageError(f"{what} {text!r} is no address") from error
