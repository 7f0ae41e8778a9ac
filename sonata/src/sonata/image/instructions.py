"""Instructions of a Containerfile that change an image's config: `--change` of commit and import."""

from __future__ import annotations

import json

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Config = dict[str, Any]


_PROGRAMS = ("Entrypoint", "Cmd")


def apply_changes(config: Config, changes: Iterable[str], *, single: bool = False) -> Config:
    """The `config` part of an image's config as the instructions leave it; its keys are Docker's.

    With `single`, as for `import`, an instruction sets one pair, port or label. Otherwise, as for `commit`, CMD and
    ENTRYPOINT together take the place of both that were there, and may come bare: `CMD` is a shell without a script.
    Raises UsageError in Podman's words.
    """
    made = dict(config)
    if not single:
        made = {key: value for key, value in made.items() if key not in _PROGRAMS}
    for change in changes:
        word, value = _split(change, bare=not single)
        act = _INSTRUCTIONS.get(word)
        if act is None or (single and word in ("HEALTHCHECK", "SHELL")):  # an OCI image has no room for it
            raise UsageError(f"invalid change {_quoted(change)} - invalid instruction {word}")
        try:
            act(made, value, single)
        except ValueError as error:
            raise UsageError(f"invalid change {_quoted(change)} - {error}") from error
    if not any(made.get(key) for key in _PROGRAMS):
        made.update({key: config[key] for key in _PROGRAMS if key in config and not single})
    return {key: value for key, value in made.items() if value not in ("", [], {}, None)}


def _quoted(text: str) -> str:
    """As Go's %q writes it."""
    from json import dumps

    return dumps(text, ensure_ascii=False)


def _split(change: str, *, bare: bool) -> tuple[str, str]:
    """`KEY VALUE`, or `KEY=VALUE` where that has no blank before the sign; `CMD` or `ENTRYPOINT` alone if `bare`."""
    word, sign, value = change.strip().partition(" ")
    head, equals, rest = word.partition("=")
    if equals and (not sign or head.upper() in ("CMD", "ENTRYPOINT")):
        word, value = head, f"{rest}{sign}{value}"
    if not value.strip() and not (bare and word.upper() in ("CMD", "ENTRYPOINT")):
        raise UsageError(f'invalid change "{change}" - must be formatted as KEY VALUE')
    return word.upper(), value.strip()


def _words(value: str) -> list[str] | None:
    """A JSON list of strings; None for anything else."""
    if not value.startswith("["):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def _parts(value: str) -> list[str]:
    import shlex

    return shlex.split(value)


def _program(key: str) -> Callable[[Config, str, bool], None]:
    def act(config: Config, value: str, _single: bool) -> None:
        words = _words(value)
        if words is None:
            words = ["/bin/sh", "-c", value] if value else ["/bin/sh", "-c"] if key == "Cmd" else []
        config[key] = words

    return act


def _text(key: str) -> Callable[[Config, str, bool], None]:
    def act(config: Config, value: str, _single: bool) -> None:
        config[key] = value

    return act


def _pairs(value: str, single: bool) -> list[tuple[str, str]]:
    key, equals, rest = value.partition("=")
    if " " in key or not equals:  # `ENV key the rest`
        key, blank, rest = value.partition(" ")
        if not blank and not single:
            raise ValueError("it must have two arguments")
        return [(key, rest.strip())]
    if single:
        return [(key, rest)]
    found = []
    for part in _parts(value):
        name, sign, text = part.partition("=")
        if not sign or not name:
            raise ValueError(f"{part!r} must be of the form name=value")
        found.append((name, text))
    return found


def _env(config: Config, value: str, single: bool) -> None:
    given = list(config.get("Env") or ())
    for name, text in _pairs(value, single):
        at = next((at for at, one in enumerate(given) if one.partition("=")[0] == name), None)
        if at is None:
            given.append(f"{name}={text}")
        else:
            given[at] = f"{name}={text}"
    config["Env"] = given


def _label(config: Config, value: str, single: bool) -> None:
    pairs = _pairs(value, single)
    config["Labels"] = dict(sorted({**(config.get("Labels") or {}), **dict(pairs)}.items()))


def _expose(config: Config, value: str, single: bool) -> None:
    ports = [value] if single else value.split()
    found = dict(config.get("ExposedPorts") or {})
    for port in ports:
        number, _, protocol = port.partition("/")
        first, _, last = number.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise ValueError(f'EXPOSE port must be an integer: strconv.Atoi: parsing "{number}": invalid syntax')
        if protocol not in ("", "tcp", "udp", "sctp"):
            raise ValueError(f"invalid port protocol {protocol!r}")
        span = range(int(first), int(last or first) + 1)
        if not span or span[0] < 1 or span[-1] > 65535:
            raise ValueError(f"EXPOSE port {number} must be between 1 and 65535")
        found.update((f"{one}/{protocol or 'tcp'}", {}) for one in span)
    config["ExposedPorts"] = dict(sorted(found.items()))


def _volume(config: Config, value: str, _single: bool) -> None:
    given = _words(value)
    paths = given if given is not None else value.split()
    config["Volumes"] = dict(sorted({**(config.get("Volumes") or {}), **{path: {} for path in paths}}.items()))


def _directory(config: Config, value: str, single: bool) -> None:
    if not value.startswith("/") and not single:
        value = f"{(config.get('WorkingDir') or '/').rstrip('/')}/{value}"
    config["WorkingDir"] = value


def _on_build(config: Config, value: str, _single: bool) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or ()), value]


def _health(config: Config, value: str, _single: bool) -> None:
    kind, _, rest = value.partition(" ")
    if kind.upper() == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD":
        raise ValueError("options of HEALTHCHECK are not supported here")
    words = _words(rest.strip())
    config["Healthcheck"] = {"Test": ["CMD", *words] if words is not None else ["CMD-SHELL", rest.strip()]}


def _shell(config: Config, value: str, _single: bool) -> None:
    words = _words(value)
    if words is None:
        raise ValueError("SHELL requires the arguments to be in JSON form")
    config["Shell"] = words


def _signal(config: Config, value: str, single: bool) -> None:
    """Kept as it is written. For `commit` it must be one, as Buildah has it; `import` takes any text."""
    from signal import Signals

    name = value.upper().removeprefix("SIG")
    known = value.isdecimal() and 0 < int(value[:4]) < 65
    if not single and not known and f"SIG{name.split('+')[0].split('-')[0]}" not in Signals.__members__:
        raise ValueError(f"Invalid signal: {value}")
    config["StopSignal"] = value


_INSTRUCTIONS: dict[str, Callable[[Config, str, bool], None]] = {
    "CMD": _program("Cmd"),
    "ENTRYPOINT": _program("Entrypoint"),
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _health,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _signal,
    "USER": _text("User"),
    "VOLUME": _volume,
    "WORKDIR": _directory,
}
