"""`sonata pod create`."""

from __future__ import annotations

import os

from sonata.cli.containers.create import working_folder
from sonata.cli.request import fill
from sonata.model.pod import PodRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed, words: tuple[str, ...], environ: Mapping[str, str], folder: str) -> PodRequest:
    """The request that the command line makes, in the caller's environment and folder. Raises UsageError."""
    name = parsed["name"]
    if parsed.args:
        if name:
            raise UsageError("cannot specify --name and NAME at the same time")
        name = parsed.args[0]
    return fill(
        PodRequest,
        parsed,
        name=name,
        caller_env=dict(environ),
        caller_dir=folder,
        create_command=("sonata", *words),
    )


def command(parsed: Parsed, call: Call) -> int:
    """Create a pod and print its id."""
    from sonata.engine.pods.create import create

    print(create(call.engine, to_request(parsed, call.words, os.environ, working_folder())).id)
    return 0
