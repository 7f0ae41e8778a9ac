"""The interfaces of a network namespace and their addresses, read from the kernel without a program.

By the C module behind `socket`: the package brings `enum`, `selectors` and `collections` into every `run`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from _socket import AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_DGRAM, if_nameindex, inet_ntoa, inet_ntop, socket

from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AddressResult, InterfaceResult
from sonata_core.sdk import syscalls
from sonata_core.sdk.spawn import enter_netns

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIOCGIFADDR, _SIOCGIFNETMASK, _SIOCGIFHWADDR = 0x8915, 0x891B, 0x8927
_LINK_LOCAL = "20"
"""The scope of an address of the link, as /proc/net/if_inet6 has it."""


def interfaces(network: str, netns: str = "") -> tuple[InterfaceResult, ...]:
    """Interfaces of a namespace (empty: our own) but for its loopback, named as those of `network`. Raises OSError."""

    def work() -> tuple[InterfaceResult, ...]:
        if netns:
            enter_netns(netns)
        asked = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
        try:
            names = [name for _, name in if_nameindex() if name != "lo"]
            found = (_one(asked, name, network) for name in names)
            return tuple(one for one in found if one is not None)
        finally:
            asked.close()

    return syscalls.in_thread(work) if netns else work()


def host_address(inside: Iterable[InterfaceResult]) -> str:
    """An IPv4 address of this host that is none of a container's own, by which that reaches it; empty for none."""
    own = {one.address.partition("/")[0] for part in inside for one in part.addresses}
    for part in interfaces(""):
        for one in part.addresses:
            address = one.address.partition("/")[0]
            if ":" not in address and address not in own:
                return address
    return ""


def _one(asked: socket, name: str, network: str) -> InterfaceResult | None:
    """An interface; None where it went since it was listed, as those of other containers do."""
    found = [*_ipv4(asked, name), *_ipv6(name)]
    try:
        mac = _ask(asked, _SIOCGIFHWADDR, name)[18:24]
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        return None
    return InterfaceResult(network=network, interface=name, mac=mac.hex(":"), addresses=tuple(found))


def _ask(asked: socket, request: int, name: str) -> bytes:
    return fcntl.ioctl(asked.fileno(), request, struct.pack("256s", os.fsencode(name)[:15]))


def _ipv4(asked: socket, name: str) -> list[AddressResult]:
    try:
        address = inet_ntoa(_ask(asked, _SIOCGIFADDR, name)[20:24])
        mask = _ask(asked, _SIOCGIFNETMASK, name)[20:24]
    except OSError:  # an interface that has none
        return []
    length = int.from_bytes(mask, "big").bit_count()
    return [AddressResult(address=f"{address}/{length}", gateway=_gateway(name))]


def _gateway(name: str) -> str:
    """Where the default route of an interface leads."""
    with open("/proc/thread-self/net/route", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if len(words) > 7 and words[0] == name and words[1] == words[7] == "00000000":
                return inet_ntoa(struct.pack("=L", int(words[2], 16)))
    return ""


def _ipv6(name: str) -> list[AddressResult]:
    found = []
    try:
        with open("/proc/thread-self/net/if_inet6", encoding="utf-8") as file:
            rows = [line.split() for line in file]
    except FileNotFoundError:  # a kernel without IPv6
        return []
    for address, _, length, scope, _, interface in rows:
        if interface == name and scope != _LINK_LOCAL:
            text = inet_ntop(AF_INET6, bytes.fromhex(address))
            found.append(AddressResult(address=f"{text}/{int(length, 16)}"))
    return found
