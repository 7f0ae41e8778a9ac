"""`sonata load`."""

from __future__ import annotations

import os
import sys

from sonata_core import interrupts
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_CHUNK = 1 << 20


def command(parsed: Parsed, call: Call) -> int:
    """Load the images of an archive, or of standard input, and print their names."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.images.load import load
    from sonata.model.image_request import PullOptions

    engine = call.engine
    path = parsed["input"]
    if not path and os.isatty(0):
        raise UsageError("cannot read from terminal, use command-line redirection or the --input flag")
    progress = progress_of(parsed, sys.stderr, quiet=parsed["quiet"])
    with interrupts.Unwinding():
        copied = _fetched(path, engine.config.paths.tmp_dir)
        path = "" if copied else path
        try:
            if path and not os.path.exists(path):
                raise UsageError(f"faccessat {path}: no such file or directory")
            names = load(engine, path or copied, PullOptions(signature_policy=parsed["signature-policy"]), progress)
        finally:
            progress.close()
            if copied:
                os.unlink(copied)
    for name in names:
        print(f"Loaded image: {name}")
    return 0


def _fetched(path: str, folder: str) -> str:
    """Standard input, or what the web has there, as a file in `folder`; empty for a path of this host."""
    from sonata.cli.images.importing import WEB, downloaded

    if not path:
        return _copied(lambda size: os.read(0, size), folder)
    if not path.startswith(WEB):
        return ""
    with downloaded(path) as stream:
        return _copied(stream.read, folder)


def _copied(read: Callable[[int], bytes], folder: str) -> str:
    """A stream as a file, because archives are read from both ends."""
    import tempfile

    handle, path = tempfile.mkstemp(prefix="sonata-load-", dir=folder)
    try:
        while data := read(_CHUNK):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(handle)
    return path
