"""`sonata push`."""

from __future__ import annotations

import sys

from sonata.cli.images.sides import MANIFESTS, compression, manifest_type
from sonata.cli.images.signing import signing_of
from sonata.cli.request import fill
from sonata.model.image_request import PushRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> PushRequest:
    """The request that the command line makes."""
    return fill(PushRequest, parsed, image=parsed.args[0], destination=parsed.args[1] if len(parsed.args) > 1 else "")


def command(parsed: Parsed, call: Call) -> int:
    """Push an image to where it was asked to go, by default to where its name says."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.images.outgoing import PushChoices
    from sonata.engine.images.push import push

    request = to_request(parsed)
    if request.format not in (*MANIFESTS, "v2s1"):
        raise UsageError(
            f"unknown format \"{request.format}\". Choose on of the supported formats: 'oci', 'v2s1', or 'v2s2'"
        )
    forced = request.force_compression
    choices = PushChoices(
        manifest_type=manifest_type(request.format),
        compression=compression(request.compression_format),
        level=request.compression_level,
        force=bool(request.compression_format) if forced is None else forced,
        compress=request.compress,
        remove_signatures=request.remove_signatures,
        signing=signing_of(parsed),
    )
    progress = progress_of(parsed, sys.stderr, quiet=request.quiet)
    try:
        digest = push(call.engine, request.image, request.destination, request, choices, progress)
        progress.message("Writing manifest to image destination")
    finally:
        progress.close()
    if request.digestfile:
        with open(request.digestfile, "w", encoding="ascii") as file:
            file.write(digest)
    return 0
