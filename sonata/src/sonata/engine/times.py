"""Times as users type them."""

from __future__ import annotations

from sonata.plan import values
from sonata_core.errors import UsageError


def parse_time(text: str, now: int) -> int:
    """Nanoseconds since the epoch for RFC 3339 (with or without time and zone), Unix seconds, or a Go duration ago.

    Raises UsageError.
    """
    if text.replace(".", "", 1).isdigit():
        whole, _, rest = text.partition(".")
        return int(whole) * 10**9 + int((rest + "0" * 9)[:9])
    try:
        return now - values.duration(text)
    except UsageError:
        pass
    import datetime

    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"failed to parse time/duration {values.go_quote(text)}", hint="such as 2026-01-31T12:00:00 or 10m"
        ) from error
    return int(moment.timestamp() * 10**6) * 1000
