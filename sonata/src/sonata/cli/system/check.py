"""`sonata system check`."""

from __future__ import annotations

import sys

from sonata.engine.system.check import CheckRequest
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.store.check import Finding


def to_request(parsed: Parsed) -> CheckRequest:
    """The request that the command line makes."""
    return CheckRequest(
        quick=parsed["quick"],
        repair=parsed["repair"],
        force=parsed["force"],
        max_age=parsed["max"] / 1e9 if parsed.changed("max") else None,
    )


def command(parsed: Parsed, call: Call) -> int:
    """Print each finding with its evidence and what becomes of it. Raises Damaged where something is left."""
    from sonata.engine.system.check import check

    request = to_request(parsed)
    found = check(call.engine, request)
    print("".join(f"{line}\n" for line in described(found.mended, mended=True)), end="")
    print("".join(f"{line}\n" for line in described(found.left, mended=False)), end="")
    for note in found.notes:
        print(note, file=sys.stderr)
    # What no repair is offered for is told, and is no damage.
    left = [one for one in found.left if one.repair]
    if not left and not found.notes:
        return 0
    if request.repair or request.force:
        raise Damaged("damage in local storage still present after attempted repair")
    raise Damaged("damage detected in local storage", hint="sonata system check --repair")


def described(findings: Iterable[Finding], *, mended: bool) -> list[str]:
    """Two lines for each finding."""
    lines = []
    for one in findings:
        lines.append(f"{one.what}: {one.subject}")
        tail = "mended: " if mended else "repair: "
        lines.append(f"  evidence: {one.evidence}; {tail + one.repair if one.repair else 'nothing is done about it'}")
    return lines
