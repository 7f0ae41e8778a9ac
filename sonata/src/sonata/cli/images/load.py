"""`sonata load`."""

from __future__ import annotations

import os
import sys

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
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
    copied = "" if path else _copy_input(engine.config.paths.tmp_dir)
    try:
        if path and not os.path.exists(path):
            raise UsageError(f"stat {path}: no such file or directory")
        names = load(engine, path or copied, PullOptions(signature_policy=parsed["signature-policy"]), progress)
    finally:
        progress.close()
        if copied:
            os.unlink(copied)
    for name in names:
        print(f"Loaded image: {name}")
    return 0


def _copy_input(folder: str) -> str:
    """Standard input as a file, because archives are read from both ends."""
    import tempfile

    handle, path = tempfile.mkstemp(prefix="sonata-load-", dir=folder)
    try:
        while data := os.read(0, _CHUNK):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(handle, rest) :]
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(handle)
    return path
