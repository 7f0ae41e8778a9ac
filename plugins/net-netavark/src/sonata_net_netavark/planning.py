"""Deciding what a wished network leaves open. Pure; the rules are Podman's for the same options.

Source: containers/common `libnetwork/netavark/config.go` and `libnetwork/internal/util` (5.8).
"""

from __future__ import annotations

import ipaddress
import re

from sonata_core.errors import AlreadyExists, Conflict, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition, NetworkWish, Route
from sonata_core.sdk.subnets import Subnets, is_address, with_gateway

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
DRIVERS = ("bridge", "macvlan", "ipvlan")
INTERFACE_LENGTH = 15
"""IFNAMSIZ without its closing zero."""
DOCKER_MTU, DOCKER_BRIDGE = "com.docker.network.driver.mtu", "com.docker.network.bridge.name"
"""Docker's names of an option, and of the bridge's name, for networks of the driver bridge."""
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
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), "true"),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), "false"),
}
"""What Go's ParseBool takes."""
IPAM_DRIVERS = ("host-local", "dhcp", "none")


def plan(wish: NetworkWish, existing: tuple[NetworkDefinition, ...]) -> NetworkDefinition:
    """The network, decided. Raises AlreadyExists, Conflict and UsageError, in Podman's words."""
    if wish.driver not in DRIVERS:
        raise UsageError(f'failed to find driver or plugin "{wish.driver}"', f"drivers are {', '.join(DRIVERS)}")
    names = {network.name for network in existing}
    interfaces = {network.interface for network in existing if network.interface and network.driver == "bridge"}
    interfaces.update(wish.taken_interfaces)
    name = settled_name(wish.name, names, interfaces)
    options, parent = _options(wish.driver, wish.options)
    bridge = wish.driver == "bridge"
    ipam = _ipam(wish, needs_subnet=bridge)
    subnets = Subnets(wish, existing, shares=_shares(wish)).decide(ipam, bridge=bridge)
    dns = bridge and not wish.disable_dns and ipam != "none"
    if wish.dns_servers and not dns:
        raise UsageError("cannot set NetworkDNSServers if DNS is not enabled for the network: invalid argument")
    for server in wish.dns_servers:
        if not is_address(server):
            raise UsageError(f"unable to parse ip {server} specified in NetworkDNSServers: invalid argument")
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


def settled_name(name: str, names: set[str], interfaces: set[str]) -> str:
    """The name that is asked for, or a free one. Raises UsageError, AlreadyExists."""
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
    asked = parent or wish.interface
    if wish.driver != "bridge":
        if asked and asked not in wish.taken_interfaces:
            raise UsageError(f"parent interface {asked} does not exist", "`ip -brief link` lists the host's interfaces")
        return asked
    if not asked:
        # The network's own generated name is its bridge's too, as with Podman.
        return name if not wish.name else _free_name(names | interfaces)
    _require_name(asked)
    if asked in interfaces and not _shares(wish):
        hint = "`--opt mode=unmanaged` uses a bridge of the host's as it is"
        raise Conflict(f"bridge name {asked} already in use", hint)
    return asked


def _require_name(interface: str) -> None:
    wrong = ""
    if len(interface) > INTERFACE_LENGTH:
        wrong = f"interface name is too long: interface names must be {INTERFACE_LENGTH} characters or less"
    elif any(sign in "/:" or sign.isspace() or not sign.isprintable() for sign in interface):
        wrong = "interface name contains / or : or whitespace characters"
    if wrong:
        raise UsageError(f"network interface name {interface} invalid: {wrong}: invalid argument")


def _shares(wish: NetworkWish) -> bool:
    """Whether the network may lie on a bridge and in a subnet that others use: one that is not ours, or a VLAN."""
    return wish.driver == "bridge" and (wish.options.get("mode") == "unmanaged" or "vlan" in wish.options)


def _options(driver: str, given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Checked options in netavark's spelling, and the interface that they name."""
    options: dict[str, str] = {}
    interface = ""
    for key, value in given.items():
        option = "mtu" if key == DOCKER_MTU else key
        if key == DOCKER_BRIDGE and driver == "bridge":
            interface = value
        elif option not in OPTIONS[driver] or (option != key and driver != "bridge"):
            raise UsageError(f"unsupported {driver} network option {key}")
        elif option == "parent":
            interface = value
        else:
            options[option] = _option(driver, option, value)
    return options, interface


def _option(driver: str, option: str, value: str) -> str:
    if option in ("mtu", "metric", "bclim", "vlan"):
        return _NUMBERS[option](value)
    if option in ("isolate", "no_default_route"):
        if option == "isolate" and value == "strict":
            return value
        if value not in BOOLEANS:
            what = "failed to parse isolate option: " if option == "isolate" else ""
            raise UsageError(f'{what}strconv.ParseBool: parsing "{value}": invalid syntax')
        return BOOLEANS[value]
    if option == "vrf" and not value:
        raise UsageError("invalid vrf name")
    if option == "mode" and value not in MODES[driver]:
        raise UsageError(f'unknown {driver} mode "{value}"', f"modes are {', '.join(MODES[driver])}")
    return value


def _whole(value: str, low: int, high: int, reader: str = "Atoi") -> int:
    """A whole number, refused in the words of Go, which Podman passes on."""
    digits = value.removeprefix("-") if low < 0 else value
    if not digits.isascii() or not digits.isdigit():
        raise UsageError(f'strconv.{reader}: parsing "{value}": invalid syntax')
    if not low <= int(value) <= high:
        raise UsageError(f'strconv.{reader}: parsing "{value}": value out of range')
    return int(value)


def _mtu(value: str) -> str:
    if _whole(value, -_LARGEST, _LARGEST) < 0:
        raise UsageError(f"mtu {value} is less than zero")
    return value


def _vlan(value: str) -> str:
    if not 0 <= _whole(value, -_LARGEST, _LARGEST) <= 4094:
        raise UsageError(f"vlan ID {value} must be between 0 and 4094")
    return value


def _metric(value: str) -> str:
    return str(_whole(value, 0, _LARGEST, "ParseUint"))


def _bclim(value: str) -> str:
    return str(_whole(value, -1, _LARGEST))


_LARGEST = (1 << 32) - 1
_NUMBERS = {"mtu": _mtu, "vlan": _vlan, "metric": _metric, "bclim": _bclim}


def _ipam(wish: NetworkWish, *, needs_subnet: bool) -> str:
    driver = wish.ipam_driver
    if driver and driver not in IPAM_DRIVERS:
        raise UsageError(f'unsupported ipam driver "{driver}"', f"ipam drivers are {', '.join(IPAM_DRIVERS)}")
    if not driver:
        driver = "host-local" if wish.subnets or needs_subnet else "dhcp"
    if driver == "dhcp" and wish.driver == "ipvlan":
        raise UsageError("ipam driver dhcp is not supported with ipvlan", "give it a --subnet")
    if driver == "dhcp" and wish.subnets:
        raise UsageError("ipam driver dhcp set but subnets are set")
    if driver == "none" and wish.subnets:
        raise UsageError("none ipam driver is set but subnets are given")
    if driver == "host-local" and not wish.subnets and not needs_subnet:
        raise UsageError(
            f"{wish.driver} driver needs at least one subnet specified when the host-local ipam driver is set"
        )
    return driver


def _checked_routes(wish: NetworkWish) -> Iterable[Route]:
    for route in wish.routes:
        if not is_address(route.gateway):
            raise UsageError(f"invalid route gateway {route.gateway}")
        address, slash, _ = route.destination.partition("/")
        try:
            destination = ipaddress.ip_network(route.destination, strict=False)
        except ValueError as error:
            raise UsageError(f"invalid route destination {route.destination}") from error
        if not slash:
            raise UsageError(f"invalid route destination {route.destination}")
        if ipaddress.ip_address(address) != destination.network_address:
            raise UsageError("route destination invalid", f"the subnet is {destination}")
        if (":" in route.destination) != (":" in route.gateway):
            raise UsageError(f"route destination {destination} and gateway {route.gateway} are not of one family")
        yield route.replace(destination=str(destination))
