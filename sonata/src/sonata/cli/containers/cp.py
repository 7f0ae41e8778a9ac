"""`sonata cp`."""

from __future__ import annotations

import os
import sys

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.containers.copy_sides import Side

_STREAMS = ("-", "/dev/stdin", "/dev/stdout")


def divided(text: str) -> tuple[str, str]:
    """Container and path; no container for a path of the host."""
    name, colon, path = text.partition(":")
    if not colon or text.startswith((".", "/")):
        return "", text
    return name, path


def command(parsed: Parsed, call: Call) -> int:
    """Copy between a container and the host, another container or a stream. Raises UsageError for what is neither."""
    from sonata.engine.containers.copy import CopyOptions, copy_between, copy_in, copy_out

    (first, source), (second, target) = divided(parsed.args[0]), divided(parsed.args[1])
    if not first and not second:
        raise UsageError("name or ID cannot be empty", hint="one of the two is CONTAINER:PATH")
    if not source or not target:
        raise UsageError(f'invalid arguments "{parsed.args[0]}", "{parsed.args[1]}": you must specify paths')
    options = CopyOptions(
        archive=parsed["archive"],
        overwrite=parsed["overwrite"],
        devices=bool(second),
        rootless=call.engine.facts.rootless,
    )
    if not second and target in _STREAMS:
        if os.isatty(1):
            raise UsageError("cannot copy to a terminal: redirect standard output")
        with _side(call, first) as side:
            for piece in copy_out(side, source, archive=options.archive):
                write_whole(1, piece)
        return 0
    with _side(call, second) as to:
        if not first and source in _STREAMS:
            copy_in(sys.stdin.buffer, to, target, options)
            return 0
        with _side(call, first) as side:
            copy_between((side, source), (to, target), options)
    return 0


def _side(call: Call, name: str) -> Side:
    from sonata.engine.containers.copy_sides import ContainerSide, Side

    return ContainerSide(call.engine, name) if name else Side()
