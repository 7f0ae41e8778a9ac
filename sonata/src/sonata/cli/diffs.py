"""What `diff`, `container diff` and `image diff` share."""

from __future__ import annotations

from sonata.cli.output import lines
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata_core.models.storage import Change

_LETTERS = {"modified": "C", "added": "A", "deleted": "D"}


def show_changes(parsed: Parsed, call: Call, kind: str) -> int:
    """Print what changed, a line a path or as JSON. Raises UsageError for another format."""
    from sonata.engine.changes import changes
    from sonata.engine.containers.select import one

    form = parsed["format"]
    if form not in ("", "json"):
        raise UsageError("only supported value for '--format' is 'json'")
    latest = bool(parsed.get("latest"))
    names = [one(call.engine, "", latest=True).config.id] if latest else parsed.args
    found = changes(call.engine, *names, kind=kind)
    lines([_json(found)] if form else (f"{_LETTERS[change.kind]} {change.path}" for change in found))
    return 0


def _json(found: list[Change]) -> str:
    from sonata.cli.render.json import dumps

    body = {}
    for key, kind in (("changed", "modified"), ("added", "added"), ("deleted", "deleted")):
        paths = [change.path for change in found if change.kind == kind]
        if paths:
            body[key] = paths
    return dumps(body, indent=5)
