"""`sonata plugin check`: does a plugin keep its contract, as far as this host can tell safely?"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print each clause with its outcome. 1 where one is not kept."""
    from sonata.engine.plugins.check import check

    kind, name = parsed.args
    outcomes = check(call.engine, kind, name)
    if parsed["format"]:
        from sonata.cli.render.json import dumps

        rows = [{"clause": one.clause, "outcome": one.outcome, "reason": one.reason} for one in outcomes]
        print(dumps(rows, indent=2))
    else:
        for one in outcomes:
            print(f"{one.clause}: {one.outcome}" + (f": {one.reason}" if one.reason else ""))
    return 1 if any(one.outcome == "failed" for one in outcomes) else 0
