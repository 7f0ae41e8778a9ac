"""`sonata system check`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_DAY = 24 * 3600 * 10**9


def command(parsed: Parsed, call: Call) -> int:
    """Print what is wrong in the store, and mend it where asked to. 125 where something stays wrong."""
    from sonata.engine.system.check import check

    report = check(
        call.engine,
        quick=parsed["quick"],
        repair=parsed["repair"] or parsed["force"],
        force=parsed["force"],
        max_age=parsed.get("max", _DAY) / 1e9,
    )
    for problem in report.problems:
        print(problem)
    return 125 if report.left else 0
