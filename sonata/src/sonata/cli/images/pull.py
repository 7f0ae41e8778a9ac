"""`sonata pull`."""

from __future__ import annotations

import sys

from sonata.cli.output import outcome
from sonata.cli.request import fill
from sonata.model.image_request import PullRequest
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> PullRequest:
    """The request that the command line makes."""
    return fill(PullRequest, parsed, images=tuple(parsed.args))


def command(parsed: Parsed, call: Call) -> int:
    """Pull images and print their ids; how far it is goes to standard error."""
    from sonata.cli.render.progress import Progress
    from sonata.engine.images.ensure import ensure, policy_named

    request, engine = to_request(parsed), call.engine
    policy = policy_named(request.policy, "always")
    failed: list[SonataError] = []
    progress = Progress(sys.stderr, quiet=request.quiet)
    try:
        for text in request.images:
            progress.message(f"Trying to pull {text}...")
            try:
                image, _ = ensure(engine, text, policy, request, progress)
            except SonataError as error:
                error.details.setdefault("object", text)
                failed.append(error)
            else:
                print(image.id, flush=True)
    finally:
        progress.close()
    return outcome((), failed)
