"""`sonata doctor`: what this host lacks to run containers."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.cli import call as calls
    from sonata.cli.pflag import Parsed
    from sonata.engine.system.doctor.finding import Finding

COLUMNS = (("Severity", "SEVERITY"), ("ID", "ID"), ("What", "WHAT"), ("Evidence", "EVIDENCE"), ("Mend", "MEND"))


def command(parsed: Parsed, call: calls.Call) -> int:
    """Print each finding: what, evidence, and the command that mends it. 1 where containers cannot run at all."""
    import os

    from sonata.cli.call import Call
    from sonata.engine.system.doctor import ordinary
    from sonata.engine.system.doctor.examine import can_run, examine

    outside = Call(call.path, call.words, call.globals)
    try:
        before, inside = ordinary.examine(os.environ, lambda: outside.engine.config)
    finally:
        outside.close()
    findings = examine(lambda: call.engine, before, inside=inside)
    form = parsed.get("format")
    if form:
        _formatted(findings, form)
    elif findings:
        print(shown(findings), end="")
    elif not parsed["quiet"]:
        print("All is well: containers can be run here.")
    return 0 if can_run(findings) else 1


def shown(findings: Iterable[Finding]) -> str:
    """The findings for people: what, and below it the evidence and what mends it."""
    lines = []
    for one in findings:
        lines += [f"{one.severity}: {one.what} ({one.id})", f"  evidence: {one.evidence}", f"  mend:     {one.mend}"]
    return "".join(f"{line}\n" for line in lines)


def row(one: Finding) -> dict[str, Any]:
    """The members of a finding, as templates name them."""
    return {
        "ID": one.id,
        "Severity": str(one.severity),
        "What": one.what,
        "Evidence": one.evidence,
        "Mend": one.mend,
    }


def _formatted(findings: list[Finding], form: str) -> None:
    from sonata.cli.render.report import Report, is_json, render_rows

    rows = [row(one) for one in findings]
    if is_json(form):
        from sonata.cli.render.json import dumps

        print(dumps([{key.lower(): value for key, value in one.items()} for one in rows], indent=2))
        return
    print(render_rows(Report("doctor", "system.finding", COLUMNS), rows, form), end="")
