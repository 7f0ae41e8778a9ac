"""Deciding what a wished network leaves open. Pure; the rules and words are those of Podman 4.3 with CNI.

Source: containers/common 0.50 `libnetwork/cni/config.go` and `cni_conversion.go`.
"""

from __future__ import annotations

from sonata_core.errors import AlreadyExists, Conflict, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition
from sonata_core.sdk.subnets import Subnets, with_gateway
from sonata_net_cni.conflist import is_network_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.models.net import NetworkWish

DRIVERS = ("bridge", "macvlan", "ipvlan")
IPAM = ("host-local", "dhcp", "none")
STEM = "cni-podman"
INTERFACE_LENGTH = 15
"""IFNAMSIZ without its closing zero."""
SPELLINGS = {"com.docker.network.driver.mtu": "mtu", "com.docker.network.bridge.name": "bridge"}
OPTIONS = {
    "bridge": ("mtu", "vlan", "isolate", "bridge"),
    "macvlan": ("mtu", "mode", "parent"),
    "ipvlan": ("mtu", "mode", "parent"),
}
MODES = {"macvlan": ("bridge", "private", "vepa", "passthru"), "ipvlan": ("l2", "l3", "l3s")}
TRUE, FALSE = ("1", "t", "true"), ("0", "f", "false")


def plan(wish: NetworkWish, existing: tuple[NetworkDefinition, ...], *, dnsname: bool) -> NetworkDefinition:
    """The network, decided. `dnsname`: the plugin that serves names is there.

    Raises AlreadyExists, Conflict, UsageError, and Unsupported for what no CNI plugin does.
    """
    if wish.driver not in DRIVERS:
        raise UsageError(f"unsupported driver {wish.driver}: invalid argument", f"drivers are {', '.join(DRIVERS)}")
    _refuse(wish)
    bridge = wish.driver == "bridge"
    names = {one.name for one in existing}
    taken = {one.interface for one in existing if one.interface and one.driver == "bridge"} | {*wish.taken_interfaces}
    options, parent = _options(wish.driver, wish.options)
    name = _name(wish.name, names, taken)
    ipam = _ipam(wish, bridge=bridge)
    dns = bridge and dnsname and not wish.disable_dns and not wish.internal and ipam == "host-local"
    subnets = Subnets(wish, existing).decide(ipam, bridge=bridge)
    return NetworkDefinition(
        name=name,
        id=wish.id,
        driver=wish.driver,
        interface=_interface(wish, parent, name, names | taken),
        created=wish.created,
        subnets=tuple(with_gateway(one, wish, dns=dns, bridge=bridge) for one in subnets),
        ipv6_enabled=wish.ipv6 or any(":" in one.subnet for one in subnets),
        internal=wish.internal,
        dns_enabled=dns,
        labels=wish.labels,
        options=options,
        ipam_driver=ipam,
    )


def _refuse(wish: NetworkWish) -> None:
    """What is accepted elsewhere, and for which CNI has no place."""
    instead = "use network backend netavark"
    if wish.routes:
        raise Unsupported("static routes: network backend cni does not have them", instead)
    if wish.dns_servers:
        raise Unsupported("name servers of a network: network backend cni does not have them", instead)


def _name(name: str, names: set[str], interfaces: set[str]) -> str:
    if not name:
        return _free(names | interfaces)
    if not is_network_name(name):
        raise UsageError(f"network name {name} invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
    if name in names:
        raise AlreadyExists(f"network name {name} already used: network already exists")
    return name


def _free(taken: set[str]) -> str:
    number = 0
    while f"{STEM}{number}" in taken:
        number += 1
    return f"{STEM}{number}"


def _interface(wish: NetworkWish, parent: str, name: str, taken: set[str]) -> str:
    asked = wish.interface or parent
    if wish.driver != "bridge":
        if asked and asked not in wish.taken_interfaces:
            raise UsageError(f"parent interface {asked} does not exist", "`ip -brief link` lists the host's interfaces")
        return asked
    if not asked:
        return name if not wish.name else _free(taken)
    if len(asked) > INTERFACE_LENGTH or not asked.isprintable() or any(sign in asked for sign in "/: "):
        raise UsageError(
            f"network interface {asked} invalid: at most {INTERFACE_LENGTH} characters without '/', ':' and blanks"
        )
    if asked in taken:
        raise Conflict(f"bridge name {asked} already in use")
    return asked


def _options(driver: str, given: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Checked options, and the interface that they name."""
    options: dict[str, str] = {}
    parent = ""
    for key, value in given.items():
        option = SPELLINGS.get(key, key)
        if option not in OPTIONS[driver]:
            raise UsageError(f"unsupported network option {key}", f"{driver} has {', '.join(OPTIONS[driver])}")
        if option in ("parent", "bridge"):
            parent = value
        else:
            options[option] = _option(driver, option, value)
    return options, parent


def _option(driver: str, option: str, value: str) -> str:
    if option == "mode":
        if value not in MODES[driver]:
            raise UsageError(f"unknown {driver} mode {value!r}", f"modes are {', '.join(MODES[driver])}")
        return value
    if option == "isolate":
        if value.lower() not in (*TRUE, *FALSE):
            raise UsageError(f"failed to parse isolate option: {value!r} is neither true nor false")
        return "true" if value.lower() in TRUE else "false"
    limit = 4094 if option == "vlan" else 65535
    if not (value.isascii() and value.isdigit() and int(value) <= limit):
        what = "vlan ID" if option == "vlan" else option
        raise UsageError(f"{what} {value!r} must be a number between 0 and {limit}")
    return value


def _ipam(wish: NetworkWish, *, bridge: bool) -> str:
    driver = wish.ipam_driver
    if driver and driver not in IPAM:
        raise UsageError(f"unsupported ipam driver {driver!r}", f"ipam drivers are {', '.join(IPAM)}")
    if driver in ("dhcp", "none") and wish.subnets:
        raise UsageError(f"{driver} ipam driver is set but subnets are given")
    return driver or ("host-local" if bridge or wish.subnets else "dhcp")
