"""`sonata run`."""

from __future__ import annotations

import os

from sonata.cli.containers.create import to_request, working_folder
from sonata.cli.containers.streams import sides, warn_without_terminal
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Run a container: detached, its id is printed; else its streams are ours and its exit code is the answer."""
    from sonata.engine.containers import run

    request = to_request(parsed, call.words, os.environ, working_folder())
    if parsed["explain"]:
        from sonata.cli.containers.explain import explain

        return explain(request, call, parsed["explain"])
    if request.rmi and parsed.changed("rm") and not request.rm:
        raise UsageError("the --rmi option does not work without --rm")
    if request.quiet:
        call.silence()
    warn_without_terminal(tty=request.tty, interactive=request.interactive)
    if request.detach:
        print(run.run_detached(call.engine, request))
        return 0
    ours = sides(
        interactive=request.interactive,
        attach=request.attach or None,
        sig_proxy=request.sig_proxy,
        detach_keys=request.detach_keys,
    )
    return run.run_attached(call.engine, request, ours).code
