"""`sonata image sync`."""

from __future__ import annotations

import sys

from sonata.cli.images.sides import choices_of
from sonata.cli.output import outcome
from sonata_core.errors import ExternalFailure
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Copy many images, and leave alone what is there already."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.images.sync import SyncRequest, sync

    request = SyncRequest(
        source_kind=parsed["src"],
        source=parsed.args[0],
        destination_kind=parsed["dest"],
        destination=parsed.args[1],
        scoped=parsed["scoped"],
        suffix=parsed["append-suffix"],
        keep_going=parsed["keep-going"],
        dry_run=parsed["dry-run"],
        filters=tuple(parsed["filter"]),
        digestfile=parsed["digestfile"],
    )
    choices = choices_of(parsed)
    progress = progress_of(parsed, sys.stderr, quiet=parsed["quiet"])
    try:
        done = sync(call.engine, request, choices, progress.message, progress)
        words = "Would have synced" if request.dry_run else "Synced"
        progress.message(f"{words} {len(done.copied)} images from {done.sources} sources")
    finally:
        progress.close()
    if done.failed:
        failure = ExternalFailure("Sync failed due to previous reported error(s) for one or more images")
        return outcome((), [*done.failed, failure])
    return 0
