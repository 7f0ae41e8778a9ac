"""`sonata unshare`."""

from __future__ import annotations

import os
import sys

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Become a program in the user's namespace, or run one in his bridges'. Raises NotFound, Denied."""
    from sonata.engine.rootless import become, entered

    if not entered(os.environ):
        raise UsageError("please use unshare with rootless")
    sys.stdout.flush()
    words = tuple(parsed.args) or (os.environ.get("SHELL") or "/bin/sh",)
    if not parsed["rootless-netns"]:
        become(call.engine, words)
    from sonata.engine.networks.visit import visit

    return visit(call.engine, words)
