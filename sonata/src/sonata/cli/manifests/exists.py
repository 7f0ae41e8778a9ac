"""`sonata manifest exists`: the answer is the exit code."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """0 where there is such a list, else 1."""
    from sonata.engine.manifests.inspect import exists

    return 0 if exists(call.engine, parsed.args[0]) else 1
