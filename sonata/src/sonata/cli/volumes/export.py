"""`sonata volume export`."""

from __future__ import annotations

import os

from sonata.cli.output import write_whole
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
    pieces = export(call.engine, parsed.args[0])
    if not path:
        for piece in pieces:
            write_whole(1, piece)
        return 0
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        text = (error.strerror or "").lower()
        raise UsageError(f'unable to create target file path "{path}": open {path}: {text}') from error
    try:
        for piece in pieces:
            write_whole(handle, piece)
    finally:
        os.close(handle)
    return 0
