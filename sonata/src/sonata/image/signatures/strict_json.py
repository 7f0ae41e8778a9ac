"""JSON for documents that decide about trust: nothing in it may be read in two ways."""

from __future__ import annotations

from sonata_core.naming import shown


def loads(content: bytes, limit: int) -> object:
    """The value. Raises ValueError for a doubled member, NaN, more bytes than `limit`, or too deep a document."""
    if len(content) > limit:
        raise ValueError(f"it has {len(content)} bytes, more than {limit}")
    import json

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refused)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"Duplicate key {shown(name)}")
        found[name] = value
    return found


def _refused(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
