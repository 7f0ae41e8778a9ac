"""`sonata save`."""

from __future__ import annotations

import os
import sys

from sonata_core import interrupts
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

FORMATS = ("docker-archive", "oci-archive", "docker-dir", "oci-dir")


def command(parsed: Parsed, call: Call) -> int:
    """Save images into an archive, by default onto standard output. Raises UsageError for formats and places."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.images.save import Packing, save

    form, path = parsed["format"] or "docker-archive", parsed["output"]
    if form not in FORMATS:
        raise UsageError("format value must be one of oci-dir oci-archive docker-dir docker-archive")
    if parsed["compress"] and form != "docker-dir":
        raise UsageError("--compress can only be set when --format is 'docker-dir'")
    if ":" in path:
        raise UsageError(f"invalid filename (should not contain ':') \"{path}\"", hint="choose another name")
    if not path and form.endswith("-dir"):
        raise UsageError(f"format {form} needs --output")
    if not path and os.isatty(1):
        raise UsageError("refusing to save to terminal. Use -o flag or redirect")
    multiple = call.engine.config.engine.multi_image_archive
    if parsed.changed("multi-image-archive"):
        multiple = parsed["multi-image-archive"]
    if len(parsed.args) > 1 and not multiple and form != "docker-archive":
        raise UsageError("more than one image needs --multi-image-archive and the format docker-archive")
    progress = progress_of(parsed, sys.stderr, quiet=parsed["quiet"] or not path)
    try:
        packing = Packing(compress=parsed["compress"], plain=parsed["uncompressed"])
        with interrupts.Unwinding():
            save(call.engine, parsed.args, path, form, multiple=multiple, packing=packing, progress=progress)
        progress.message("Writing manifest to image destination")
    finally:
        progress.close()
    return 0
