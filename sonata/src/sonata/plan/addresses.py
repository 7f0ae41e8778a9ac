"""IP addresses and subnets as whole numbers; `ipaddress` costs more to import than a run can spare."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton


def parse(text: str) -> tuple[int, int] | None:
    """The family (4 or 6) and value of an address; None where it is none. Zones are refused."""
    for family, version in ((AF_INET, 4), (AF_INET6, 6)):
        try:
            return version, int.from_bytes(inet_pton(family, text), "big")
        except (OSError, ValueError):
            continue
    return None


def is_address(text: str) -> bool:
    """Whether text is an IPv4 or IPv6 address."""
    return parse(text) is not None


def show(version: int, value: int) -> str:
    """The address in its usual form."""
    if version == 4:
        return inet_ntop(AF_INET, value.to_bytes(4, "big"))
    return inet_ntop(AF_INET6, value.to_bytes(16, "big"))


def parse_subnet(text: str) -> tuple[int, int, int] | None:
    """Family, first address (host bits cleared) and prefix length of a CIDR text; None where it is none."""
    address, slash, prefix = text.partition("/")
    parsed = parse(address)
    if not parsed or not slash or not (prefix.isascii() and prefix.isdigit()) or len(prefix) > 3:
        return None
    bits = 32 if parsed[0] == 4 else 128
    length = int(prefix)
    if length > bits:
        return None
    return parsed[0], parsed[1] >> (bits - length) << (bits - length), length
