"""IP addresses and subnets as whole numbers; `ipaddress` costs more to import than a run can spare."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from sonata_core.errors import Conflict, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


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


def first_host(subnet: str) -> str:
    """The first address that a host of the subnet can have. Raises UsageError."""
    version, base, _ = _parsed(subnet)
    return show(version, base + 1)


def first_free(wanted: Iterable[str], pools: Iterable[tuple[str, int]], taken: Iterable[str]) -> str:
    """The first of `wanted`, then of cuts from `pools`, that overlaps nothing in `taken`. Raises Conflict."""
    used = [span for span in (parse_subnet(text) for text in taken) if span is not None]
    for text in wanted:
        span = _parsed(text)
        if not any(_overlap(span, other) for other in used):
            return text
    for base, length in pools:
        version, start, prefix = _parsed(base)
        size = 1 << ((32 if version == 4 else 128) - length)
        for number in range(1 << (length - prefix)):
            span = (version, start + number * size, length)
            if not any(_overlap(span, other) for other in used):
                return f"{show(version, span[1])}/{length}"
    raise Conflict(
        "could not find free subnet from subnet pools", "name one with --subnet, or set default_subnet_pools"
    )


def _parsed(text: str) -> tuple[int, int, int]:
    span = parse_subnet(text)
    if span is None:
        raise UsageError(f"subnet {text} is invalid")
    return span


def _overlap(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    if one[0] != other[0]:
        return False
    bits = (32 if one[0] == 4 else 128) - min(one[2], other[2])
    return one[1] >> bits == other[1] >> bits
