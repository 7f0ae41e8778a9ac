"""The host's links: who sits on a bridge, and taking away what a container leaves. Linux, rtnetlink."""

from __future__ import annotations

import os
import struct

from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_net_netavark import netlink

if TYPE_CHECKING:
    from sonata_net_netavark.netlink import Channel

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK, RTM_GETNSID = 16, 17, 18, 19, 90
IFLA_ADDRESS = 1
IFLA_IFNAME, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 3, 5, 10, 18
IFLA_GROUP, IFLA_LINK_NETNSID, IFLA_TARGET_NETNSID = 27, 37, 46
LOOPBACK = 1
HERE = -2
IFLA_INFO_KIND = 1
NETNSA_NSID, NETNSA_FD = 1, 3
INFO = struct.Struct("=BxHiII")


class Link(Record):
    """A link of this namespace.

    `peer_namespace` is the id of the namespace in which a veth's other end lies: -1 for one that
    is going away, HERE for this one.
    """

    index: int
    name: str
    kind: str
    master: int
    group: int
    peer_namespace: int


def all_links(channel: Channel) -> tuple[Link, ...]:
    """Every link of the namespace."""
    return tuple(
        _link(body) for kind, body in channel.dump(RTM_GETLINK, INFO.pack(0, 0, 0, 0, 0)) if kind == RTM_NEWLINK
    )


def keep_addresses(names: list[str]) -> None:
    """Have bridges keep their hardware address, whoever leaves them. One that is not there is none to keep.

    Left alone a bridge has the lowest of its ports: when that one leaves, those who stay send to an address that
    nobody has, until they ask again, half a minute later.
    """
    for name in names:
        _keep_address(name)


def _keep_address(name: str) -> None:
    channel = netlink.Channel(netlink.NETLINK_ROUTE)
    try:
        answer = channel.ask(RTM_GETLINK, INFO.pack(0, 0, 0, 0, 0) + netlink.text(IFLA_IFNAME, name))
        if answer is not None:
            address = netlink.attributes(answer[1][INFO.size :])[IFLA_ADDRESS]
            index = INFO.unpack_from(answer[1])[2]
            channel.ask(RTM_SETLINK, INFO.pack(0, 0, index, 0, 0) + netlink.attribute(IFLA_ADDRESS, address))
    except OSError:
        return
    finally:
        channel.close()


def namespace_id(channel: Channel, path: str) -> int:
    """By which number this namespace knows the one pinned at `path`; -1 if by none: no link leads there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        asked = bytes(4) + netlink.attribute(NETNSA_FD, struct.pack("=I", descriptor))
        answer = channel.ask(RTM_GETNSID, asked)
    finally:
        os.close(descriptor)
    if answer is None:
        return -1
    found = netlink.attributes(answer[1][4:]).get(NETNSA_NSID)
    return -1 if found is None else int(struct.unpack("=i", found)[0])


def leads_nowhere(channel: Channel, link: Link) -> bool:
    """Whether a veth's other end lies in a namespace that nothing holds any more: the kernel will delete both."""
    if link.kind != "veth" or link.peer_namespace == HERE:
        return False
    target = netlink.attribute(IFLA_TARGET_NETNSID, struct.pack("=i", link.peer_namespace))
    try:
        channel.ask(RTM_GETLINK, INFO.pack(0, 0, LOOPBACK, 0, 0) + target)
    except OSError:
        return True
    return False


def mark(channel: Channel, link: Link, group: int) -> None:
    """Put a link into a group, so that several can be deleted in one go. Raises OSError."""
    body = INFO.pack(0, 0, link.index, 0, 0) + netlink.attribute(IFLA_GROUP, struct.pack("=I", group))
    channel.ask(RTM_NEWLINK, body)


def free_group(links: tuple[Link, ...]) -> int:
    """A group that no link is in: high, so that it is nobody's by habit."""
    taken = {link.group for link in links}
    while True:
        group = int.from_bytes(os.urandom(4), "little") & 0x3FFFFFFF | 0x40000000
        if group not in taken:
            return group


def _link(body: bytes) -> Link:
    index = INFO.unpack_from(body)[2]
    found = netlink.attributes(body[INFO.size :])
    info = netlink.attributes(found.get(IFLA_LINKINFO, b""))
    return Link(
        index=index,
        name=netlink.string(found.get(IFLA_IFNAME)),
        kind=netlink.string(info.get(IFLA_INFO_KIND)),
        master=_number(found.get(IFLA_MASTER), 0),
        group=_number(found.get(IFLA_GROUP), 0),
        peer_namespace=_number(found.get(IFLA_LINK_NETNSID), HERE),
    )


def _number(value: bytes | None, default: int) -> int:
    return default if value is None else int(struct.unpack("=i", value)[0])
