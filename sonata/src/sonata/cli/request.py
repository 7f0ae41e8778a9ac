"""From a parsed command line to a request: a field is an option's long name with `_` for `-`."""

from __future__ import annotations

from sonata.model.container_request import Selection
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record, fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping
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


def fill_dated(cls: type[R], parsed: Parsed, environ: Mapping[str, str], **more: Any) -> R:
    """As `fill`; where no time of the image was given, that of SOURCE_DATE_EPOCH, as reproducible builds say it."""
    text = environ.get("SOURCE_DATE_EPOCH", "")
    if text and not parsed.changed("source-date-epoch"):
        if not (text.isascii() and text.isdigit()):
            raise UsageError(f'SOURCE_DATE_EPOCH: "{text}" is no number of seconds since 1970', hint="unset it")
        more["source_date_epoch"] = int(text)
    return fill(cls, parsed, **more)


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
