"""Putting a container on a plain bridge in a tenth of the time (ADR 0012).

Netavark 1.4 makes a bridge's rules with some twenty to thirty runs of iptables. For the commonest
case (one IPv4 bridge network, no options, no names to serve) the same links, addresses, routes and
settings are made here over netlink, and the same rules with one run of iptables-restore. Tests
compare the result with netavark's own. All else is left to netavark, and so is whatever is not as
netavark 1.4 leaves it: nothing has been changed by then.
"""

from __future__ import annotations

import _socket
import os
import struct

from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command
from sonata_core.sdk.spawn import enter_netns
from sonata_core.sdk.syscalls import in_thread
from sonata_net_netavark import firewall, links, netlink, rules
from sonata_net_netavark.document import sorted_ports

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, AttachRequest, NetnsRef
    from sonata_net_netavark.program import Netavark

RTM_SETLINK, RTM_NEWADDR, RTM_NEWROUTE = 19, 20, 24
CREATE, EXCLUSIVE = 0x400, 0x200
IFLA_ADDRESS, IFLA_NET_NS_FD, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 28, 2, 1
IFA_LOCAL, IFA_BROADCAST = 2, 4
RTA_DST, RTA_GATEWAY, RTA_PRIORITY = 1, 5, 6
UP = 1
METRIC = 100
_TABLE_MAIN, _PROTOCOL_STATIC, _UNICAST = 254, 4, 1


class Declined(Exception):
    """Not a case for the swift way; nothing was changed."""


class HalfMade(Exception):
    """Something was made, and then something failed: it is to be taken down before netavark is asked."""


class Spot:
    """One attachment, taken apart: addresses as the kernel has them."""

    def __init__(self, attachment: Attachment) -> None:
        network = attachment.network
        base, _, length = network.subnets[0].subnet.partition("/")
        self.network = network
        self.interface = attachment.interface
        self.text = attachment.addresses[0].partition("/")[0]
        self.length = int(length)
        self.subnet = f"{base}/{length}"
        self.address = rules.pack_address(self.text)
        self.gateway = rules.pack_address(network.subnets[0].gateway)
        host = (1 << (32 - self.length)) - 1
        self.broadcast = (int.from_bytes(self.address, "big") | host).to_bytes(4, "big")


def attach(
    context: PluginContext,
    program: Netavark,
    netns: NetnsRef,
    request: AttachRequest,
    attachments: tuple[Attachment, ...],
) -> dict[str, Any] | None:
    """Netavark's answer, made without it; None where it has to be asked. Raises HalfMade."""
    if not _is_plain(context, program, request, attachments):
        return None
    try:
        with _Channels(netns.path) as channels:
            return _Setup(context, channels, request, [Spot(each) for each in attachments]).run()
    except (Declined, rules.Unexpected, netlink.Interrupted, ValueError) as error:
        context.log.debug("swift_setup_declined", reason=str(error) or type(error).__name__)
        return None


def _is_plain(
    context: PluginContext, program: Netavark, request: AttachRequest, attachments: tuple[Attachment, ...]
) -> bool:
    firewall = str(context.config.get("firewall_driver") or "")
    # Without a word of the configuration, netavark asks the system bus for firewalld.
    ours = firewall == "iptables" or (not firewall and not os.path.exists("/run/dbus/system_bus_socket"))
    if program.version[:2] != (1, 4) or not ours or request.outer is not None or context.facts.rootless:
        return False
    if any(port.protocol not in ("tcp", "udp") or ":" in port.host_ip for port in request.ports):
        return False
    return all(_is_plain_bridge(each) for each in attachments)


def _is_plain_bridge(attachment: Attachment) -> bool:
    network = attachment.network
    special = network.options or network.routes or network.dns_enabled or network.ipv6_enabled or network.internal
    return (
        network.driver == "bridge"
        and network.ipam_driver == "host-local"
        and not special
        and not attachment.mac
        and not attachment.options
        and len(network.subnets) == len(attachment.addresses) == 1
        and ":" not in network.subnets[0].subnet
        and bool(network.subnets[0].gateway)
    )


class _Channels:
    """Netlink to the host, to the container and to the firewall."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> _Channels:
        self.host = netlink.Channel(netlink.NETLINK_ROUTE)
        try:
            self.descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self.inside = in_thread(self._enter)
        except OSError as error:
            self.host.close()
            raise Declined(f"{self.path}: {error.strerror}") from error
        self.firewall = netlink.Channel(netlink.NETLINK_NETFILTER)
        return self

    def _enter(self) -> netlink.Channel:
        enter_netns(self.path)
        return netlink.Channel(netlink.NETLINK_ROUTE)

    def __exit__(self, *_: object) -> None:
        for channel in (self.host, self.inside, self.firewall):
            channel.close()
        os.close(self.descriptor)


class _Setup:
    """One swift setup: everything is looked at first, and only then changed."""

    def __init__(self, context: PluginContext, channels: _Channels, request: AttachRequest, spots: list[Spot]) -> None:
        self._context = context
        self._channels = channels
        self._request = request
        self._spots = spots

    def run(self) -> dict[str, Any]:
        """Make it. Raises Declined, Unexpected, Interrupted before the first change, HalfMade after."""
        restore = self._context.find_program("iptables-restore")
        known = {link.name: link for link in links.all_links(self._channels.host)}
        inside = {link.name for link in links.all_links(self._channels.inside)}
        if restore is None or any(spot.interface in inside for spot in self._spots):
            raise Declined("interface there already, or no iptables-restore")
        for spot in self._spots:
            link = known.get(spot.network.interface)
            if link is not None and link.kind != "bridge":
                raise Declined(f"{link.name} is a {link.kind}")
        text = self._rules(rules.read(self._channels.firewall, (rules.IPV4,)))
        try:
            answer = {spot.network.name: self._link(spot, known.get(spot.network.interface)) for spot in self._spots}
        except OSError as error:
            raise HalfMade(f"netlink: {error.strerror}") from error
        result = self._context.run_command(
            Command(argv=(restore, "--noflush", "--wait"), env={"PATH": self._context.facts.path}, input=text.encode())
        )
        if result.code:
            raise HalfMade(f"iptables-restore: {result.stderr.decode(errors='replace').strip()}")
        return answer

    def _rules(self, ruleset: rules.Ruleset) -> str:
        filters: list[str] = []
        nat: list[str] = []
        rules.require_generic(ruleset)
        for spot in self._spots:
            _, forward = rules.chain_names(spot.network.name)
            if not rules.has_network(ruleset, spot.network):
                own = firewall.network_rules(spot.network.name, spot.subnet)
                filters += own[0]
                nat += own[1]
            if self._request.ports:
                if (rules.IPV4, "nat", forward) not in ruleset.chains:
                    nat.append(f"-N {forward}")
                for port in sorted_ports(self._request.ports):
                    nat += firewall.port_rules(self._request, spot.network.name, (spot.subnet, spot.text), port)
        parts = [("filter", filters), ("nat", nat)]
        return "".join(f"*{table}\n" + "\n".join(lines) + "\nCOMMIT\n" for table, lines in parts if lines)

    def _link(self, spot: Spot, bridge: links.Link | None) -> dict[str, Any]:
        host, inside = self._channels.host, self._channels.inside
        _set("/proc/sys/net/ipv4/ip_forward", "1")
        inside.ask(RTM_SETLINK, _up(links.LOOPBACK), CREATE | EXCLUSIVE)
        index = self._bridge(spot) if bridge is None else bridge.index
        host.ask(links.RTM_NEWLINK, _veth(spot.interface, index, self._channels.descriptor), CREATE | EXCLUSIVE)
        near, far, mac = _ends(inside, spot.interface)
        in_thread(lambda: self._inside_settings(spot.interface))
        host.ask(RTM_SETLINK, _up(far), CREATE | EXCLUSIVE)
        inside.ask(RTM_NEWADDR, _address(near, spot.address, spot), CREATE | EXCLUSIVE)
        inside.ask(RTM_SETLINK, _up(near), CREATE | EXCLUSIVE)
        inside.ask(RTM_NEWROUTE, _default_route(spot.gateway), CREATE)
        if self._request.ports:
            _set(f"/proc/sys/net/ipv4/conf/{spot.network.interface}/route_localnet", "1")
        gateway = spot.network.subnets[0].gateway
        subnets = [{"ipnet": f"{spot.text}/{spot.length}", "gateway": gateway}]
        interfaces = {spot.interface: {"mac_address": mac, "subnets": subnets}}
        return {"dns_search_domains": [], "dns_server_ips": [], "interfaces": interfaces}

    def _bridge(self, spot: Spot) -> int:
        host, name = self._channels.host, spot.network.interface
        kind = netlink.attribute(links.IFLA_LINKINFO, netlink.attribute(links.IFLA_INFO_KIND, b"bridge"))
        body = links.INFO.pack(0, 0, 0, 0, 0) + kind + netlink.text(links.IFLA_IFNAME, name)
        host.ask(links.RTM_NEWLINK, body, CREATE | EXCLUSIVE)
        index = int(links.INFO.unpack_from(_found(host, name))[2])
        host.ask(RTM_NEWADDR, _address(index, spot.gateway, spot), CREATE | EXCLUSIVE)
        host.ask(RTM_SETLINK, _up(index), CREATE | EXCLUSIVE)
        return index

    def _inside_settings(self, interface: str) -> None:
        enter_netns(self._channels.path)
        if os.path.exists("/proc/sys/net/ipv6"):
            _set(f"/proc/sys/net/ipv6/conf/{interface}/autoconf", "0")


def _up(index: int) -> bytes:
    return links.INFO.pack(0, 0, index, UP, UP)


def _veth(interface: str, bridge: int, namespace: int) -> bytes:
    kind = netlink.attribute(links.IFLA_INFO_KIND, b"veth")
    peer = links.INFO.pack(0, 0, 0, 0, 0) + netlink.attribute(links.IFLA_LINKINFO, kind)
    peer += netlink.text(links.IFLA_IFNAME, interface)
    peer += netlink.attribute(IFLA_NET_NS_FD, struct.pack("=I", namespace))
    data = netlink.attribute(IFLA_INFO_DATA, netlink.attribute(VETH_INFO_PEER, peer))
    master = netlink.attribute(links.IFLA_MASTER, struct.pack("=I", bridge))
    return links.INFO.pack(0, 0, 0, 0, 0) + netlink.attribute(links.IFLA_LINKINFO, kind + data) + master


def _address(index: int, address: bytes, spot: Spot) -> bytes:
    head = struct.pack("=BBBBI", _socket.AF_INET, spot.length, 0, 0, index)
    return head + netlink.attribute(IFA_BROADCAST, spot.broadcast) + netlink.attribute(IFA_LOCAL, address)


def _default_route(gateway: bytes) -> bytes:
    head = struct.pack("=BBBBBBBBI", _socket.AF_INET, 0, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, 0, _UNICAST, 0)
    metric = netlink.attribute(RTA_PRIORITY, struct.pack("=I", METRIC))
    return head + netlink.attribute(RTA_DST, bytes(4)) + netlink.attribute(RTA_GATEWAY, gateway) + metric


def _found(channel: netlink.Channel, name: str) -> bytes:
    answer = channel.ask(links.RTM_GETLINK, links.INFO.pack(0, 0, 0, 0, 0) + netlink.text(links.IFLA_IFNAME, name))
    if answer is None:
        raise OSError(19, f"no link {name}")
    return answer[1]


def _ends(inside: netlink.Channel, interface: str) -> tuple[int, int, str]:
    """The index inside, the other end's outside, and the hardware address."""
    body = _found(inside, interface)
    attributes = netlink.attributes(body[links.INFO.size :])
    far = struct.unpack("=I", attributes[links.IFLA_LINK])[0]
    return int(links.INFO.unpack_from(body)[2]), int(far), attributes[IFLA_ADDRESS].hex(":")


def _set(path: str, value: str) -> None:
    """A kernel setting, written only where it differs: some hosts mount /proc/sys read-only."""
    with open(path, encoding="ascii") as file:
        if file.read().strip() == value:
            return
    with open(path, "w", encoding="ascii") as file:
        file.write(value)
