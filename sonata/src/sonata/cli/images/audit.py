"""`sonata image audit`."""

from __future__ import annotations

from sonata.model.image_audit import KINDS
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.image_audit import Audit, Finding

COLUMNS = (("Kind", "KIND"), ("Layer", "LAYER"), ("Path", "PATH"), ("Detail", "DETAIL"))
FOUND = 1
"""The exit code where something was found that must not be."""


def command(parsed: Parsed, call: Call) -> int:
    """Print what an image holds that one should know of; 1 if it is of a kind that --fail-on names."""
    from sonata.engine.images.audit import audit

    fatal = set(parsed["fail-on"])
    unknown = sorted(fatal - {*KINDS, "any"})
    if unknown:
        raise UsageError(f"--fail-on {unknown[0]}: there is no such kind", hint=f"any, {', '.join(KINDS)}")
    found = audit(call.engine, parsed.args[0])
    print(shown(found, parsed["format"]), end="")
    return FOUND if any("any" in fatal or one.kind in fatal for one in found.findings) else 0


def shown(found: Audit, form: str) -> str:
    """The table and the summary, JSON, or a template for each finding."""
    from sonata.cli.render.report import Report, is_json, render_rows

    if form and is_json(form):
        from sonata.cli.render.json import dumps

        return dumps(as_json(found), indent=4) + "\n"
    rows = [_row(found, one) for one in found.findings]
    table = render_rows(Report("audit", "images.auditReporter", list(COLUMNS)), rows, form or None) if rows else ""
    return table if form else "\n".join([*([table] if table else []), *_summary(found), ""])


def _layer(found: Audit, number: int) -> str:
    return found.layers[number].digest if number >= 0 else ""


def _row(found: Audit, one: Finding) -> dict[str, Any]:
    layer = _layer(found, one.layer).removeprefix("sha256:")[:12]
    return {"Kind": one.kind, "Layer": layer or "-", "Path": one.path, "Detail": one.detail}


def _summary(found: Audit) -> list[str]:
    from sonata.cli.render.human import human_size

    size, wasted = sum(one.size for one in found.layers), sum(one.wasted for one in found.layers)
    share = 100 * wasted // size if size else 0
    lines = [
        f"Image:      {found.id[:12]} {' '.join(found.names)}".rstrip(),
        f"Layers:     {len(found.layers)}, {human_size(size)}",
        f"Waste:      {human_size(wasted)} ({share}%) in files that later layers replace or remove",
        f"Signatures: {found.signatures or 'none'}",
    ]
    for verdict in found.verdicts:
        why = f": {verdict['Reason']}" if verdict["Verdict"] != "accepted" or verdict["Reason"] else ""
        lines.append(f"Policy:     {verdict['Reference']} {verdict['Verdict']} by {verdict['Rule']}{why}")
    return lines


def as_json(found: Audit) -> dict[str, Any]:
    """The object of `--format json`."""
    return {
        "Id": found.id,
        "Names": list(found.names),
        "Digest": found.digest,
        "Layers": [{"Digest": one.digest, "Size": one.size, "Wasted": one.wasted} for one in found.layers],
        "Findings": [
            {"Kind": one.kind, "Layer": _layer(found, one.layer), "Path": one.path, "Detail": one.detail}
            for one in found.findings
        ],
        "Signatures": found.signatures,
        "Policy": {"File": found.policy_file, "Verdicts": [dict(one) for one in found.verdicts]},
    }
