"""`sonata pod ps`."""

from __future__ import annotations

import time

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.pod import ListedPod

HEADINGS = {
    "ContainerIds": "IDS",
    "ContainerNames": "NAMES",
    "ContainerStatuses": "STATUS",
    "ID": "POD ID",
    "InfraID": "INFRA ID",
    "NumberOfContainers": "# OF CONTAINERS",
}


def columns(parsed: Parsed) -> tuple[tuple[str, str], ...]:
    """What the table has: the containers one by one, or their number."""
    found = [("ID", "POD ID"), ("Name", "NAME"), ("Status", "STATUS"), ("Created", "CREATED"), ("InfraID", "INFRA ID")]
    details = (("ctr-ids", "ContainerIds"), ("ctr-names", "ContainerNames"), ("ctr-status", "ContainerStatuses"))
    asked = [(field, HEADINGS[field]) for option, field in details if parsed[option]]
    spaces = [("Cgroup", "CGROUP"), ("Namespace", "NAMESPACES")] if parsed["ns"] else []
    return (*found, *asked, *spaces) if asked else (*found, *spaces, ("NumberOfContainers", "# OF CONTAINERS"))


def command(parsed: Parsed, call: Call) -> int:
    """List pods, newest first."""
    from sonata.engine.pods.listing import listing

    form = parsed.get("format")
    if parsed["quiet"] and form:
        raise UsageError("quiet and format cannot be used together")
    listed = listing(call.engine, tuple(parsed["filter"]), parsed["sort"], latest=parsed["latest"])
    print(shown(parsed, listed, time.time()), end="")
    return 0


def shown(parsed: Parsed, listed: list[ListedPod], now: float) -> str:
    """What is printed for the rows."""
    form = parsed.get("format")
    if parsed["quiet"]:
        return "".join(f"{one.id}\n" for one in listed)
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    if form is not None and is_json(form):
        return json_text(form, [as_json(one) for one in listed])
    report = Report("ps", "pods.ListPodReporter", columns(parsed), HEADINGS)
    rows = [fields(one, now, full=parsed["no-trunc"]) for one in listed]
    return render_rows(report, rows, form, heading=not parsed["noheading"])


def fields(one: ListedPod, now: float, *, full: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    from sonata.cli.render.human import human_duration

    def short(ident: str) -> str:
        return ident if full else ident[:12]

    return {
        "Cgroup": one.cgroup,
        "ContainerIds": ",".join(short(member.id) for member in one.members),
        "ContainerNames": ",".join(member.name for member in one.members),
        "ContainerStatuses": ",".join(member.state for member in one.members),
        "Created": f"{human_duration(max(now - one.created / 1e9, 0))} ago",
        "ID": short(one.id),
        "Id": short(one.id),
        "InfraID": short(one.infra),
        "Label": lambda name: one.labels.get(name, ""),
        "Labels": dict(one.labels),
        "Name": one.name,
        "Namespace": "",
        "Networks": ",".join(one.networks),
        "NumberOfContainers": len(one.members),
        "Restarts": sum(member.restarts for member in one.members),
        "Status": one.status,
    }


def as_json(one: ListedPod) -> dict[str, Any]:
    """The object of `--format json`."""
    return {
        "Cgroup": one.cgroup,
        "Containers": [
            {"Id": member.id, "Names": member.name, "Status": member.state, "RestartCount": member.restarts}
            for member in one.members
        ],
        "Created": one.created_text,
        "Id": one.id,
        "InfraId": one.infra,
        "Name": one.name,
        "Namespace": "",
        "Networks": list(one.networks),
        "Status": one.status,
        "Labels": dict(sorted(one.labels.items())),
    }
