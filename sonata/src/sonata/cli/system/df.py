"""`sonata system df`."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.system.df import Usage

COLUMNS = (
    ("Type", "TYPE"),
    ("Total", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
)


def command(parsed: Parsed, call: Call) -> int:
    """Print how much of the disk images, containers, volumes and caches take."""
    from sonata.cli.render.report import Report, is_json, render_rows
    from sonata.engine.system.df import usage

    form = parsed.get("format")
    if parsed["verbose"] and form is not None:
        raise UsageError("cannot combine --format and --verbose flags")
    found = usage(call.engine)
    if parsed["verbose"]:
        from sonata.cli.render.table import align_cells

        for title, table in found.tables:
            print(f"{title} space usage:\n")
            print(align_cells([[str(cell) for cell in row] for row in table]))
        return 0
    rows = [fields(kind) for kind in found.kinds]
    if form is not None and is_json(form):
        from sonata.cli.render.json import dumps

        print("[\n" + ",\n".join("    " + dumps(as_json(row)) for row in rows) + "\n]")
        return 0
    print(render_rows(Report("system df", "system.dfSummary", COLUMNS), rows, form), end="")
    return 0


def fields(kind: Usage) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    from sonata.cli.render.human import human_size

    percent = int(100 * kind.reclaimable / kind.size + 0.5) if kind.size else 0
    return {
        "Type": kind.type,
        "Total": kind.total,
        "Active": kind.active,
        "RawSize": kind.size,
        "RawReclaimable": kind.reclaimable,
        "Size": human_size(kind.size),
        "Reclaimable": f"{human_size(kind.reclaimable)} ({percent}%)",
    }


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """The object of `--format json`."""
    names: Sequence[str] = ("Type", "Total", "Active", "RawSize", "RawReclaimable")
    return {
        **{name: row[name] for name in names},
        "TotalCount": row["Total"],
        "Size": row["Size"],
        "Reclaimable": row["Reclaimable"],
    }
