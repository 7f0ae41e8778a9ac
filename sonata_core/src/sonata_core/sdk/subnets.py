"""Choosing and checking the subnets of a wished network: for backends that plan networks.

Pure; the rules are Podman's for the same options: containers/common `libnetwork/internal/util` (5.8).
"""

from __future__ import annotations

import ipaddress
import os

from sonata_core.errors import Conflict, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition, NetworkWish, Subnet

if TYPE_CHECKING:
    Net = ipaddress.IPv4Network | ipaddress.IPv6Network

POOLS: tuple[tuple[str, int], ...] = (
    ("10.89.0.0/16", 24),
    ("10.90.0.0/15", 24),
    ("10.92.0.0/14", 24),
    ("10.96.0.0/11", 24),
    ("10.128.0.0/9", 24),
)
"""Where Podman looks for a free subnet, unless containers.conf names other pools."""


class Subnets:
    """The subnets of one wish, beside those that are taken. `shares`: one that is named may be another's, too."""

    def __init__(self, wish: NetworkWish, existing: tuple[NetworkDefinition, ...], *, shares: bool = False) -> None:
        self._wish = wish
        self._shares = shares
        self._taken: list[Net] = [to_network(text, "subnet") for text in wish.taken_subnets]
        for network in existing:
            self._taken += [to_network(subnet.subnet, "subnet") for subnet in network.subnets]

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
        network = to_network(subnet.subnet, "subnet")
        if self._wish.driver == "bridge" and not self._shares and self._collides(network):
            raise Conflict(f"subnet {network} is already used on the host or by another config")
        self._taken.append(network)
        gateway = subnet.gateway
        if gateway and to_address(gateway, "gateway") not in network:
            raise UsageError(f"gateway {gateway} not in subnet {network}")
        start, end = _lease_range(subnet, network)
        return Subnet(subnet=str(network), gateway=gateway, range_start=start, range_end=end)

    def _collides(self, network: Net) -> bool:
        return any(other.version == network.version and other.overlaps(network) for other in self._taken)

    def _free_ipv4(self) -> Subnet:
        for base, length in self._wish.subnet_pools or POOLS:
            pool = to_network(base, "subnet pool")
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


def with_gateway(subnet: Subnet, wish: NetworkWish, *, dns: bool, bridge: bool) -> Subnet:
    """The first address is the gateway, unless nothing would listen or route there."""
    wanted = bridge and not (wish.internal and not dns)
    if subnet.gateway or not (wanted or (not bridge and not wish.internal)):
        return subnet
    network = to_network(subnet.subnet, "subnet")
    first = int(network.network_address) + (1 if network.num_addresses > 1 else 0)
    return subnet.replace(gateway=str(type(network.network_address)(first)))


def _lease_range(subnet: Subnet, network: Net) -> tuple[str, str]:
    start, end = subnet.range_start, subnet.range_end
    if start and not end:
        if "/" not in start:
            raise UsageError(f"invalid CIDR address: {start}", "an --ip-range is a subnet, or FIRST-LAST")
        part = to_network(start, "ip range")
        start, end = str(part.network_address + (part.num_addresses > 1)), str(part.broadcast_address)
    for what, text in (("start", start), ("end", end)):
        if (start or end) and not is_address(text):
            raise UsageError(f'range {what} ip "{text}" is not a ip address')
        if text and ipaddress.ip_address(text) not in network:
            raise UsageError(f"lease range {what} ip {text} not in subnet {network}")
    if start and end and int(ipaddress.ip_address(start)) > int(ipaddress.ip_address(end)):
        raise UsageError(f"lease range start ip {start} is after its end ip {end}")
    return start, end


def is_address(text: str) -> bool:
    """Whether it is an address of IPv4 or IPv6, without a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def to_network(text: str, what: str) -> Net:
    """A subnet with its length, bits of hosts set or not. Raises UsageError in Podman's words."""
    try:
        if "/" not in text:
            raise ValueError(text)
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise UsageError(f"invalid CIDR address: {text}", hint=f"it was given as {what}") from error


def to_address(text: str, what: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address. Raises UsageError that names `what` it was given as."""
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise UsageError(f"{what} {text!r} is no address") from error
