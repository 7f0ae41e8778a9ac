"""Identifiers, file names, times and JSON text as containers/storage writes them."""

from __future__ import annotations

import os
import time

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata_core.models.ids import Digest, LayerId

_PLAIN = frozenset("0123456789abcdefghijklmnopqrstuvwxyz.")
_HEX = frozenset("0123456789abcdef")


def new_id() -> str:
    """A random id; never one whose short form is a decimal number, which peers would take for a number."""
    while True:
        text = os.urandom(32).hex()
        if not text[:12].isdigit():
            return text


def is_id(text: str) -> bool:
    """Whether a text is a whole id: safe to be used as a file name."""
    return len(text) == 64 and _HEX.issuperset(text)


def layer_id(parent: LayerId | None, diff_id: Digest) -> LayerId:
    """The id of a pulled or committed layer: its diff id, hashed with the parent's id where there is one."""
    own = diff_id.partition(":")[2]
    if parent is None:
        return own  # type: ignore[return-value]
    import hashlib

    return hashlib.sha256(f"{parent}+{own}".encode()).hexdigest()  # type: ignore[return-value]


def big_data_file(key: str) -> str:
    """The file name of a big data item. Raises ValueError for an empty key."""
    if not key:
        raise ValueError("a big data item needs a key")
    # The last character is not looked at: so do all peers, since the first version.
    if _PLAIN.issuperset(key[:-1]) and "/" not in key:
        return key
    import binascii

    return "=" + binascii.b2a_base64(key.encode(), newline=False).decode().replace("/", "_")


def format_time(nanoseconds: int) -> str:
    """RFC 3339 in UTC, up to nine fractional digits without trailing zeros."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    digits = f"{fraction:09d}".rstrip("0")
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"


_YEAR_ONE = -62_135_596_800
"""Go's zero time in seconds since 1970."""


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time, also before; 0 for none (the start of year 1, an empty text)."""
    import datetime

    base, fraction, zone = text, "", "+00:00"
    tail = text[19:]
    base = text[:19]
    if tail.startswith("."):
        digits = len(tail) - len(tail[1:].lstrip("0123456789"))
        fraction, tail = tail[1:digits], tail[digits:]
    if tail and tail not in ("Z", "z"):
        zone = tail
    try:
        moment = datetime.datetime.fromisoformat(base + zone)
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError):
        return 0
    if seconds == _YEAR_ONE:
        return 0
    return seconds * 1_000_000_000 + int(fraction[:9].ljust(9, "0") or "0")


def is_time(text: str) -> bool:
    """Whether a text is an RFC 3339 time, of which there are some before 1970."""
    return parse_time(text) != 0 or (len(text) >= 20 and text[:4].isdigit() and text[4:11:3] == "--T")


def dump_json(value: Any) -> bytes:
    """Compact JSON with the escapes that peers write."""
    from sonata_core import json_text as json

    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode("utf-8", "surrogatepass")
