"""`sonata container exists`: the answer is the exit code."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """0 where there is such a container, else 1. `--external` counts those of other engines too."""
    from sonata.engine.containers.small import exists

    return 0 if exists(call.engine, parsed.args[0], external=parsed["external"]) else 1
