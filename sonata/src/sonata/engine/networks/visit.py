"""Running a program where an ordinary user's bridges are."""

from __future__ import annotations

import os

from sonata.engine.networks import shared
from sonata.engine.rootless import not_run, program_environment
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    import signal

    from sonata.engine.engine import Engine
else:
    import _signal as signal


def visit(engine: Engine, words: tuple[str, ...]) -> int:
    """Run a program in the shared namespace, which stays for as long; its exit code, 128 and more for a signal.

    Raises NotFound, Denied for the program, and what `shared.enter` raises.
    """
    reference = shared.reference(engine)
    assert reference is not None, "only an ordinary user has such a namespace"
    user = shared.this_process()
    try:
        shared.enter(engine, reference, user)
        options = SpawnOptions(netns=reference.path, binds=reference.binds, cwd=_folder())
        try:
            pid = spawn((_path(words[0]), *words[1:]), program_environment(engine), options)
        except OSError as error:
            raise not_run(words[0], error) from error
        return _waited(pid)
    finally:
        shared.leave(engine, reference, user)


def _waited(pid: int) -> int:
    """Until it ends. What a terminal sends is the program's own, what is sent to us is handed on."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.signal(number, lambda got, _: os.kill(pid, got))
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _folder() -> str:
    """Where we are: entering a mount namespace leaves one in its root."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


def _path(name: str) -> str:
    """The file of a program. Raises NotFound."""
    if "/" in name:
        return name
    for folder in (os.environ.get("PATH") or os.defpath).split(":"):
        path = f"{folder or '.'}/{name}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise not_run(name, FileNotFoundError())
