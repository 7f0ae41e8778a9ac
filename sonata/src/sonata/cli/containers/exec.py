"""`sonata exec`."""

from __future__ import annotations

import os

from sonata.cli.containers.streams import sides, warn_without_terminal
from sonata.cli.request import fill
from sonata.model.container_request import ExecRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed, environ: Mapping[str, str]) -> ExecRequest:
    """The request that the command line makes. Raises UsageError where the command is missing."""
    named = not (parsed["latest"] or parsed["cidfile"])
    words = parsed.args[1:] if named else parsed.args
    if not words:
        raise UsageError("must provide a non-empty command to start an exec session: invalid argument")
    name = parsed.args[0] if named else _id_in(parsed["cidfile"]) if parsed["cidfile"] else ""
    files = tuple(_read(path) for path in parsed["env-file"])
    return fill(ExecRequest, parsed, name=name, command=tuple(words), caller_env=dict(environ), env_file=files)


def _id_in(path: str) -> str:
    from sonata.engine.containers.select import read_cidfile

    return read_cidfile(path)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(16 << 20)
    except OSError as error:
        raise UsageError(f'parsing file "{path}": open {path}: {(error.strerror or "").lower()}') from error


def command(parsed: Parsed, call: Call) -> int:
    """Run a process in a container: its exit code is the answer; detached, the session's id is printed."""
    from sonata.engine.containers.exec import execute, execute_detached
    from sonata.engine.containers.select import one

    request, engine = to_request(parsed, os.environ), call.engine
    if request.no_session and (request.detach or parsed.changed("detach-keys")):
        raise UsageError("--no-session cannot be used with --detach or --detach-keys")
    if not request.name:
        request = request.replace(name=one(engine, "", latest=True).config.id)
    warn_without_terminal(tty=request.tty, interactive=request.interactive)
    if request.detach:
        print(execute_detached(engine, request))
        return 0
    ours = sides(interactive=request.interactive, attach=None, sig_proxy=True, detach_keys=request.detach_keys)
    return execute(engine, request, ours).code
