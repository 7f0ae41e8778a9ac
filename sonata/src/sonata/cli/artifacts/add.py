"""`sonata artifact add`."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Make files into an artifact, and print its digest. Raises UsageError for options that exclude each other."""
    from sonata.engine.artifacts.add import add
    from sonata.model.artifact import NewFiles

    name, *paths = parsed.args
    if parsed["append"] and parsed["replace"]:
        raise UsageError("--append and --replace options cannot be used together")
    if parsed["append"] and parsed["type"]:
        raise UsageError("append option is not compatible with type option")
    more = NewFiles(
        artifact_type=parsed["type"], file_type=parsed["file-type"], annotations=pairs(parsed["annotation"])
    )
    print(add(call.engine, name, paths, more, append=parsed["append"], replace=parsed["replace"]))
    return 0


def pairs(words: list[str]) -> dict[str, str]:
    """`key=value` words taken apart. Raises UsageError for one without a value."""
    found: dict[str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            raise UsageError(f'no value given for annotation "{key}"')
        found[key] = value
    return found
