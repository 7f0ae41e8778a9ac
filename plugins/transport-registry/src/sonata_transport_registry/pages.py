"""Lists that come in pages."""

from __future__ import annotations

MOST_PAGES = 10_000


def next_link(header: str) -> str:
    """The address of a `Link` header with `rel="next"` (RFC 8288); only path and query of it are used."""
    for part in header.split(","):
        address, _, rest = part.partition(">")
        if 'rel="next"' in rest.replace(" ", "") or "rel=next" in rest.replace(" ", ""):
            return address.strip().removeprefix("<")
    return ""
