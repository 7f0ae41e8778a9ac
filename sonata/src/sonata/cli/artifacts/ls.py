"""`sonata artifact ls`."""

from __future__ import annotations

import time

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.image.artifact import Artifact

COLUMNS = (
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("Created", "CREATED"),
    ("Size", "SIZE"),
)
_SHOWN = ("Digest", "Repository", "Size", "Tag", "VirtualSize")


def command(parsed: Parsed, call: Call) -> int:
    """List artifacts in the order in which they came."""
    from sonata.cli.output import outcome
    from sonata.engine.artifacts.stored import listing

    found, failed = listing(call.engine)
    print(shown(parsed, found, time.time()), end="")
    return outcome((), failed)


def shown(parsed: Parsed, found: list[Artifact], now: float) -> str:
    """What is printed for the artifacts."""
    from sonata.cli.render.gotemplate.values import Struct
    from sonata.cli.render.report import Report, render_rows

    form = parsed.get("format")
    rows = [Struct("artifact.artifactListOutput", fields(one, now, full=parsed["no-trunc"]), _SHOWN) for one in found]
    if form == "json":
        from sonata.cli.render.json import dumps

        return dumps([row.as_json() for row in rows], indent=4) + "\n"
    report = Report("ls", "artifact.artifactListOutput", COLUMNS)
    return render_rows(report, rows, form, heading=not parsed["noheading"])


def split(name: str) -> tuple[str, str]:
    """Repository and tag of a name, as it is written; without its digest."""
    from sonata_core.naming import split_name

    try:
        repository, tag, _ = split_name(name)
    except UsageError:
        return name, ""
    return repository, tag


def fields(one: Artifact, now: float, *, full: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    from sonata.cli.render.human import human_size

    repository, tag = split(one.name)
    digest = one.manifest.digest.partition(":")[2]
    return {
        "Created": lambda: _ago(one, now),
        "CreatedAt": lambda: _moment(one) or "",
        "Digest": digest if full else digest[:12],
        "Repository": repository,
        "Size": human_size(one.size),
        "Tag": tag,
        "VirtualSize": str(one.size),
    }


def _moment(one: Artifact) -> Any:
    """When it was made, by its own word; None where it says nothing, or nothing that is a time."""
    from sonata.cli.render.gotemplate.times import Time

    try:
        return Time.parse(one.created)
    except (ValueError, IndexError, OverflowError):
        return None


def _ago(one: Artifact, now: float) -> str:
    from sonata.cli.render.human import human_duration

    made = _moment(one)
    return f"{human_duration(max(now - made.nanoseconds / 1e9, 0))} ago" if made else ""
