"""What the host's own network has taken, read from /proc: no library, no program."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

IPV6_LOOPBACK = "00000000000000000000000000000001"
_GATEWAY = 0x2
_LOOPBACK = "127.0.0.0/8"


def taken(engine: Engine) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of interfaces, and subnets, of the host and of where an ordinary user's bridges are."""
    from sonata.engine.networks.shared import reference

    interfaces, subnets = live_interfaces(), live_subnets()
    shared = reference(engine)
    if shared is None:
        return interfaces, subnets
    from sonata_core.sdk.spawn import enter_netns
    from sonata_core.sdk.syscalls import in_thread

    def there() -> tuple[tuple[str, ...], tuple[str, ...]]:
        enter_netns(shared.path)
        return live_interfaces(), live_subnets()

    try:
        more = in_thread(there)
    except OSError:  # there are no bridges now
        return interfaces, subnets
    return tuple(dict.fromkeys((*interfaces, *more[0]))), tuple(dict.fromkeys((*subnets, *more[1])))


def live_interfaces() -> tuple[str, ...]:
    """Names of the host's interfaces."""
    return tuple(line.partition(":")[0].strip() for line in _lines("/proc/thread-self/net/dev")[2:])


def live_subnets() -> tuple[str, ...]:
    """Networks that the host's interfaces are on, in CIDR form: routes without a gateway, IPv6 addresses, loopback."""
    return (
        _LOOPBACK,
        *_ipv4(_lines("/proc/thread-self/net/route")[1:]),
        *_ipv6(_lines("/proc/thread-self/net/if_inet6")),
    )


def _ipv4(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or int(fields[3], 16) & _GATEWAY:
            continue
        mask = bin(int(fields[7], 16)).count("1")
        if mask:
            # The kernel prints the address's four bytes as one number of this machine's order.
            octets = int(fields[1], 16).to_bytes(4, "little")
            found.append(f"{'.'.join(str(octet) for octet in octets)}/{mask}")
    return found


def _ipv6(lines: list[str]) -> list[str]:
    found = []
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[0] != IPV6_LOOPBACK:
            groups = ":".join(fields[0][at : at + 4] for at in range(0, 32, 4))
            found.append(f"{groups}/{int(fields[2], 16)}")
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
