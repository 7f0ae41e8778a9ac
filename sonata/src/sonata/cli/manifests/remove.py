"""`sonata manifest remove`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Take an instance out of a list, and print the list's id."""
    from sonata.engine.manifests.edit import remove

    print(remove(call.engine, *parsed.args))
    return 0
