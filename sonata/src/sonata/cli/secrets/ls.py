"""`sonata secret ls`."""

from __future__ import annotations

import time

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.store.secrets import Secret

COLUMNS = (
    ("ID", "ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("CreatedAt", "CREATED"),
    ("UpdatedAt", "UPDATED"),
)
HEADINGS = {"CreatedAt": "CREATED", "UpdatedAt": "UPDATED"}


def command(parsed: Parsed, call: Call) -> int:
    """List secrets, sorted by name. `json` is no format of this command, as in Podman."""
    from sonata.cli.render.report import Report, render_rows
    from sonata.engine.secrets import listed

    found = listed(call.engine, tuple(parsed["filter"]))
    form = parsed.get("format")
    if parsed["quiet"] and form is None:
        print("".join(f"{one.id}\n" for one in found), end="")
        return 0
    report = Report("ls", "entities.SecretListReport", COLUMNS, HEADINGS)
    rows = [fields(one, time.time()) for one in found]
    print(render_rows(report, rows, form, heading=not parsed["noheading"]), end="")
    return 0


def fields(secret: Secret, now: float) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    from sonata.cli.render.human import human_duration

    def ago(moment: int) -> str:
        return f"{human_duration(max(now - moment / 1e9, 0))} ago"

    return {
        "CreatedAt": ago(secret.created_ns),
        "Driver": secret.driver,
        "ID": secret.id,
        "Name": secret.name,
        "UpdatedAt": ago(secret.updated_ns),
    }
