"""`sonata manifest push`."""

from __future__ import annotations

import sys

from sonata.cli.images.signing import signing_of
from sonata.cli.manifests.transfer import tls_verify
from sonata.cli.request import fill
from sonata.model.manifest_request import ListPushRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> ListPushRequest:
    """The request that the command line makes. Raises UsageError."""
    name, destination = parsed.args[0], parsed.args[-1]
    if not name:
        raise UsageError('invalid image name ""')
    if not destination:
        raise UsageError('invalid destination ""')
    forced = parsed.changed("compression-format") and not parsed.changed("force-compression")
    return fill(
        ListPushRequest,
        parsed,
        name=name,
        destination=destination,
        add_compression=tuple(parsed["add-compression"]) if parsed.changed("add-compression") else None,
        force_compression=True if forced else parsed["force-compression"],
        compression_level=parsed["compression-level"] if parsed.changed("compression-level") else None,
        rm=parsed["rm"] or parsed["purge"],
        tls_verify=tls_verify(parsed),
        signing=signing_of(parsed),
    )


def command(parsed: Parsed, call: Call) -> int:
    """Push a list of images and the images in it."""
    from sonata.cli.render.progress import Progress
    from sonata.engine.manifests.push import push

    request = to_request(parsed)
    progress = Progress(sys.stderr, quiet=request.quiet)
    try:
        digest = push(call.engine, request, progress, progress.message)
    finally:
        progress.close()
    if parsed["digestfile"]:
        try:
            with open(parsed["digestfile"], "w", encoding="ascii") as file:
                file.write(digest)
        except OSError as error:
            raise UsageError(f"open {parsed['digestfile']}: {(error.strerror or '').lower()}") from error
    return 0
