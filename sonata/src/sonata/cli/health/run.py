"""`sonata healthcheck run`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Run a container's check now: 0 where it succeeds, 1 where it fails."""
    from sonata.engine.containers.health import run

    failure = run(call.engine, parsed.args[0])
    if not failure:
        return 0
    print(failure)
    return 0 if parsed["ignore-result"] else 1
