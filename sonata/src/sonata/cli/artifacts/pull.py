"""`sonata artifact pull`."""

from __future__ import annotations

import sys

from sonata.cli.request import fill
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Pull an artifact. How far it is goes to standard output, as Podman has it for this command."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.artifacts.transfer import pull
    from sonata.model.image_request import PullOptions

    progress = progress_of(parsed, sys.stdout, quiet=parsed["quiet"])
    try:
        pull(call.engine, parsed.args[0], fill(PullOptions, parsed), progress)
    finally:
        progress.close()
    return 0
