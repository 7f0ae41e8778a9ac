"""`sonata pull`."""

from __future__ import annotations

import sys

from sonata.cli.output import outcome
from sonata.cli.request import fill
from sonata.model.image_request import PullRequest
from sonata_core import interrupts
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.cli.render.progress import Progress


def to_request(parsed: Parsed) -> PullRequest:
    """The request that the command line makes."""
    return fill(PullRequest, parsed, images=tuple(parsed.args))


def command(parsed: Parsed, call: Call) -> int:
    """Pull images and print their ids; how far it is goes to standard error."""
    from sonata.cli.render.progress import progress_of
    from sonata.engine.images.ensure import policy_named

    request = to_request(parsed)
    policy = policy_named(request.policy, "always")
    failed: list[SonataError] = []
    progress = progress_of(parsed, sys.stderr, quiet=request.quiet)
    try:
        with interrupts.Unwinding():
            for text in request.images:
                try:
                    for image in _pull(call, request, policy, text, progress):
                        print(image, flush=True)
                except SonataError as error:
                    error.details.setdefault("object", text)
                    failed.append(error)
    finally:
        progress.close()
    return outcome((), failed)


def _pull(call: Call, request: PullRequest, policy: str, text: str, progress: Progress) -> Iterator[str]:
    """The ids of what a word of the command line names."""
    from sonata.engine.images.ensure import ensure
    from sonata.engine.images.pull import pull_all_tags

    engine = call.engine
    names = pull_all_tags(engine, text, request, progress) if request.all_tags else (text,)
    for name in names:
        yield ensure(engine, name, policy, request, progress)[0].id
