"""`sonata volume reload`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Take up what volume drivers have and forget what they have no more; print the names."""
    from sonata.engine.volumes.reload import reload

    done = reload(call.engine)
    lines = [f"Added:\n{chr(10).join(done.added)}"] if done.added else []
    lines += [f"Removed:\n{chr(10).join(done.removed)}"] if done.removed else []
    return outcome(lines, list(done.errors))
