"""`sonata update`."""

from __future__ import annotations

import os

from sonata.cli.request import fill
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Change a container's limits, restart policy and environment; print its id. Raises UsageError."""
    from sonata.engine.containers.select import one
    from sonata.engine.containers.update import update
    from sonata.model.request import RunRequest

    if not parsed.args and not parsed["latest"]:
        raise UsageError('"sonata update" requires a name, id, or the "--latest" flag')
    if parsed.args and parsed["latest"]:
        raise UsageError("--latest and containers cannot be used together")
    ident = one(call.engine, "", latest=True).config.id if parsed["latest"] else parsed.args[0]
    print(update(call.engine, ident, fill(RunRequest, parsed, image="", caller_env=dict(os.environ))))
    return 0
