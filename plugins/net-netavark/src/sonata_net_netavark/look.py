"""A network namespace as it is: its links, their addresses, the routes of its main table. Linux, rtnetlink."""

from __future__ import annotations

import _socket
import struct

from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.spawn import enter_netns
from sonata_core.sdk.syscalls import in_thread
from sonata_net_netavark import links, netlink

if TYPE_CHECKING:
    from collections.abc import Mapping

RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_GETROUTE = 20, 22, 24, 26
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_IFA_ADDRESS, _IFA_LOCAL, _GLOBAL = 1, 2, 0
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 1, 4, 5, 6
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


def at(path: str) -> Place | None:
    """The namespace pinned at `path` (empty: this thread's); None where there is none. Raises OSError."""

    def work() -> Place:
        if path:
            enter_netns(path)
        return here()

    try:
        return in_thread(work) if path else here()
    except (FileNotFoundError, NotADirectoryError):
        return None


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
    gateway = found.get(_RTA_GATEWAY)
    through = f" via {_socket.inet_ntop(family, gateway)}" if gateway is not None else ""
    metric = _number(found.get(_RTA_PRIORITY), 0)
    return [
        f"{where}{through} dev {names.get(_number(found.get(_RTA_OIF), 0), '')} proto static"
        + (f" metric {metric}" if metric else "")
    ]


def _number(value: bytes | None, default: int) -> int:
    return default if value is None else int(struct.unpack("=i", value)[0])
