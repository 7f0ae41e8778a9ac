"""`sonata doctor`: what this host lacks to run containers."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.system.doctor import Finding

MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


def command(parsed: Parsed, call: Call) -> int:
    """Print each finding: what, evidence, and the command that mends it. 1 where containers cannot run at all."""
    from sonata.engine.system.doctor import examine

    findings = list(examine(call.engine))
    form = parsed.get("format")
    if form is None:
        print(shown(findings), end="")
    else:
        _formatted(findings, form)
    return 1 if any(finding.level == "error" for finding in findings) else 0


def shown(findings: Iterable[Finding]) -> str:
    """The findings for people: one line each, with what mends it below."""
    lines = []
    for finding in findings:
        lines.append(f"{MARKS.get(finding.level, '?')} {finding.what}: {finding.evidence}")
        if finding.remedy and finding.level != "ok":
            lines.append(f"    {finding.remedy}")
    return "".join(f"{line}\n" for line in lines)


def _formatted(findings: list[Finding], form: str) -> None:
    from sonata.cli.render.report import Report, is_json, render_rows

    rows = [{"Level": one.level, "What": one.what, "Evidence": one.evidence, "Remedy": one.remedy} for one in findings]
    if is_json(form):
        from sonata.cli.render.json import dumps

        print(dumps([{key.lower(): value for key, value in row.items()} for row in rows], indent=2))
        return
    columns = [(name, name.upper()) for name in ("Level", "What", "Evidence", "Remedy")]
    print(render_rows(Report("doctor", "system.finding", columns), rows, form), end="")
