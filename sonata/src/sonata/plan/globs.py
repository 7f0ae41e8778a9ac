"""Patterns of paths as Go's filepath.Glob reads them: `*`, `?`, `[…]` with `^`, and a backslash that quotes."""

from __future__ import annotations

from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SPECIAL = "*?[\\"


def matches(pattern: str, names_in: Callable[[str], Iterable[str]]) -> list[str]:
    """The paths that an absolute pattern matches, folder by folder in order. Hidden names match as others do.

    `names_in` lists a folder (nothing for what is none). Raises UsageError for a pattern that is none.
    """
    found = ["/"]
    parts = [part for part in pattern.split("/") if part]
    for part in parts:
        _require(part)
    for part in parts:
        base = [path.rstrip("/") for path in found]
        found = [f"{path}/{name}" for path in base for name in _named(part, path or "/", names_in)]
    return found if parts else []


def _named(part: str, folder: str, names_in: Callable[[str], Iterable[str]]) -> list[str]:
    names = sorted(names_in(folder))
    if not set(part) & set(_SPECIAL):
        return [part] if part in names else []
    return [name for name in names if _fits(part, name)]


def _require(part: str) -> None:
    at = 0
    while at < len(part):
        if part[at] == "[":
            _, at = _set(part, at)
        elif part[at] == "\\":
            at += 2
            if at > len(part):
                raise UsageError("syntax error in pattern")
        else:
            at += 1


def _fits(part: str, name: str) -> bool:
    """Whether a name matches: each `*` is widened only when what follows does not fit, the last one first."""
    at = where = 0
    star, mark = -1, 0
    while where < len(name):
        if at < len(part) and part[at] == "*":
            star, mark, at = at, where, at + 1
            continue
        step = _one(part, at, name[where]) if at < len(part) else 0
        if step:
            at, where = at + step, where + 1
        elif star >= 0:
            mark += 1
            at, where = star + 1, mark
        else:
            return False
    return part[at:].strip("*") == ""


def _one(part: str, at: int, char: str) -> int:
    """How long the element at `at` is that fits one character; 0 if it does not fit."""
    if part[at] == "?":
        return 1
    if part[at] == "\\":
        return 2 if part[at + 1] == char else 0
    if part[at] != "[":
        return 1 if part[at] == char else 0
    (negated, ranges), end = _set(part, at)
    inside = any(low <= char <= high for low, high in ranges)
    return end - at if inside != negated else 0


def _set(part: str, at: int) -> tuple[tuple[bool, list[tuple[str, str]]], int]:
    """The ranges of `[…]`, and where it ends. Raises UsageError."""
    at += 1
    negated = part[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while not (part[at : at + 1] == "]" and ranges):
        low, at = _character(part, at)
        high = low
        if part[at : at + 1] == "-":
            high, at = _character(part, at + 1)
        ranges.append((low, high))
    return (negated, ranges), at + 1


def _character(part: str, at: int) -> tuple[str, int]:
    if part[at : at + 1] == "\\":
        at += 1
    elif part[at : at + 1] in ("-", "]"):
        raise UsageError("syntax error in pattern")
    if at >= len(part):
        raise UsageError("syntax error in pattern")
    return part[at], at + 1
