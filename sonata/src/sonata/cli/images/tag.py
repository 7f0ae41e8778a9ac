"""`sonata tag`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Give an image more names."""
    from sonata.engine.images.names import tag

    tag(call.engine, parsed.args[0], parsed.args[1:])
    return 0
