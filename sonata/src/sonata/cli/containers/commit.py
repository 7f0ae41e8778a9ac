"""`sonata commit`."""

from __future__ import annotations

import os
import sys

from sonata.cli.request import fill_dated
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Make an image of a container; print its id. Raises UsageError for files that cannot be read or written."""
    from sonata.cli.render.progress import Progress
    from sonata.engine.containers.commit import CommitRequest, commit

    more = {"name": parsed.args[1] if len(parsed.args) > 1 else "", "config": _read(parsed["config"])}
    progress = Progress(sys.stderr, quiet=parsed["quiet"])
    try:
        ident = commit(call.engine, parsed.args[0], fill_dated(CommitRequest, parsed, os.environ, **more), progress)
    finally:
        progress.close()
    path = parsed["iidfile"]
    if path:
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(ident)
        except OSError as error:
            raise UsageError(f"open {path}: {(error.strerror or '').lower()}") from error
    print(ident)
    return 0


def _read(path: str) -> str:
    if not path:
        return ""
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read(4 << 20)
    except OSError as error:
        raise UsageError(f"--config: open {path}: {(error.strerror or '').lower()}") from error
