"""How `image audit` shows what it found: as a table with a summary, as JSON, as SARIF, or by a template."""

from __future__ import annotations

from sonata.model.audit_checks import CHECKS, LEVELS
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.model.audit_checks import Check
    from sonata.model.image_audit import Audit, Finding

COLUMNS = (("Severity", "SEVERITY"), ("ID", "ID"), ("Layer", "LAYER"), ("Path", "PATH"), ("Detail", "DETAIL"))
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS = {"info": "note", "low": "note", "medium": "warning", "high": "error", "critical": "error"}
_SCORES = {"info": "0.0", "low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}
"""As GitHub reads `security-severity`."""


def shown(found: Audit, form: str) -> str:
    """The table and the summary, JSON, SARIF, or a template for each finding."""
    from sonata.cli.render.report import Report, is_json, render_rows

    if form == "sarif" or (form and is_json(form)):
        from sonata.cli.render.json import dumps

        return dumps(as_sarif(found) if form == "sarif" else as_json(found), indent=4) + "\n"
    rows = [_row(found, one) for one in found.findings]
    table = render_rows(Report("audit", "images.auditReporter", list(COLUMNS)), rows, form or None) if rows else ""
    return table if form else "\n".join([*([table] if table else []), *_summary(found), ""])


def _layer(found: Audit, number: int) -> str:
    return found.layers[number].digest if number >= 0 else ""


def _row(found: Audit, one: Finding) -> dict[str, Any]:
    layer = _layer(found, one.layer).removeprefix("sha256:")[:12]
    return {
        "Severity": one.severity,
        "ID": one.id,
        "Kind": one.kind,
        "Layer": layer or "-",
        "Path": one.path,
        "Detail": one.detail,
    }


def _summary(found: Audit) -> list[str]:
    from sonata.cli.errors import harmless
    from sonata.cli.render.human import human_size

    size, wasted = sum(one.size for one in found.layers), sum(one.wasted for one in found.layers)
    share = 100 * wasted // size if size else 0
    counts = [(level, sum(one.severity == level for one in found.findings)) for level in reversed(LEVELS)]
    lines = [
        f"Image:      {found.id[:12]} {' '.join(harmless(name) for name in found.names)}".rstrip(),
        f"Findings:   {', '.join(f'{count} {level}' for level, count in counts if count) or 'none'}",
        f"Layers:     {len(found.layers)}, {human_size(size)}",
        f"Waste:      {human_size(wasted)} ({share}%) in files that later layers replace or remove",
        f"Signatures: {found.signatures or 'none'}",
    ]
    for verdict in found.verdicts:
        why = f": {harmless(verdict['Reason'])}" if verdict["Verdict"] != "accepted" or verdict["Reason"] else ""
        lines.append(
            f"Policy:     {harmless(verdict['Reference'])} {verdict['Verdict']} by {harmless(verdict['Rule'])}{why}"
        )
    lines += [f"Not listed: {count} more of {name}" for name, count in found.omitted.items()]
    lines += [f"Ignored:    {found.ignored}"] if found.ignored else []
    lines += [f"Unused:     {harmless(text)} of the ignore list takes nothing" for text in found.unused]
    return lines


def as_json(found: Audit) -> dict[str, Any]:
    """The object of `--format json`."""
    return {
        "Id": found.id,
        "Names": list(found.names),
        "Digest": found.digest,
        "Layers": [{"Digest": one.digest, "Size": one.size, "Wasted": one.wasted} for one in found.layers],
        "Findings": [
            {
                "Id": one.id,
                "Kind": one.kind,
                "Severity": one.severity,
                "Layer": _layer(found, one.layer),
                "Path": one.path,
                "Detail": one.detail,
            }
            for one in found.findings
        ],
        "Omitted": dict(found.omitted),
        "Ignored": found.ignored,
        "UnusedIgnores": list(found.unused),
        "Signatures": found.signatures,
        "Policy": {"File": found.policy_file, "Verdicts": [dict(one) for one in found.verdicts]},
    }


def as_sarif(found: Audit) -> dict[str, Any]:
    """The log of `--format sarif`: SARIF 2.1.0, one run, the checks that found something as its rules."""
    from sonata._version import VERSION

    rules = sorted({one.id for one in found.findings})
    run = {
        "tool": {
            "driver": {
                "name": "sonata image audit",
                "semanticVersion": VERSION,
                "rules": [_rule(CHECKS[name]) for name in rules],
            }
        },
        "results": [_result(found, one, rules.index(one.id)) for one in found.findings],
        "properties": {"imageId": found.id, "imageNames": list(found.names), "imageDigest": found.digest},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "shortDescription": {"text": check.meaning},
        "help": {"text": check.remedy},
        "defaultConfiguration": {"level": _SARIF_LEVELS[check.level]},
        "properties": {"security-severity": _SCORES[check.level], "tags": ["security", check.kind]},
    }


def _result(found: Audit, one: Finding, rule: int) -> dict[str, Any]:
    import hashlib
    from urllib.parse import quote

    told = hashlib.sha256("\0".join((one.id, one.path, one.detail)).encode()).hexdigest()
    layer = _layer(found, one.layer)
    return {
        "ruleId": one.id,
        "ruleIndex": rule,
        "level": _SARIF_LEVELS[one.severity],
        "message": {"text": f"{one.path}: {one.detail}"},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": quote(one.path.lstrip("/") or ".")}},
                "logicalLocations": [{"fullyQualifiedName": layer or "config"}],
            }
        ],
        "partialFingerprints": {"sonata/v1": told},
    }
