"""`sonata push`."""

from __future__ import annotations

import sys

from sonata.cli.request import fill
from sonata.model.image_request import PushRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> PushRequest:
    """The request that the command line makes."""
    return fill(PushRequest, parsed, image=parsed.args[0], destination=parsed.args[1] if len(parsed.args) > 1 else "")


def command(parsed: Parsed, call: Call) -> int:
    """Push an image to where it was asked to go, by default to where its name says."""
    from sonata.cli.render.progress import Progress
    from sonata.engine.images.push import push

    request = to_request(parsed)
    progress = Progress(sys.stderr, quiet=request.quiet)
    try:
        push(call.engine, request, progress)
        progress.message("Writing manifest to image destination")
    finally:
        progress.close()
    return 0
