"""The environment of a process: env files, `-e` in its three forms, and who wins."""

from __future__ import annotations

from sonata.plan.values import go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


def entries(given: Iterable[str], caller: Mapping[str, str]) -> dict[str, str]:
    """`K=V`, `K` (copied from the caller if set) and `K*` (every caller's variable that begins so)."""
    result: dict[str, str] = {}
    for entry in given:
        name, equals, value = entry.partition("=")
        if equals:
            if not name:
                raise UsageError(f"invalid variable: {go_quote(entry)}")
            result[name] = value
        elif name.endswith("*"):
            stem = name[:-1]
            result.update({key: text for key, text in caller.items() if key.startswith(stem)})
        elif name in caller:
            result[name] = caller[name]
    return result


def file_entries(text: str, caller: Mapping[str, str]) -> dict[str, str]:
    """An env file: one entry a line, blanks before it and `#` lines skipped, nothing unquoted."""
    result: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        entry = line.lstrip(" \t")
        if not entry or entry.startswith("#"):
            continue
        result.update(entries([entry], caller))
    return result


def labels(
    base: Mapping[str, str], files: Iterable[str], given: Iterable[str], caller: Mapping[str, str]
) -> dict[str, str]:
    """Labels: those of `base`, of label files and of `--label`, later ones winning. Raises UsageError."""
    result = dict(base)
    for text in files:
        result.update(file_entries(text, caller))
    for text in given:
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f"unable to process labels: invalid label format: {go_quote(text)}")
        result[key] = value
    return result


def proxies(caller: Mapping[str, str]) -> dict[str, str]:
    """The caller's proxy variables, in both cases."""
    return {name: caller[name] for base in _PROXIES for name in (base, base.upper()) if caller.get(name)}


def expand(given: Iterable[str], base: Mapping[str, str]) -> dict[str, str]:
    """`--env-merge K=${K}:x`: values refer to what the environment holds so far."""
    result: dict[str, str] = {}
    for entry in given:
        name, _, value = entry.partition("=")
        result[name] = _substitute(value, {**base, **result})
    return result


def _substitute(text: str, values: Mapping[str, str]) -> str:
    out, rest = "", text
    while "$" in rest:
        before, _, rest = rest.partition("$")
        out += before
        if rest.startswith("{") and "}" in rest:
            name, _, rest = rest[1:].partition("}")
        else:
            length = next((i for i, char in enumerate(rest) if not (char.isalnum() or char == "_")), len(rest))
            name, rest = rest[:length], rest[length:]
        out += values.get(name, "")
    return out + rest
