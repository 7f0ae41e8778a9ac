"""`sonata image copy`."""

from __future__ import annotations

import sys

from sonata.cli.images.sides import choices_of
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Copy an image from one place to another."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.images.copying import copy

    choices = choices_of(parsed)
    source, destination = parsed.args
    progress = progress_of(parsed, sys.stderr, quiet=parsed["quiet"])
    try:
        progress.first("Getting image source signatures")
        digest = copy(call.engine, source, destination, choices, progress)
        progress.message("Writing manifest to image destination")
    finally:
        progress.close()
    if parsed["digestfile"]:
        with open(parsed["digestfile"], "w", encoding="ascii") as file:
            file.write(digest)
    return 0
