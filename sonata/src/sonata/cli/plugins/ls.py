"""`sonata plugin ls`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.plugins.listing import ListedPlugin

COLUMNS = (
    ("Kind", "KIND"),
    ("Name", "NAME"),
    ("Distribution", "DISTRIBUTION"),
    ("Version", "VERSION"),
    ("Contract", "CONTRACT"),
    ("File", "FILE"),
    ("State", "STATE"),
)


def command(parsed: Parsed, call: Call) -> int:
    """List the plugins that are installed, and whether each can be used here."""
    from sonata.cli.render.report import Report, is_json, render_rows
    from sonata.engine.plugins.listing import listing

    found = listing(call.engine)
    form = parsed.get("format")
    if parsed["quiet"] and form is None:
        print("".join(f"{one.kind}/{one.name}\n" for one in found), end="")
        return 0
    rows = [fields(one) for one in found]
    if form is not None and is_json(form):
        from sonata.cli.render.json import dumps

        print(dumps(rows, indent=2))
        return 0
    report = Report("plugin ls", "plugins.listed", COLUMNS)
    print(render_rows(report, rows, form, heading=not parsed["noheading"]), end="")
    return 0


def fields(one: ListedPlugin) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    return {
        "Kind": one.kind,
        "Name": one.name,
        "Distribution": one.distribution,
        "Version": one.version,
        "Contract": one.contract,
        "File": one.file,
        "State": one.state,
    }
