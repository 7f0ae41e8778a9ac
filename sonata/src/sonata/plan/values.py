"""Small grammars that many options share: whole numbers, sizes, durations, booleans."""

from __future__ import annotations

from sonata_core.errors import UsageError

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIMES = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_INT64 = 2**63 - 1


def is_digits(text: str) -> bool:
    """Whether text is ASCII digits only (`str.isdigit` also takes other scripts' digits)."""
    return text.isascii() and text.isdigit()


def atoi(text: str, func: str = "Atoi") -> int:
    """A decimal integer as Go's strconv reads it. Raises UsageError with strconv's text."""
    bare = text[1:] if text[:1] in ("+", "-") else text
    if not is_digits(bare):
        raise UsageError(f"strconv.{func}: parsing {go_quote(text)}: invalid syntax")
    value = int(text) if len(text) < 25 else _INT64 + 1
    if not -_INT64 - 1 <= value <= _INT64:
        raise UsageError(f"strconv.{func}: parsing {go_quote(text)}: value out of range")
    return value


def go_quote(text: str) -> str:
    """Text in double quotes as Go's %q shows it (for what occurs in options)."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{quoted}"'


def size(text: str, base: int = 1024) -> int:
    """Bytes of a size such as `64m`, `1.5GiB` or `512`; units are powers of 1024 (go-units RAMInBytes).

    With `base` 1000 they are powers of that (go-units FromHumanSize).
    """
    end = max((i for i, char in enumerate(text) if char in "0123456789. "), default=-1) + 1
    number, unit = text[:end].rstrip(" "), text[end:].lower()
    whole = number.replace(".", "", 1)
    if not is_digits(whole) or end - len(number) > 1:
        raise UsageError(f"invalid size: '{text}'")
    for tail in ("ib", "b"):
        if unit.endswith(tail):
            unit = unit[: -len(tail)]
            break
    if unit not in _UNITS:
        raise UsageError(f"invalid suffix: '{text[end:]}'")
    value = int(float(number) * base ** _UNITS[unit]) if "." in number else int(number) * base ** _UNITS[unit]
    if value > _INT64:
        raise UsageError(f"invalid size: '{text}'")
    return value


def duration(text: str) -> int:
    """Nanoseconds of a Go duration (`1h30m`, `1.5s`, `0`). Raises UsageError with Go's text."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total = 0
    if not rest:
        raise UsageError(f"time: invalid duration {go_quote(text)}")
    while rest:
        number = _leading(rest, "0123456789.")
        rest = rest[len(number) :]
        unit = ""
        while rest and rest[0] not in "0123456789.":
            unit, rest = unit + rest[0], rest[1:]
        if not is_digits(number.replace(".", "", 1)):
            raise UsageError(f"time: invalid duration {go_quote(text)}")
        if not unit:
            raise UsageError(f"time: missing unit in duration {go_quote(text)}")
        if unit not in _TIMES:
            raise UsageError(f"time: unknown unit {go_quote(unit)} in duration {go_quote(text)}")
        total += round(float(number) * _TIMES[unit])
    return -total if text[0] == "-" else total


def _leading(text: str, allowed: str) -> str:
    for index, char in enumerate(text):
        if char not in allowed:
            return text[:index]
    return text


def boolean(text: str) -> bool:
    """A boolean as Go's strconv.ParseBool reads it."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise UsageError(f"strconv.ParseBool: parsing {go_quote(text)}: invalid syntax")


def is_name(text: str) -> bool:
    """Whether text may name an object: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`."""
    return text.isascii() and text[:1].isalnum() and all(char.isalnum() or char in "_.-" for char in text)


def require_name(text: str, doing: str = "running container create option: ") -> str:
    """The name, or UsageError with Podman's text."""
    if not is_name(text):
        raise UsageError(f"{doing}names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
    return text
