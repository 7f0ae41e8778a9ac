"""`sonata logs`."""

from __future__ import annotations

import sys

from sonata.cli.request import fill, selection
from sonata.model.container_request import LogsRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.containers.logs import Source
    from sonata.engine.engine import Engine

_COLOURS = ("37", "31", "32", "33", "34", "35", "36")


def to_request(parsed: Parsed) -> LogsRequest:
    """The request that the command line makes."""
    return fill(LogsRequest, parsed, select=selection(parsed))


def command(parsed: Parsed, call: Call) -> int:
    """Print what containers wrote: their standard output to ours, their standard error to ours."""
    request = to_request(parsed)
    # Whose a line is, and in which colour, is shown where it may be one of several.
    write(call.engine, request, told=len(request.select.names) > 1)
    return 0


def write(engine: Engine, request: LogsRequest, *, told: bool) -> None:
    """Print the records of the selected containers; `told`: each line says whose it is."""
    from sonata.engine.containers.logs import logs

    out, err = sys.stdout.buffer, sys.stderr.buffer
    begun = {"stdout": True, "stderr": True}
    merged = not (request.details or told)
    for source in logs(engine, request, merged=merged):
        record = source.record
        to = err if record.stream == "stderr" else out
        if not merged and begun.get(record.stream, True):
            to.write(_head(request, source, told=told))
        to.write(_text(request, record.text, told=told))
        begun[record.stream] = not record.partial
        if request.follow or to is err:
            to.flush()
    out.flush()


def _head(request: LogsRequest, source: Source, *, told: bool) -> bytes:
    """What stands before a line: who, when, and with `--details` what the log was given (`--log-opt tag, label`)."""
    who = (source.name if request.names else source.id[:12]) if told else ""
    details = ",".join(f"{name}={value}" for name, value in source.details.items()) if request.details else ""
    parts = [part for part in (who, source.when if request.timestamps else "", details) if part]
    head = " ".join(parts) + " " if parts else ""
    if told and request.color:
        head = f"\x1b[{_COLOURS[source.number % len(_COLOURS)]}m{head}"
    return head.encode()


def _text(request: LogsRequest, text: bytes, *, told: bool) -> bytes:
    """The line itself; a colour ends before its newline."""
    if told and request.color and text.endswith(b"\n"):
        return text[:-1] + b"\x1b[0m\n"
    return text
