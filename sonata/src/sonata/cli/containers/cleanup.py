"""`sonata container cleanup`: what conmon calls when a container has ended."""

from __future__ import annotations

import os

from sonata.cli.output import outcome
from sonata.cli.request import selection
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Take away what ended containers left; print their names. A container that is gone is no error."""
    # conmon had sockets of a service manager to hand on; a start by policy has not.
    os.environ.pop("LISTEN_FDS", None)
    if parsed["exec"]:
        return _forget_session(parsed, call)
    from sonata.engine.containers.cleanup import cleanup
    from sonata.engine.containers.select import each

    engine = call.engine
    remove, image, stopped = parsed["rm"] or parsed["rmi"], parsed["rmi"], parsed["stopped-only"]

    def act(ident: str) -> None:
        cleanup(engine, ident, remove=remove, image=image, stopped_only=stopped)

    return outcome(*each(engine, selection(parsed), act, ignore=True))


def _forget_session(parsed: Parsed, call: Call) -> int:
    from sonata.engine.containers.exec import forget_session

    if len(parsed.args) != 1:
        raise UsageError("cannot use exec option when more than one container is given")
    forget_session(call.engine, parsed.args[0], parsed["exec"])
    return 0
