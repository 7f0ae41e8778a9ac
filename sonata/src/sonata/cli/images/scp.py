"""`sonata image scp`."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Copy an image to another host, or another user."""
    from sonata.engine.images.scp import scp

    source, *more = parsed.args
    if not more and "::" not in source:
        raise UsageError("must specify a destination: invalid argument", hint=f"sonata image scp {source} HOST::")
    told = scp(call.engine, source, more[0] if more else "", parsed["format"])
    if not parsed["quiet"]:
        print(told, end="", flush=True)
    return 0
