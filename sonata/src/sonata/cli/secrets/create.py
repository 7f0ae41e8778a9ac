"""`sonata secret create`."""

from __future__ import annotations

import os
import sys

from sonata.cli.request import fill
from sonata.model.object_request import SecretCreateRequest
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_LIMIT = 1 << 20
"""More than any secret may have: what is longer is refused, not cut."""


def to_request(parsed: Parsed) -> SecretCreateRequest:
    """The request that the command line makes."""
    return fill(SecretCreateRequest, parsed, name=parsed.args[0])


def command(parsed: Parsed, call: Call) -> int:
    """Keep what a file, standard input or a variable holds; print the secret's id."""
    from sonata.engine.secrets import create

    print(create(call.engine, to_request(parsed), data_of(parsed.args[1], variable=parsed["env"])).id)
    return 0


def data_of(source: str, *, variable: bool) -> bytes:
    """The secret: of a variable, of standard input (`-`), or of a file. Raises NotFound, UsageError."""
    if variable:
        text = os.environb.get(os.fsencode(source))
        if text is None:
            raise UsageError(f"cannot create store secret data: environment variable {source} is not set")
        return text
    if source == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("if `-` is used, data must be passed into stdin")
        return sys.stdin.buffer.read(_LIMIT)
    try:
        with open(source, "rb") as file:
            return file.read(_LIMIT)
    except OSError as error:
        raise NotFound(f"open {source}: {(error.strerror or '').lower()}", name=source) from error
