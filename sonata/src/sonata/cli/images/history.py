"""`sonata history`."""

from __future__ import annotations

import time

from sonata.model.times import ZERO, ZERO_SECONDS, nanoseconds
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.image.view import HistoryRow

COLUMNS = (
    ("ID", "ID"),
    ("Created", "CREATED"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
)
_WIDTH = 45


def command(parsed: Parsed, call: Call) -> int:
    """Print the steps of an image, newest first."""
    from sonata.engine.images.inspect import history

    print(shown(parsed, history(call.engine, parsed.args[0]), time.time()), end="")
    return 0


def shown(parsed: Parsed, steps: Sequence[HistoryRow], now: float) -> str:
    """What is printed for the steps."""
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    if is_json(parsed["format"]):
        documents = [as_json(step) for step in steps]
        if "." in parsed["format"]:
            # Here the time is told once, as it stands in the config.
            documents = [{key: value for key, value in one.items() if key != "Created"} for one in documents]
        return json_text(parsed["format"], documents, None, escape_html=True)
    if parsed["quiet"]:
        return "".join(f"{ident(step.id, full=parsed['no-trunc'])}\n" for step in steps)
    rows = [fields(step, now, full=parsed["no-trunc"], human=parsed["human"]) for step in steps]
    return render_rows(Report("history", "images.historyReporter", COLUMNS), rows, parsed.get("format"))


def ident(text: str, *, full: bool) -> str:
    """An id, cut to twelve digits; `<missing>` stays."""
    return text if full else text[:12]


def fields(step: HistoryRow, now: float, *, full: bool, human: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    made = step.created_by
    return {
        "Comment": step.comment,
        "Created": lambda: _since(step, now) if human else _seconds(step),
        "CreatedAt": lambda: _seconds(step),
        "CreatedBy": made if full or len(made) <= _WIDTH else made[: _WIDTH - 3] + "...",
        "CreatedSince": lambda: _since(step, now),
        "ID": ident(step.id, full=full),
        "Size": lambda: _size(step.size),
        "Tags": list(step.tags),
    }


def as_json(step: HistoryRow) -> dict[str, Any]:
    """The object of `--format json`."""
    shown: dict[str, Any] = {"id": step.id, "created": step.created or ZERO}
    if step.created_by:
        shown["CreatedBy"] = step.created_by
    if step.tags:
        shown["tags"] = list(step.tags)
    shown["size"] = step.size
    if step.comment:
        shown["comment"] = step.comment
    return {**shown, "Created": _seconds(step)}


def _since(step: HistoryRow, now: float) -> str:
    from sonata.cli.images.list import ago

    return ago(now, _moment(step))


def _moment(step: HistoryRow) -> int:
    """Nanoseconds; the time that never was where the step has none."""
    try:
        return nanoseconds(step.created)
    except ValueError:
        return ZERO_SECONDS * 10**9


def _seconds(step: HistoryRow) -> str:
    when = time.gmtime(_moment(step) // 10**9)
    return f"{when.tm_year:04}" + time.strftime("-%m-%dT%H:%M:%SZ", when)


def _size(amount: int) -> str:
    from sonata.cli.render.human import human_size

    return human_size(amount, 3)
