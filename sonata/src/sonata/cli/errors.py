"""From an error to what the user sees of it: a line on stderr and an exit code.

The code is a function of the verb and the error's class: one table for the common case, one for
verbs that differ. Sources: Podman's manual pages (EXIT STATUS of run, exec, rm, rmi, network rm,
volume rm, … exists) and its behaviour.
"""

from __future__ import annotations

from sonata_core import errors, interrupts
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FAILURE = 125
INTERRUPTED = 130

CODES: dict[type[errors.SonataError], int] = {
    errors.SonataError: FAILURE,
    errors.UsageError: FAILURE,
    errors.NotFound: FAILURE,
    errors.AlreadyExists: FAILURE,
    errors.Conflict: FAILURE,
    errors.InUse: FAILURE,
    errors.AlreadyInState: 0,
    errors.Denied: FAILURE,
    errors.Unsupported: FAILURE,
    errors.Unavailable: FAILURE,
    errors.BackendMissing: FAILURE,
    errors.HostLacks: FAILURE,
    errors.TimedOut: FAILURE,
    errors.Interrupted: INTERRUPTED,
    errors.ProcessRefused: 126,
    errors.CommandNotFound: 127,
    errors.CommandNotExecutable: 126,
    errors.ExternalFailure: FAILURE,
    errors.CommandFailed: FAILURE,
    errors.RegistryFailure: FAILURE,
    errors.Damaged: FAILURE,
    errors.PluginFault: FAILURE,
    errors.PluginCrashed: FAILURE,
    errors.PluginBrokeContract: FAILURE,
    errors.IncompatiblePlugin: FAILURE,
}

_REMOVAL = {errors.NotFound: 1, errors.InUse: 2}

BY_VERB: dict[str, dict[type[errors.SonataError], int]] = {
    "rm": {errors.NotFound: 1, errors.InUse: FAILURE, errors.Conflict: 2},
    "container rm": {errors.NotFound: 1, errors.InUse: FAILURE, errors.Conflict: 2},
    "manifest rm": _REMOVAL,
    "pod exists": {errors.NotFound: 1},
    "pod rm": {errors.NotFound: 1},
    "pod start": {errors.ProcessRefused: FAILURE},
    "pod restart": {errors.ProcessRefused: FAILURE},
    "pod clone": {errors.ProcessRefused: FAILURE},
    "rmi": _REMOVAL,
    "image rm": _REMOVAL,
    "network rm": _REMOVAL,
    "volume rm": _REMOVAL,
    "container exists": {errors.NotFound: 1},
    "image exists": {errors.NotFound: 1},
    "network exists": {errors.NotFound: 1},
    "volume exists": {errors.NotFound: 1},
    "unshare": {errors.NotFound: 127, errors.Denied: 126},
    "create": {errors.ProcessRefused: FAILURE},
    "container create": {errors.ProcessRefused: FAILURE},
    "start": {errors.ProcessRefused: FAILURE},
    "container start": {errors.ProcessRefused: FAILURE},
    "exec": {errors.NotFound: FAILURE, errors.UsageError: FAILURE, errors.Conflict: 255, errors.ExternalFailure: 255},
}
BY_VERB["container exec"] = BY_VERB["exec"]

_BY_STAGE = {"exec": 255, "detached": FAILURE, "settings": 1}
"""Of an exec that came as far as its session; one in the foreground that the runtime refused has that one's code."""

_STARTS = ("run", "container run")


def exit_code(path: str, error: BaseException) -> int:
    """The exit code of command `path` that ended with `error`: 125 for no SonataError, 130 for Ctrl-C, 143 for SIGTERM.

    The nearest class counts, in the verb's own table first. `run` tells apart where it failed: an
    error with detail `stage="start"` came after the container was made, and reads as the command's.
    """
    if isinstance(error, KeyboardInterrupt):
        return interrupts.exit_code(error)
    if not isinstance(error, errors.SonataError):
        return FAILURE
    if path in _STARTS and error.details.get("stage") == "start":
        text = error.message.lower()
        missing = "not found" in text or "no such file" in text or "executable path is empty" in text
        return 127 if missing else 126
    late = _BY_STAGE.get(str(error.details.get("stage")))
    if late is not None and (late == FAILURE or not isinstance(error, errors.ProcessRefused)):
        return late
    for rows in (BY_VERB.get(path, {}), CODES):
        for cls in type(error).__mro__:
            if cls in rows:
                return rows[cls]
    return FAILURE


def exit_code_of_many(path: str, several: Iterable[errors.SonataError]) -> int:
    """The code of a command that went on after failures: an unknown name's 1 stays, else the last that is special."""
    code = 0
    for error in several:
        one = exit_code(path, error)
        if code != 1 and one != FAILURE:
            code = one
    return code or FAILURE


def exit_code_of_joined(path: str, several: Iterable[errors.SonataError]) -> int:
    """Of errors that are told as one: the gravest."""
    return max(exit_code(path, error) for error in several)


def shown_as_one(several: Iterable[BaseException]) -> str:
    """Several errors as one list, as Podman tells what images could not be removed."""
    texts = [str(getattr(error, "message", error)) for error in several]
    return harmless("\n".join([f"Error: {len(texts)} errors occurred:", *(f"\t* {text}" for text in texts)]))


def shown(error: BaseException) -> str:
    """What stderr gets: `Error: …`, and the hint below it where there is one."""
    if not isinstance(error, errors.SonataError):
        return f"Error: {type(error).__name__}: {error}"
    early = error.details.get("stage") == "settings"  # Podman says these before it has a command
    text = error.message if early else f"Error: {error.message}"
    return harmless(f"{text}\n  hint: {error.hint}" if error.hint else text)


def said_by_system(error: OSError) -> str:
    """An error of the system as Go, and so Podman, says it: `no space left on device`."""
    from os import fsdecode

    text = error.strerror or str(error)
    text = text[:1].lower() + text[1:]
    return f"{fsdecode(error.filename)}: {text}" if error.filename else text


def harmless(text: str) -> str:
    """Text without what a terminal would obey: messages repeat names that strangers chose."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in text)


def flatten(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors of a group and of the groups in it, in order."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
