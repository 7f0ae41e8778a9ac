"""`sonata untag`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Take names from an image; all of them where none is given."""
    from sonata.engine.images.names import untag

    untag(call.engine, parsed.args[0], parsed.args[1:])
    return 0
