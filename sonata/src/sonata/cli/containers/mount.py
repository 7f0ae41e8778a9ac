"""`sonata mount`."""

from __future__ import annotations

from sonata.cli.output import lines, outcome
from sonata.cli.request import selection
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Mount containers and print where, or print those that are mounted. Raises UsageError for other formats."""
    from sonata.engine.containers.mounting import mount, require
    from sonata.engine.containers.select import each

    if parsed["format"] not in ("", "json"):
        raise UsageError(f'unknown --format argument: "{parsed["format"]}"')
    require(call.engine)
    select = selection(parsed)
    if not (select.names or select.all or select.latest):
        lines(_listed(call, parsed["format"], whole=parsed["no-trunc"]))
        return 0
    paths: list[str] = []
    _, failed = each(call.engine, select, lambda one: paths.append(mount(call.engine, one)))
    return outcome(paths, failed)


def _listed(call: Call, form: str, *, whole: bool) -> list[str]:
    from sonata.engine.containers.mounting import mounted

    found = mounted(call.engine)
    if form:
        from sonata.cli.render.json import dumps

        rows = [{"id": row.config.id, "Names": [row.config.name], "mountpoint": path} for row, path in found]
        return [dumps(rows, indent=1)]
    return [f"{row.config.id if whole else row.config.id[:12]}  {path}" for row, path in found]
