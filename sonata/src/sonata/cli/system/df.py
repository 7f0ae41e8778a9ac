"""`sonata system df`."""

from __future__ import annotations

import time

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.system.df import ContainerUse, DiskUsage, ImageUse, Usage

COLUMNS = (
    ("Type", "TYPE"),
    ("Total", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
)
IMAGES = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS")
CONTAINERS = ("CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES")
VOLUMES = ("VOLUME NAME", "LINKS", "SIZE")


def command(parsed: Parsed, call: Call) -> int:
    """Print how much of the disk images, containers, volumes and caches take."""
    from sonata.cli.render.report import Report, is_json, json_text, render_rows
    from sonata.engine.system.df import usage

    form = parsed.get("format") or None
    if parsed["verbose"] and form is not None:
        raise UsageError("cannot combine --format and --verbose flags")
    found = usage(call.engine)
    if parsed["verbose"]:
        print(verbose(found, time.time()), end="")
        return 0
    rows = [fields(kind) for kind in found.kinds]
    if form is not None and is_json(form):
        from sonata.cli.render.json import dumps

        if "." in form:
            print(json_text(form, [as_json(row) for row in rows]), end="")
            return 0
        print("[\n" + ",\n".join("    " + dumps(as_json(row)) for row in rows) + "\n]")
        return 0
    print(render_rows(Report("df", "*system.dfSummary", COLUMNS), rows, form), end="")
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


def verbose(found: DiskUsage, now: float) -> str:
    """The three tables of `--verbose`."""
    from sonata.cli.render.human import human_size
    from sonata.cli.render.table import align_cells

    images = [cells for one in found.images for cells in _image(one, now)]
    containers = [_container(one, now) for one in found.containers]
    volumes = [[one.name, str(one.links), human_size(one.size)] for one in found.volumes]
    tables: tuple[tuple[str, Sequence[str], Iterable[list[str]]], ...] = (
        ("Images", IMAGES, images),
        ("Containers", CONTAINERS, containers),
        ("Local Volumes", VOLUMES, volumes),
    )
    texts = [f"{title} space usage:\n\n{align_cells([list(head), *body])}" for title, head, body in tables]
    return "\n".join(texts)


def _image(one: ImageUse, now: float) -> Iterable[list[str]]:
    from sonata.cli.images.list import split
    from sonata.cli.render.human import human_duration, human_size

    tail = [
        one.id[:12],
        human_duration(max(now - one.created / 1e9, 0)),
        human_size(one.size),
        human_size(one.shared),
        human_size(one.size - one.shared),
        str(one.containers),
    ]
    for name in one.names or ("",):
        yield [*split(name), *tail]


def _container(one: ContainerUse, now: float) -> list[str]:
    from sonata.cli.render.human import human_duration, human_size

    return [
        one.id[:12],
        one.image[:12],
        " ".join(one.command),
        str(one.volumes),
        human_size(one.size),
        human_duration(max(now - one.created / 1e9, 0)),
        one.state,
        one.name,
    ]
