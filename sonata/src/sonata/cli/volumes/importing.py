"""`sonata volume import`."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Unpack a tar, a file or standard input (`-`), into a volume. Raises UsageError for what cannot be opened."""
    from sonata.engine.volumes.archives import import_tar

    name, path = parsed.args
    if path == "-" and os.isatty(0):
        raise UsageError("cannot read from terminal, use command-line redirection")
    with _opened(path) as tar:
        import_tar(call.engine, name, tar)
    return 0


def _opened(path: str) -> BinaryIO:
    if path == "-":
        return os.fdopen(os.dup(0), "rb")
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"unable open input file: open {path}: {(error.strerror or '').lower()}") from error
