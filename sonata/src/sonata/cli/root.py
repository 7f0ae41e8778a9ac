"""From words to a command: find it in the table, parse its options, call it.

The way through a command line is cobra's (with `TraverseChildren`, as Podman has it): options before
the command belong to the root, persistent ones may also follow it, and `--help` is an option like
any other.
"""

from __future__ import annotations

from sonata.cli import pflag, table
from sonata.cli.options.root import LEADING, PERSISTENT
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.cli.call import Call


class UnknownCommand(UsageError):
    """No such command; the front door adds where to look."""

    code = "unknown_command"


class Invocation:
    """A command line, understood: path of the command, its options, and the global ones."""

    __slots__ = ("globals", "help", "parsed", "path", "words")

    def __init__(self, path: str, words: list[str]) -> None:
        self.path = path
        self.words = words
        self.globals = pflag.parse((), [])
        self.parsed = self.globals
        self.help = False


def options_of(path: str) -> tuple[pflag.Option, ...]:
    """The command's own option table, loaded from `cli.options`. KeyError for an unknown path."""
    reference = table.TABLE[path][4]
    if not reference:
        return ()
    module, _, name = reference.partition(":")
    loaded: tuple[pflag.Option, ...] = getattr(load("sonata.cli.options." + module), name)
    return loaded


def load(module: str) -> Any:
    """Import a module by its dotted name (importlib without importlib's own weight)."""
    return __import__(module, fromlist=("*",))


def find(words: list[str]) -> tuple[str, list[str], list[str]]:
    """Split words into the command's path, the root's own options, and what is left for the command.

    Follows cobra's Traverse: a word after an option that needs a value is that value. Raises
    UnknownCommand.
    """
    longs, shorts = pflag.index(LEADING + PERSISTENT)
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        at += 2 if _takes_next(words[at], longs, shorts) else 1
    leading, rest = words[:at], words[at:]
    if not rest or rest[0] == "--":
        return "", words, []
    path = rest[0]
    used = 1
    path = table.ALIASES.get(path, path)
    while path in table.TABLE and not table.TABLE[path][0] and used < len(rest):
        word = f"{path} {rest[used]}"
        word = table.ALIASES.get(word, word)
        if rest[used].startswith("-"):
            break
        used += 1
        path = word
    if path not in table.TABLE:
        raise _unknown(path, leading)
    return path, leading, rest[used:]


def _takes_next(word: str, longs: dict[str, pflag.Option], shorts: dict[str, pflag.Option]) -> bool:
    if "=" in word:
        return False
    if word.startswith("--"):
        option = longs.get(word[2:])
    else:
        option = shorts.get(word[1:]) if len(word) == 2 else ("", "", "bool")
    return option is None or not pflag.bare_value(option)


def _unknown(path: str, leading: list[str]) -> UsageError:
    pflag.parse(LEADING + PERSISTENT, leading)  # a wrong option before the command is told first
    from sonata.cli.to_come import TO_COME

    if path in TO_COME:
        return UsageError(f"`sonata {path}` is not supported yet", hint="it is to come in a later version")
    from sonata.cli.suggest import similar

    parent = path.rpartition(" ")[0]
    return UnknownCommand(f"unrecognized command `sonata {path}`", parent=parent, similar=similar(path))


def understand(words: list[str]) -> Invocation:
    """Parse a whole command line. Raises FlagError, UnknownCommand or UsageError with Podman's words.

    Whether the arguments fit is checked by the caller, after it has looked at `help`.
    """
    path, leading, rest = find(words)
    made = Invocation(path, words)
    made.globals = pflag.parse(LEADING + PERSISTENT, leading)
    if path and (table.TABLE[path][0] or rest):
        own = options_of(path)
        stops = path in table.STOPS_AT_FIRST_ARGUMENT
        try:
            made.parsed = pflag.parse((*PERSISTENT, *own), rest, interspersed=not stops)
        except pflag.HelpWanted:
            made.help = True
            return made
        except UsageError as error:
            error.details["command"] = path
            raise
        _lift(made)
    made.help = bool(made.globals.get("help"))
    _refuse_what_is_not_done(made)
    return made


def _lift(made: Invocation) -> None:
    """Persistent options given after the command count as if given before it."""
    for option in PERSISTENT:
        name = option[0]
        if name in made.parsed.values and not _own(made.path, name):
            value = made.parsed.values.pop(name)
            before = made.globals.values.get(name)
            made.globals.values[name] = before + value if isinstance(before, list) else value


def _own(path: str, name: str) -> bool:
    return any(option[0] == name for option in options_of(path))


def _refuse_what_is_not_done(made: Invocation) -> None:
    for parsed in (made.globals, made.parsed):
        for name in parsed.values:
            if "refused" in pflag.extras(parsed.option(name)):
                reason, instead = pflag.extras(parsed.option(name))["refused"]
                raise UsageError(f"--{name} is not supported: {reason}", hint=instead)
    host = str(made.globals.get("host", ""))
    if host and not host.startswith(("unix://", "/")):
        raise UsageError(
            f"--host {host} is not supported: there is no remote service yet, and nothing to reach one with",
            hint="unix:// addresses mean this host, where commands work without a daemon",
        )


def target(path: str) -> Callable[[pflag.Parsed, Call], int]:
    """The function that carries a command out: `(parsed, call) → exit code`."""
    module, _, name = table.TABLE[path][0].partition(":")
    function: Callable[[pflag.Parsed, Call], int] = getattr(load(module), name)
    return function
