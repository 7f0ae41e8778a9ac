"""`sonata artifact extract`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Write an artifact's files to a folder, or one of them to a file."""
    from sonata.engine.artifacts.extract import extract

    name, target = parsed.args
    extract(call.engine, name, target, digest=parsed["digest"], title=parsed["title"])
    return 0
