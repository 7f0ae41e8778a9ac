"""`sonata export`."""

from __future__ import annotations

import os

from sonata.cli.output import pour
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Write a container's root filesystem as a tar. Raises UsageError for a terminal and a file that cannot be made."""
    from sonata.engine.containers.export import export

    path = parsed["output"]
    if not path and os.isatty(1):
        raise UsageError("refusing to export to terminal. Use -o flag or redirect")
    pour(export(call.engine, parsed.args[0]), path)
    return 0
