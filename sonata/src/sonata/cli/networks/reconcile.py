"""`sonata network reconcile`."""

from __future__ import annotations

import sys

from sonata_core.errors import ExternalFailure
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.reconcile import Finding

COLUMNS = (
    ("Problem", "PROBLEM"),
    ("Kind", "KIND"),
    ("Names", "CONTAINER"),
    ("Network", "NETWORK"),
    ("What", "WHAT"),
    ("State", "STATE"),
)


def command(parsed: Parsed, call: Call) -> int:
    """Print what is wrong with containers' networks and mend it. With `--check` only look: 1 where something is wrong.

    Raises ExternalFailure where something could not be mended.
    """
    from sonata.engine.networks.reconcile import reconcile

    check = parsed["check"]
    found = reconcile(call.engine, tuple(parsed.args), check=check)
    print(shown(found.findings, "json" if parsed["json"] else parsed.get("format"), check=check), end="")
    for note in found.notes:
        print(note, file=sys.stderr)
    left = [one for one in found.findings if not one.mended]
    if check:
        return 1 if found.findings else 0
    if left:
        raise ExternalFailure(f"{len(left)} of {len(found.findings)} findings could not be mended")
    return 0


def shown(findings: tuple[Finding, ...], form: str | None, *, check: bool) -> str:
    """The findings as a table, JSON, or through a template; nothing for none but in JSON."""
    from sonata.cli.render.report import Report, is_json, render_rows

    rows = [fields(one, check=check) for one in findings]
    if form is not None and is_json(form):
        from sonata.cli.render.json import dumps

        return dumps(rows, indent=2) + "\n"
    return render_rows(Report("reconcile", "network.Finding", COLUMNS), rows, form) if rows else ""


def fields(one: Finding, *, check: bool) -> dict[str, Any]:
    """A finding as templates and JSON name its parts."""
    return {
        "Problem": one.problem,
        "Kind": one.kind,
        "Container": one.container,
        "Names": one.name or one.container[:12],
        "Network": one.network,
        "What": one.what,
        "State": "to be mended" if check else "mended" if one.mended else "not mended",
    }
