"""`sonata export`."""

from __future__ import annotations

import os

from sonata.cli.output import write_whole
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
    pieces = export(call.engine, parsed.args[0])
    if not path:
        for piece in pieces:
            write_whole(1, piece)
        return 0
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"open {path}: {(error.strerror or '').lower()}") from error
    try:
        for piece in pieces:
            write_whole(handle, piece)
    finally:
        os.close(handle)
    return 0
