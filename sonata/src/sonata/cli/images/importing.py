"""`sonata import`."""

from __future__ import annotations

import os
import sys

from sonata.cli.request import fill_dated
from sonata_core import interrupts
from sonata_core.errors import Unavailable, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

WEB = ("http://", "https://")


def command(parsed: Parsed, call: Call) -> int:
    """Make an image of a tar of a root: a file, standard input (`-`), or what the web has; print its id."""
    from sonata.cli.render.progress import Progress
    from sonata.engine.images.imported import ImportRequest, import_tar

    path = parsed.args[0]
    name = parsed.args[1] if len(parsed.args) > 1 else ""
    request = fill_dated(ImportRequest, parsed, os.environ, name=name, source=path)
    if path == "-" and os.isatty(0):
        raise UsageError("cannot read from terminal, use command-line redirection")
    progress = Progress(sys.stderr, quiet=parsed["quiet"])
    try:
        with interrupts.Unwinding(), opened(path) as tar:
            ident = import_tar(call.engine, tar, request, progress)
    finally:
        progress.close()
    print(f"sha256:{ident}")
    return 0


def downloaded(address: str) -> BinaryIO:
    """What the web has there. Raises Unavailable."""
    import urllib.request

    try:
        return urllib.request.urlopen(address, timeout=60)  # type: ignore[no-any-return]  # noqa: S310 - web only
    except OSError as error:
        cause = getattr(error, "reason", error)
        text = (cause.strerror or "").lower() if isinstance(cause, OSError) else ""
        raise Unavailable(f"downloading {address}: {text or error}") from error


def opened(path: str) -> BinaryIO:
    """The tar's bytes. Raises UsageError, Unavailable."""
    if path == "-":
        return os.fdopen(os.dup(0), "rb")
    if path.startswith(WEB):
        print(f'Downloading from "{path}"', flush=True)
        return downloaded(path)
    try:
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f'error opening "{path}": open {path}: {(error.strerror or "").lower()}') from error
