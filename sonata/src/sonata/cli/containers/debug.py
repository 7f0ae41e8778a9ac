"""`sonata debug`."""

from __future__ import annotations

import os

from sonata.cli.containers.streams import sides, warn_without_terminal
from sonata.cli.request import fill
from sonata.model.container_request import DebugRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed, words: tuple[str, ...], *, at_terminal: bool) -> DebugRequest:
    """The request that the command line makes. A shell reads standard input, at a terminal through one."""
    name, *command = parsed.args
    request = fill(DebugRequest, parsed, name=name, command=tuple(command), create_command=("sonata", *words))
    if not request.shell.split():
        raise UsageError("--shell needs the name of a program")
    if command:
        return request
    tty = request.tty or (at_terminal and not parsed.changed("tty"))
    return request.replace(interactive=not parsed.changed("interactive") or request.interactive, tty=tty)


def command(parsed: Parsed, call: Call) -> int:
    """Run tools beside a container: their exit code is the answer."""
    from sonata.engine.containers.debug import debug

    request = to_request(parsed, call.words, at_terminal=os.isatty(0) and os.isatty(1))
    if request.quiet:
        call.silence()
    warn_without_terminal(tty=request.tty, interactive=request.interactive)
    ours = sides(
        interactive=request.interactive, attach=None, sig_proxy=not request.tty, detach_keys=request.detach_keys
    )
    return debug(call.engine, request, ours).code
