"""`sonata rename`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Give a container another name."""
    from sonata.engine.containers.small import rename

    old, new = parsed.args
    rename(call.engine, old, new)
    return 0
