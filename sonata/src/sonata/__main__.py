"""The front door: answers `version`, hands everything else to the command that the table names.

What comes out of a command here is an exit code, one line on stderr, or both. Nothing below prints
an error or exits.
"""

from __future__ import annotations

import os
import sys

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.root import Invocation


def main(words: list[str] | None = None, *, leaving: bool = False) -> int:
    """Carry out one command line (by default the process's own). Returns the exit code.

    `leaving`: the process ends with it, so that closing what is open can be left to the kernel.
    """
    words = sys.argv[1:] if words is None else words
    if words in (["--version"], ["-v"]):
        from sonata._version import VERSION

        print(f"sonata version {VERSION}")
        return 0
    try:
        return _main(words, leaving=leaving)
    except KeyboardInterrupt as error:
        return _report(words, error)
    except BrokenPipeError:
        return _broken_pipe()
    except Exception as error:
        return _report(words, error)


def _main(words: list[str], *, leaving: bool) -> int:
    if words and words[0] in ("__complete", "__completeNoDesc"):
        from sonata.cli.complete import complete

        return complete(words[1:], described=words[0] == "__complete")
    from sonata.cli import pflag, root
    from sonata_core.errors import UsageError

    try:
        made = root.understand(words)
    except pflag.HelpWanted:
        return _help("")
    if made.help or not made.path:
        return _without_command(made)
    from sonata.cli import table

    if not table.TABLE[made.path][0]:
        _help(made.path)
        raise UsageError(f"missing command 'sonata {made.path} COMMAND'")
    return _carry_out(made, leaving=leaving)


def _without_command(made: Invocation) -> int:
    if made.help:
        return _help(made.path)
    if made.globals.get("version"):
        return main(["--version"])
    _help("")
    from sonata_core.errors import UsageError

    raise UsageError("missing command 'sonata COMMAND'")


def _carry_out(made: Invocation, *, leaving: bool) -> int:
    from sonata.cli import arguments, root, table
    from sonata.cli.call import Call
    from sonata_core import trace

    for warning in made.parsed.warnings:
        print(warning, file=sys.stderr)
    arguments.check(table.TABLE[made.path][5], made.path, made.parsed)
    given = made.globals.get("error-format")
    if given or "SONATA_ERROR_FORMAT" in os.environ:
        from sonata.cli.error_json import check

        check(given, os.environ)
    _redirect(made)
    if os.geteuid() and table.TABLE[made.path][2] == "userns":
        from sonata.engine.rootless import enter

        enter(os.environ)
    if made.globals.get("trace"):
        trace.start(made.globals["trace"])
    call = Call(made.path, tuple(made.words), made.globals)
    try:
        with trace.span(made.path):
            if made.globals.get("cpu-profile") or made.globals.get("memory-profile"):
                return _profiled(made, call)
            return root.target(made.path)(made.parsed, call)
    finally:
        if not leaving:
            call.close()
        trace.stop()


def _profiled(made: Invocation, call: Call) -> int:
    from sonata.cli import root
    from sonata.cli.profiling import Profile

    with Profile(made.globals.get("cpu-profile", ""), made.globals.get("memory-profile", "")):
        return root.target(made.path)(made.parsed, call)


def _redirect(made: Invocation) -> None:
    """`--out FILE` and `--noout`: where stdout goes."""
    path = "/dev/null" if made.globals.get("noout") else made.globals.get("out")
    if path:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        os.dup2(target, 1)
        os.close(target)


def _help(path: str) -> int:
    from sonata.cli.help import page

    print(page(path), end="")
    return 0


def _complain(text: str) -> int:
    if sys.stdout is not None:
        sys.stdout.flush()
    print(text, file=sys.stderr)
    return 125


def _report(words: list[str], error: Exception | KeyboardInterrupt) -> int:
    """Say what went wrong, once. Anything that is no SonataError is a fault of ours: its traceback is shown."""
    from sonata.cli import error_json, errors
    from sonata.cli.root import UnknownCommand
    from sonata_core.errors import SonataError

    as_json = error_json.wanted(words, os.environ)
    if isinstance(error, ExceptionGroup):
        return _report_many(words, error, as_json=as_json)
    if as_json:
        _complain(error_json.line(_path_of(words, error), error))
        return errors.exit_code(_path_of(words, error), error)
    if isinstance(error, KeyboardInterrupt):
        return errors.exit_code("", error)
    if isinstance(error, OSError):
        return _complain(f"Error: {errors.said_by_system(error)}")
    if not isinstance(error, SonataError):
        import traceback

        traceback.print_exc()
        return _complain(errors.shown(error))
    path = _path_of(words, error)
    text = errors.shown(error)
    if isinstance(error, UnknownCommand):
        near = error.details.get("similar")
        if isinstance(near, tuple) and near:
            text += "\n\nDid you mean this?\n" + "".join(f"\t{word}\n" for word in near)
        text += f"\nTry 'sonata {str(error.details['parent']) + ' ' if error.details['parent'] else ''}--help'"
        text += " for more information"
    elif _is_flag_error(error):
        text += f"\nSee 'sonata {path + ' ' if path else ''}--help'"
    code = errors.exit_code(path, error)
    _complain(text)
    return code


def _report_many(words: list[str], group: ExceptionGroup[Exception], *, as_json: bool) -> int:
    from sonata.cli import error_json, errors
    from sonata.cli.output import JOINED
    from sonata_core.errors import SonataError

    several = errors.flatten(group)
    path = _path_of(words, None)
    if group.message == JOINED and not as_json:
        _complain(errors.shown_as_one(several))
        return errors.exit_code_of_joined(path, [error for error in several if isinstance(error, SonataError)])
    for error in several:
        _complain(error_json.line(path, error) if as_json else errors.shown(error))
    ours = [error for error in several if isinstance(error, SonataError)]
    return errors.exit_code_of_many(path, ours)


def _is_flag_error(error: Exception) -> bool:
    from sonata.cli.pflag import FlagError

    return isinstance(error, FlagError)


def _path_of(words: list[str], error: BaseException | None) -> str:
    """The command that the words name, as far as they name one."""
    from sonata.cli.root import find
    from sonata_core.errors import SonataError

    try:
        return find(words)[0]
    except SonataError:
        return str(getattr(error, "details", {}).get("command", ""))


def _broken_pipe() -> int:
    """Whoever read our output is gone: die of it as any program does, silently."""
    from signal import SIG_DFL, SIGPIPE, signal

    signal(SIGPIPE, SIG_DFL)
    os.kill(os.getpid(), SIGPIPE)
    return 141


def run() -> None:
    """Entry point of the installed program: `main`, then out without the interpreter's long goodbye."""
    import _signal  # type: ignore[import-not-found]  # what `signal` wraps, without the enums

    # A handler, unlike "ignore", is not inherited by the programs we start; writes still fail with EPIPE.
    _signal.signal(_signal.SIGPIPE, _nothing)
    for number in (0, 1, 2):
        _occupy(number)
    # Files have the modes that the code says, whatever the caller's mask is.
    os.umask(0o022)
    code = main(leaving=True)
    code = _flush(code)
    if "sonata.codememo" in sys.modules:
        from sonata import codememo

        codememo.keep(code)
    os._exit(code)


def _occupy(number: int) -> None:
    """Have something open as a standard stream that the caller closed: no file of ours may become one."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), True)


def _nothing(_number: int, _frame: object) -> None:
    """The signal is met as BrokenPipeError instead."""


def _flush(code: int) -> int:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return _broken_pipe()
    except OSError as error:
        # What could not be written stays in the buffer; nothing may try again.
        from sonata.cli import error_json

        text = f"write stdout: {(error.strerror or str(error)).lower()}"
        as_json = error_json.wanted(sys.argv[1:], os.environ)
        said = error_json.line("", OSError(text)) if as_json else f"Error: {text}"
        print(said, file=sys.stderr, flush=True)
        return code or 125
    return code


if __name__ == "__main__":
    run()
