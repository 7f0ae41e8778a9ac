"""Deciding what a wished network leaves open. Pure; the rules are Podman's for the same options.

Source: containers/common `libnetwork/netavark/config.go` and `libnetwork/internal/util` (5.8).
"""

from __future__ import annotations

import re

from sonata_core.errors import AlreadyExists, Conflict, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition, NetworkWish, Route
from sonata_core.sdk.subnets import Subnets, to_address, to_network, with_gateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
DRIVERS = ("bridge", "macvlan", "ipvlan")
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
    subnets = Subnets(wish, existing).decide(ipam, bridge=bridge)
    dns = bridge and not wish.disable_dns and ipam != "none"
    if wish.dns_servers and not dns:
        raise UsageError("cannot set --dns when DNS is disabled for the network: invalid argument")
    for server in wish.dns_servers:
        to_address(server, "dns ip")
    return NetworkDefinition(
        name=name,
        id=wish.id,
        driver=wish.driver,
        interface=_interface(wish, parent, name, (names, interfaces)),
        created=wish.created,
        subnets=tuple(with_gateway(subnet, wish, dns=dns, bridge=bridge) for subnet in subnets),
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
        destination = to_network(route.destination, "route destination")
        gateway = to_address(route.gateway, "route gateway")
        if destination.version != gateway.version:
            raise UsageError(f"route destination {destination} and gateway {gateway} are not of one family")
        yield route.replace(destination=str(destination))
