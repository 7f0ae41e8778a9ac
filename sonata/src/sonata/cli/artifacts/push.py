"""`sonata artifact push`."""

from __future__ import annotations

import sys

from sonata.cli.images.signing import signing_of
from sonata.cli.request import fill
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Push an artifact to where its name says."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.artifacts.transfer import push
    from sonata.model.image_request import PullOptions

    signing = signing_of(parsed)
    progress = progress_of(parsed, sys.stderr, quiet=parsed["quiet"])
    try:
        digest = push(call.engine, parsed.args[0], fill(PullOptions, parsed), signing, progress)
    finally:
        progress.close()
    if parsed["digestfile"]:
        with open(parsed["digestfile"], "w", encoding="ascii") as file:
            file.write(digest)
    return 0
