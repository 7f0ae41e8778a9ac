"""Failures as JSON: one object a line on stderr, for programs that call Sonata.

An object has `code`, `message`, `object`, `causes`, `hint` and `exit_code`; what they mean stands in
`docs/errors.md`, which is generated from here and from `sonata_core.errors`.
"""

from __future__ import annotations

from sonata.cli.errors import exit_code, said_by_system
from sonata_core import json_text as json
from sonata_core.errors import SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMATS = ("text", "json")
VARIABLE = "SONATA_ERROR_FORMAT"
OTHERS = {
    "host_error": "The operating system refused something, and no room of Sonata had better words for it.",
    "internal_error": "A fault of Sonata's own; `causes` holds where it happened. Please report it.",
}
"""Codes of what is no SonataError."""

_OPTION = "--error-format"
_NAMES = ("object", "name", "image", "path", "layer", "file", "backend", "url")
_MOST_CAUSES = 16


def wanted(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether a command line, which may be a wrong one, asks for JSON; else what the environment says.

    A contained program's own words (`run IMAGE prog --error-format json`) do not count.
    """
    from sonata.cli.pflag import HelpWanted
    from sonata.cli.root import understand

    try:
        given = understand(list(words)).globals.get("error-format")
    except (SonataError, HelpWanted):
        given = _spotted(words)
    return (given or environ.get(VARIABLE, "")) == "json"


def _spotted(words: Sequence[str]) -> str:
    """The option's value in a line that does not parse."""
    found = ""
    for at, word in enumerate(words):
        if word == "--":
            break
        if word == _OPTION and at + 1 < len(words):
            found = words[at + 1]
        elif word.startswith(_OPTION + "="):
            found = word.partition("=")[2]
    return found


def check(given: str | None, environ: Mapping[str, str]) -> None:
    """Raises UsageError for a format that there is not."""
    where, text = (_OPTION, given) if given is not None else (VARIABLE, environ.get(VARIABLE, ""))
    if text and text not in FORMATS:
        raise UsageError(f'{where}: invalid error format "{text}"', hint=f"choose from: {', '.join(FORMATS)}")


def line(path: str, error: BaseException) -> str:
    """One failure of command `path` as a JSON object, without its line end."""
    return json.dumps(
        {
            "code": code_of(error),
            "message": _plainly(error),
            "object": _about(error),
            "causes": causes(error),
            "hint": error.hint if isinstance(error, SonataError) else None,
            "exit_code": exit_code(path, error),
        }
    )


def code_of(error: BaseException) -> str:
    """The stable code of an error."""
    if isinstance(error, SonataError):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "host_error" if isinstance(error, OSError) else "internal_error"


def _plainly(error: BaseException) -> str:
    if isinstance(error, SonataError):
        return error.message
    if isinstance(error, OSError):
        return said_by_system(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"{type(error).__name__}: {error}"


def _about(error: BaseException) -> str | None:
    details = error.details if isinstance(error, SonataError) else {}
    for name in _NAMES:
        value = details.get(name)
        if isinstance(value, str) and value:
            return value
    named = getattr(error, "filename", None)
    return named if isinstance(named, str) else None


def causes(error: BaseException) -> list[dict[str, str]]:
    """What led to an error, nearest first: code and message of each. Bounded; a fault of ours adds its place."""
    found: list[dict[str, str]] = []
    seen = {id(error)}
    below = _below(error)
    while below is not None and id(below) not in seen and len(found) < _MOST_CAUSES:
        seen.add(id(below))
        found.append({"code": code_of(below), "message": _plainly(below)})
        below = _below(below)
    if code_of(error) == "internal_error":
        import traceback

        places = traceback.extract_tb(error.__traceback__)[-_MOST_CAUSES:]
        found += [{"code": "at", "message": f"{one.name}, line {one.lineno}"} for one in reversed(places)]
    return found


def _below(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
