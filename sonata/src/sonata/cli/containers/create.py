"""`sonata create`."""

from __future__ import annotations

import os

from sonata.cli.request import fill
from sonata.model.request import RunRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed, words: tuple[str, ...], environ: Mapping[str, str], folder: str) -> RunRequest:
    """The request that the command line makes, in the caller's environment and folder. Shared with `run`."""
    return fill(
        RunRequest,
        parsed,
        name=(parsed["name"] or "").removeprefix("/"),
        image=parsed.args[0],
        command=tuple(parsed.args[1:]) or None,
        caller_env=dict(environ),
        caller_dir=folder,
        create_command=("sonata", *words),
    )


def working_folder() -> str:
    """The caller's folder; `/` where it was removed under its feet."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def command(parsed: Parsed, call: Call) -> int:
    """Create a container and print its id."""
    from sonata.engine.containers.create import create

    request = to_request(parsed, call.words, os.environ, working_folder())
    if parsed["explain"]:
        from sonata.cli.containers.explain import explain

        return explain(request, call, parsed["explain"])
    if request.quiet:
        call.silence()
    print(create(call.engine, request).config.id)
    return 0
