"""`sonata save`."""

from __future__ import annotations

import os
import sys

from sonata.cli.request import fill
from sonata.model.image_request import SaveRequest
from sonata_core.errors import Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_CHUNK = 1 << 24


def to_request(parsed: Parsed) -> SaveRequest:
    """The request that the command line makes. Raises UsageError, Unsupported."""
    request = fill(SaveRequest, parsed, image=parsed.args[0], output=parsed["output"])
    if len(parsed.args) > 1 or parsed["multi-image-archive"]:
        raise Unsupported("several images in one archive are not supported yet", hint="save one at a time")
    if not request.output and request.format.endswith("-dir"):
        raise UsageError(f"format {request.format} needs --output")
    return request


def command(parsed: Parsed, call: Call) -> int:
    """Save an image into an archive, by default onto standard output."""
    from sonata.cli.render.progress import Progress
    from sonata.engine.images.push import save

    request = to_request(parsed)
    if not request.output and os.isatty(1):
        raise UsageError("refusing to save to terminal. Use -o flag or redirect")
    engine = call.engine
    progress = Progress(sys.stderr, quiet=parsed["quiet"])
    try:
        if request.output:
            save(engine, request, progress)
            return 0
        import tempfile

        # An archive is there whole or not at all, so it is made beside and then copied out.
        with tempfile.TemporaryDirectory(prefix="sonata-save-", dir=engine.config.paths.tmp_dir) as folder:
            request = request.replace(output=f"{folder}/archive.tar")
            save(engine, request, progress)
            _copy_out(request.output)
    finally:
        progress.close()
    return 0


def _copy_out(path: str) -> None:
    sys.stdout.flush()
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
