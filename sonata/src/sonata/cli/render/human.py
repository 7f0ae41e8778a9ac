"""Sizes and times as people say them, to the letter as go-units does."""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def human_size(amount: float, digits: int = 4) -> str:
    """Bytes in units of 1000 with that many digits: `2.746MB`."""
    return _scaled(amount, 1000.0, _DECIMAL, digits)


def image_size(amount: float) -> str:
    """Bytes as `images` and `history` show them: three digits, and a blank before the unit: `2.75 MB`."""
    text = human_size(amount, 3)
    digits = text.rstrip("BkMGTPEZY")
    return f"{digits} {text[len(digits) :]}"


def bytes_size(amount: float) -> str:
    """Bytes in units of 1024: `2.619MiB`."""
    return _scaled(amount, 1024.0, _BINARY, 4)


def _scaled(amount: float, base: float, units: tuple[str, ...], digits: int) -> str:
    at = 0
    while amount >= base and at < len(units) - 1:
        amount /= base
        at += 1
    return f"{amount:.{digits}g}{units[at]}"


_LONGER = ((24 * 7 * 2, 24, "days"), (24 * 30 * 2, 24 * 7, "weeks"), (24 * 365 * 2, 24 * 30, "months"))


def human_duration(seconds: float) -> str:
    """How long: `Less than a second`, `5 minutes`, `About an hour`, `3 weeks`."""
    whole = int(seconds)
    if whole < 60:
        return "Less than a second" if whole < 1 else "1 second" if whole == 1 else f"{whole} seconds"
    minutes = whole // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for below, unit, name in _LONGER:
        if hours < below:
            return f"{hours // unit} {name}"
    return f"{int(seconds / 3600) // 24 // 365} years"
