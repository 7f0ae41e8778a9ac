"""Networks: bridges, the firewall, forwarding, and subnets that are taken."""

from __future__ import annotations

import sys

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_core.record import Record
from sonata_core.sdk import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.host.kernel import Kernel
    from sonata_core.models.process import CommandResult

_ADD_BRIDGE = 0x89A0
"""SIOCBRADDBR of linux/sockios.h."""


class Firewall(Record):
    """`tool` is iptables or nft; `trouble` why it cannot be used in a fresh network namespace."""

    tool: str
    path: str = ""
    trouble: str = ""


def bridge_trouble(kernel: Kernel) -> str:
    """Make a bridge in a network namespace of its own; why that cannot be done, or empty."""
    import fcntl
    import socket

    def attempt() -> None:
        kernel.unshare(syscalls.CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
            fcntl.ioctl(control, _ADD_BRIDGE, b"sonatadoctor0\0".ljust(16, b"\0"))

    try:
        syscalls.in_thread(attempt)
    except OSError as trouble:
        return trouble.strerror or str(trouble)
    return ""


def probe_firewall(
    kernel: Kernel, tool: str, find: Callable[[str], str | None], run: Callable[[Command], CommandResult]
) -> Firewall:
    """Look for the firewall's tool, and let it list its rules in a network namespace of its own."""
    path = find(tool)
    if path is None:
        return Firewall(tool=tool)
    argv = (path, "-w", "-t", "nat", "-n", "-L") if tool == "iptables" else (path, "list", "ruleset")

    def attempt() -> CommandResult:
        kernel.unshare(syscalls.CLONE_NEWNET)
        return run(Command(argv=argv, timeout=10.0))

    try:
        result = syscalls.in_thread(attempt)
    except (SonataError, OSError) as trouble:
        return Firewall(tool=tool, path=path, trouble=str(trouble))
    text = result.stderr.decode("utf-8", "replace").strip().split("\n")[0] if result.code else ""
    return Firewall(tool=tool, path=path, trouble=text or (f"exit code {result.code}" if result.code else ""))


def check_firewall(firewall: Firewall) -> Iterator[Finding]:
    """Whether rules can be made."""
    package = "nftables" if firewall.tool == "nft" else "iptables"
    if not firewall.path:
        yield warning(
            f"program-{firewall.tool}",
            f"{firewall.tool} is missing: bridge networks cannot be used",
            f"no {firewall.tool} in the helper folders or in PATH",
            f"apt-get install {package}",
        )
    elif firewall.trouble:
        yield warning(
            "firewall",
            f"{firewall.tool} cannot be used: bridge networks cannot be used",
            f"{firewall.path}: {firewall.trouble}",
            "modprobe -a ip_tables iptable_nat nf_tables nft_chain_nat",
        )


def check_bridge(trouble: str) -> Iterator[Finding]:
    """Whether the kernel makes bridges."""
    if trouble:
        yield warning(
            "bridge",
            "no bridge can be made: bridge networks cannot be used",
            f"SIOCBRADDBR in a network namespace of its own: {trouble}",
            "modprobe bridge",
        )


def check_forwarding(value: str | None, writable: bool) -> Iterator[Finding]:
    """`value` of net.ipv4.ip_forward; netavark switches it on, where it can."""
    if value == "0" and not writable:
        yield warning(
            "ip-forward",
            "packets are not forwarded: containers on bridge networks reach nothing",
            "net.ipv4.ip_forward is 0, and /proc/sys is read-only",
            "sysctl -w net.ipv4.ip_forward=1",
        )
    elif value is None:
        yield error("ip", "the kernel has no IPv4", "/proc/sys/net/ipv4/ip_forward is absent", "boot another kernel")


def check_port_start(value: str | None, rootless: bool) -> Iterator[Finding]:
    """`value` of net.ipv4.ip_unprivileged_port_start, which limits what ordinary users publish."""
    if rootless and value is not None and value.isdigit() and int(value) > 1024:
        yield note(
            "port-start",
            f"ports below {value} cannot be published",
            f"net.ipv4.ip_unprivileged_port_start is {value}",
            "sysctl -w net.ipv4.ip_unprivileged_port_start=1024",
        )


def check_subnet(subnet: str, bridge: str, routes: str) -> Iterator[Finding]:
    """Whether another interface is in the default network's subnet. `routes`: /proc/net/route."""
    wanted = network_of(subnet)
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[0] == bridge:
            continue
        target, mask = _swapped(fields[1]), _swapped(fields[7])
        if mask == 0:
            continue
        both = mask & wanted[1]
        if target & both == wanted[0] & both:
            yield warning(
                "subnet",
                f"the default network's subnet {subnet} is in use by another interface",
                f"/proc/net/route: {dotted(target)}/{mask.bit_count()} on {fields[0]}",
                "printf '[network]\\ndefault_subnet = \"10.90.0.0/16\"\\n' > "
                "/etc/containers/containers.conf.d/subnet.conf",
            )


def network_of(subnet: str) -> tuple[int, int]:
    """Address and mask of `10.88.0.0/16` as numbers."""
    base, _, prefix = subnet.partition("/")
    address = 0
    for part in base.split("."):
        address = address << 8 | int(part)
    return address, (0xFFFFFFFF << 32 - int(prefix)) & 0xFFFFFFFF


def dotted(address: int) -> str:
    """A number as an address."""
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _swapped(text: str) -> int:
    """/proc/net/route writes addresses as the machine keeps them."""
    return int.from_bytes(bytes.fromhex(text)[::-1] if sys.byteorder == "little" else bytes.fromhex(text), "big")
