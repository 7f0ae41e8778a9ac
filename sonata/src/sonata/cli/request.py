"""From a parsed command line to a request: a field is an option's long name with `_` for `-`."""

from __future__ import annotations

from sonata.model.container_request import Selection
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record, fields_of

if TYPE_CHECKING:
    from typing import TypeVar

    from sonata.cli.pflag import Parsed

    R = TypeVar("R", bound=Record)

RENAMED = {"replace": "replace_existing"}
"""Options whose name a record's own method has."""


def fill(cls: type[R], parsed: Parsed, **more: Any) -> R:
    """A request with every option that was given; what was not given stays the request's own default."""
    known = fields_of(cls)
    values: dict[str, Any] = {}
    for name, value in parsed.values.items():
        field = RENAMED.get(name, name.replace("-", "_"))
        if field in known:
            values[field] = tuple(value) if isinstance(value, list) else value
    if values.get("creds"):
        from sonata.cli.creds import completed

        values["creds"] = completed(values["creds"])
    values.update(more)
    return cls(**values)


def selection(parsed: Parsed) -> Selection:
    """Which containers the command line means."""
    files = parsed.get("cidfile", ())
    return Selection(
        names=tuple(parsed.args),
        all=bool(parsed.get("all")),
        latest=bool(parsed.get("latest")),
        cidfile=(files,) if isinstance(files, str) else tuple(files),
        filter=tuple(parsed.get("filter", ())),
    )
