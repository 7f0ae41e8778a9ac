"""A network namespace as it is: its links, their addresses, the routes of its main table. Linux, rtnetlink."""

from __future__ import annotations

import _socket
import errno
import os
import struct

from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.spawn import enter_netns
from sonata_core.sdk.syscalls import in_thread
from sonata_net_netavark import links, netlink

if TYPE_CHECKING:
    from collections.abc import Mapping

RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_GETROUTE = 20, 22, 24, 26
_OWN = "/proc/thread-self/ns/net"
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_IFA_ADDRESS, _IFA_LOCAL, _GLOBAL = 1, 2, 0
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH = 1, 4, 5, 6, 9
_HOP = struct.Struct("=HBBi")
"""struct rtnexthop: its length with its attributes, flags, weight, the link's index."""
_MAIN, _UNICAST, _STATIC = 254, 1, 4
_UP = 1
_TRIES = 20


class Seen(Record):
    """A link. `peer` is the index of a veth's other end, in the namespace that `peer_namespace` is the id of."""

    index: int
    name: str
    kind: str
    master: int
    up: bool
    peer: int
    peer_namespace: int


class Place(Record):
    """A namespace at one moment: links by name, addresses in CIDR form by link, static routes as `ip` writes them."""

    links: "Mapping[str, Seen]"
    addresses: "Mapping[str, tuple[str, ...]]"
    routes: tuple[str, ...]

    def bridge_of(self, link: Seen) -> str:
        """The name of the link that this one is a port of; empty for none."""
        return next((one.name for one in self.links.values() if link.master and one.index == link.master), "")


def at(path: str, host: str | None = None) -> Place | None:
    """The namespace pinned at `path` (empty: this thread's); None where there is none. Raises OSError.

    `host`: the path of the namespace that has its veths' other ends (empty: this thread's). Those that are elsewhere
    have no `peer`: by its number alone it could be taken for another link.
    """

    def work() -> Place:
        if host is None:
            if path:
                enter_netns(path)
            return here()
        outside = os.open(host or _OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter_netns(path)
            return _only_to(here(), outside)
        finally:
            os.close(outside)

    try:
        return in_thread(work) if path else here()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.EINVAL:  # a file that nothing is mounted on
            return None
        raise


def _only_to(place: Place, host: int) -> Place:
    channel = netlink.Channel(netlink.NETLINK_ROUTE)
    try:
        known = links.namespace_id(channel, f"/proc/self/fd/{host}")
    finally:
        channel.close()
    kept = {
        name: one if one.kind != "veth" or one.peer_namespace == known else one.replace(peer=0)
        for name, one in place.links.items()
    }
    return place.replace(links=kept)


def here() -> Place:
    """The calling thread's namespace. Raises OSError."""
    channel = netlink.Channel(netlink.NETLINK_ROUTE)
    try:
        for _ in range(_TRIES):
            try:
                return _look(channel)
            except netlink.Interrupted:
                continue
        raise OSError(16, "the host's links change all the time")
    finally:
        channel.close()


def _look(channel: netlink.Channel) -> Place:
    found = [_link(body) for kind, body in channel.dump(links.RTM_GETLINK, links.INFO.pack(0, 0, 0, 0, 0))]
    names = {one.index: one.name for one in found}
    addresses: dict[str, list[str]] = {}
    for kind, body in channel.dump(RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
        if kind == RTM_NEWADDR:
            _address(body, names, addresses)
    routes = []
    for family in (_socket.AF_INET, _socket.AF_INET6):
        for kind, body in channel.dump(RTM_GETROUTE, _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            if kind == RTM_NEWROUTE:
                routes += _route(body, names)
    return Place(
        links={one.name: one for one in found},
        addresses={name: tuple(each) for name, each in addresses.items()},
        routes=tuple(routes),
    )


def _link(body: bytes) -> Seen:
    _family, _type, index, flags, _change = links.INFO.unpack_from(body)
    found = netlink.attributes(body[links.INFO.size :])
    info = netlink.attributes(found.get(links.IFLA_LINKINFO, b""))
    return Seen(
        index=index,
        name=netlink.string(found.get(links.IFLA_IFNAME)),
        kind=netlink.string(info.get(links.IFLA_INFO_KIND)),
        master=_number(found.get(links.IFLA_MASTER), 0),
        up=bool(flags & _UP),
        peer=_number(found.get(links.IFLA_LINK), 0),
        peer_namespace=_number(found.get(links.IFLA_LINK_NETNSID), links.HERE),
    )


def _address(body: bytes, names: dict[int, str], into: dict[str, list[str]]) -> None:
    family, length, _flags, scope, index = _ADDRESS.unpack_from(body)
    found = netlink.attributes(body[_ADDRESS.size :])
    packed = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS))
    if packed is not None and scope == _GLOBAL:
        into.setdefault(names.get(index, ""), []).append(f"{_socket.inet_ntop(family, packed)}/{length}")


def _route(body: bytes, names: dict[int, str]) -> list[str]:
    family, length, _source, _tos, table, protocol, _scope, kind, _flags = _ROUTE.unpack_from(body)
    if table != _MAIN or kind != _UNICAST or protocol != _STATIC:
        return []
    found = netlink.attributes(body[_ROUTE.size :])
    packed = found.get(_RTA_DST)
    where = f"{_socket.inet_ntop(family, packed)}/{length}" if packed is not None and length else "default"
    priority = _number(found.get(_RTA_PRIORITY), 0)
    metric = f" metric {priority}" if priority else ""
    return [f"{where}{hop} proto static{metric}" for hop in _hops(family, found, names)]


def _hops(family: int, route: netlink.Attributes, names: dict[int, str]) -> list[str]:
    """Where a route leads: IPv6 makes one with several ends of those that differ in their ends alone."""
    several = route.get(_RTA_MULTIPATH)
    if several is None:
        return [_hop(family, route, names.get(_number(route.get(_RTA_OIF), 0), ""))]
    hops, at = [], 0
    while at + _HOP.size <= len(several):
        size, _flags, _weight, index = _HOP.unpack_from(several, at)
        if size < _HOP.size:
            break
        hops.append(_hop(family, netlink.attributes(several[at + _HOP.size : at + size]), names.get(index, "")))
        at += (size + 3) & ~3
    return hops


def _hop(family: int, found: netlink.Attributes, name: str) -> str:
    gateway = found.get(_RTA_GATEWAY)
    through = f" via {_socket.inet_ntop(family, gateway)}" if gateway is not None else ""
    return f"{through} dev {name}"


def _number(value: bytes | None, default: int) -> int:
    return default if value is None else int(struct.unpack("=i", value)[0])
