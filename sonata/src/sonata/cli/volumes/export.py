"""`sonata volume export`."""

from __future__ import annotations

import os

from sonata.cli.output import pour
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Write a volume's content as a tar. Raises UsageError for a terminal and a file that cannot be made."""
    from sonata.engine.volumes.archives import export

    path = parsed["output"]
    if not path and parsed.changed("output"):
        raise UsageError("must provide valid path for file to write to")
    if not path and os.isatty(1):
        raise UsageError("cannot write to terminal, use command-line redirection or the --output flag")
    pour(export(call.engine, parsed.args[0]), path, f'unable to create target file path "{path}": ')
    return 0
