"""How many arguments a command takes, checked with Podman's words."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.cli.pflag import Parsed


def check(rule: str, path: str, parsed: Parsed) -> None:
    """Raises UsageError where the arguments do not fit the command's rule (`sonata.cli.table`)."""
    kind, _, number = rule.partition(" ")
    if number.isdigit():
        _count(kind, int(number), len(parsed.args))
    elif rule == "none":
        if parsed.args:
            raise UsageError(f"`sonata {path}` takes no arguments")
    elif rule not in ("", "any"):
        _RULES[rule](path, parsed)


def _count(kind: str, number: int, given: int) -> None:
    if kind == "exact" and given != number:
        raise UsageError(f"accepts {number} arg(s), received {given}")
    if kind == "min" and given < number:
        raise UsageError(f"requires at least {number} arg(s), only received {given}")
    if kind == "max" and given > number:
        raise UsageError(f"accepts at most {number} arg(s), received {given}")


def _flag(parsed: Parsed, name: str) -> bool:
    return bool(parsed.get(name))


def _names(_path: str, parsed: Parsed) -> None:
    """Names, or one of --all, --latest, --cidfile, --filter."""
    every, latest, files = _flag(parsed, "all"), _flag(parsed, "latest"), parsed.changed("cidfile")
    if files and (every or latest):
        raise UsageError("--all, --latest, and --cidfile cannot be used together")
    if every and latest:
        raise UsageError("--all and --latest cannot be used together")
    if parsed.args and every:
        raise UsageError("no arguments are needed with --all")
    if parsed.args and latest:
        raise UsageError("--latest and containers cannot be used together")
    if parsed.args and files:
        raise UsageError("no arguments are needed with --latest or --cidfile")
    if parsed.args and parsed.changed("filter"):
        raise UsageError("--filter takes no arguments")
    if not (parsed.args or every or latest or files or parsed.changed("filter")):
        raise UsageError("you must provide at least one name or id")


def _some_names(path: str, parsed: Parsed) -> None:
    """As `names`, and none at all is well too."""
    if parsed.args or _flag(parsed, "all") or _flag(parsed, "latest"):
        _names(path, parsed)


def _one_to_three(_path: str, parsed: Parsed) -> None:
    if not 1 <= len(parsed.args) <= 3:
        raise UsageError(f"accepts between 1 and 3 arg(s), received {len(parsed.args)}")


def _start(_path: str, parsed: Parsed) -> None:
    every, latest = _flag(parsed, "all"), _flag(parsed, "latest")
    if len(parsed.args) > 1 and _flag(parsed, "attach"):
        raise UsageError("you cannot start and attach multiple containers at once")
    if not (parsed.args or every or latest or parsed.changed("filter")):
        raise UsageError("start requires at least one argument")
    if every and latest:
        raise UsageError("--all and --latest cannot be used together")
    if parsed.args and latest:
        raise UsageError("--latest and containers cannot be used together")
    if parsed.args and every:
        raise UsageError("either start all containers or the container(s) provided in the arguments")


def _attach(path: str, parsed: Parsed) -> None:
    if parsed.args and _flag(parsed, "latest"):
        raise UsageError("--latest and containers cannot be used together")
    if len(parsed.args) > 1:
        raise UsageError(f"`sonata {path}` accepts at most one argument")
    _name_or_latest(path, parsed)


def _name_or_latest(path: str, parsed: Parsed) -> None:
    if not parsed.args and not _flag(parsed, "latest"):
        raise UsageError(f'"sonata {path}" requires a name, id, or the "--latest" flag')


def _wait(path: str, parsed: Parsed) -> None:
    if parsed.args and _flag(parsed, "latest"):
        raise UsageError("--latest and containers cannot be used together")
    _name_or_latest(path, parsed)


def _exec(_path: str, parsed: Parsed) -> None:
    if not (parsed.args or _flag(parsed, "latest") or parsed.get("cidfile")):
        raise UsageError("exec requires the name or ID of a container or the --latest or --cidfile flag")


def _logs(_path: str, parsed: Parsed) -> None:
    latest = _flag(parsed, "latest")
    if parsed.args and latest:
        raise UsageError("--latest and containers cannot be used together")
    if not parsed.args and not latest:
        raise UsageError("specify at least one container name or ID to log")


def _top(_path: str, parsed: Parsed) -> None:
    if not parsed.args and not _flag(parsed, "latest") and not _flag(parsed, "list-descriptors"):
        raise UsageError("you must provide the name or id of a running container")


def _pods(_path: str, parsed: Parsed) -> None:
    """Pods, or one of --all, --latest, --pod-id-file."""
    every, latest, files = _flag(parsed, "all"), _flag(parsed, "latest"), parsed.changed("pod-id-file")
    if files and (every or latest):
        raise UsageError("--all, --latest, and --pod-id-file cannot be used together")
    if every and latest:
        raise UsageError("--all and --latest cannot be used together")
    if parsed.args and every:
        raise UsageError("no arguments are needed with --all")
    if parsed.args and latest:
        raise UsageError("--latest and pods cannot be used together")
    if parsed.args and files:
        raise UsageError("no arguments are needed with --latest or --pod-id-file")
    if not (parsed.args or every or latest or files):
        raise UsageError("you must provide at least one name or id")


def _pod_logs(_path: str, parsed: Parsed) -> None:
    latest = _flag(parsed, "latest")
    if parsed.args and latest:
        raise UsageError("--latest and pods cannot be used together")
    if not parsed.args and not latest:
        raise UsageError("specify at least one pod name or ID to log")
    if len(parsed.args) > 1:
        raise UsageError("requires exactly 1 arg")


def _pod_top(_path: str, parsed: Parsed) -> None:
    if not parsed.args and not _flag(parsed, "latest") and not _flag(parsed, "list-descriptors"):
        raise UsageError("you must provide the name or id of a running pod")


def _pod_stats(_path: str, parsed: Parsed) -> None:
    if sum((bool(parsed.args), _flag(parsed, "all"), _flag(parsed, "latest"))) > 1:
        raise UsageError("--all, --latest and arguments cannot be used together")


def _port(_path: str, parsed: Parsed) -> None:
    if len(parsed.args) > 2:
        raise UsageError("`port` accepts at most 2 arguments")
    every, latest = _flag(parsed, "all"), _flag(parsed, "latest")
    if every and latest:
        raise UsageError("--all and --latest cannot be used together")
    if parsed.args and every:
        raise UsageError("no arguments are needed with --all")
    if not (parsed.args or every or latest):
        raise UsageError("you must supply a running container name or id")


def _inspect(_path: str, parsed: Parsed) -> None:
    latest = _flag(parsed, "latest")
    if parsed.args and latest:
        raise UsageError("--latest and arguments cannot be used together")
    if not parsed.args and not latest:
        raise UsageError("no names or ids specified")


def _diff(path: str, parsed: Parsed) -> None:
    if parsed.args and _flag(parsed, "latest"):
        raise UsageError("--latest and containers cannot be used together")
    if len(parsed.args) > 2:
        raise UsageError(f"accepts between 1 and 2 arg(s), received {len(parsed.args)}")
    _name_or_latest(path, parsed)


def _rmi(_path: str, parsed: Parsed) -> None:
    if not parsed.args and not _flag(parsed, "all"):
        raise UsageError("image name or ID must be specified")
    if parsed.args and _flag(parsed, "all"):
        raise UsageError("when using the --all switch, you may not pass any images names or IDs")


def _save(_path: str, parsed: Parsed) -> None:
    if not parsed.args:
        raise UsageError("need at least 1 argument")


def _volume_rm(_path: str, parsed: Parsed) -> None:
    if bool(parsed.args) == _flag(parsed, "all"):
        raise UsageError("choose either one or more volumes or all")


def _volume_inspect(_path: str, parsed: Parsed) -> None:
    if bool(parsed.args) == _flag(parsed, "all"):
        raise UsageError("provide one or more volume names or use --all")


def _completion(path: str, parsed: Parsed) -> None:
    _count("exact", 1, len(parsed.args))
    if parsed.args[0] not in ("bash", "zsh", "fish", "powershell"):
        from sonata.cli.pflag import quote

        raise UsageError(f'invalid argument {quote(parsed.args[0])} for "sonata {path}"')


def _one_or_two(_path: str, parsed: Parsed) -> None:
    if len(parsed.args) not in (1, 2):
        raise UsageError(f"accepts between 1 and 2 arg(s), received {len(parsed.args)}")


def _secret_rm(path: str, parsed: Parsed) -> None:
    if bool(parsed.args) == _flag(parsed, "all"):
        raise UsageError(f"`sonata {path}` requires one argument, or the --all flag")


def _stats(_path: str, parsed: Parsed) -> None:
    if sum((bool(parsed.args), _flag(parsed, "all"), _flag(parsed, "latest"))) > 1:
        raise UsageError("--all, --latest and containers cannot be used together")


_RULES: dict[str, Callable[[str, Parsed], None]] = {
    "attach": _attach,
    "completion": _completion,
    "diff": _diff,
    "exec": _exec,
    "inspect": _inspect,
    "logs": _logs,
    "names": _names,
    "names or none": _some_names,
    "one or two": _one_or_two,
    "one to three": _one_to_three,
    "pod logs": _pod_logs,
    "pod stats": _pod_stats,
    "pod top": _pod_top,
    "pods": _pods,
    "port": _port,
    "rmi": _rmi,
    "save": _save,
    "secret rm": _secret_rm,
    "start": _start,
    "stats": _stats,
    "top": _top,
    "volume inspect": _volume_inspect,
    "volume rm": _volume_rm,
    "wait": _wait,
}
