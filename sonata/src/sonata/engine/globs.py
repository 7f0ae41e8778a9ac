"""Patterns as Go's `path.Match` reads them."""

from __future__ import annotations


def fits(pattern: str, text: str) -> bool:
    """Whether the whole text fits: `*` and `?` stand for anything but a slash, `[a-z]` and `[^a-z]` for one letter.

    A pattern that makes no sense fits nothing.
    """
    import re

    try:
        return re.fullmatch(_expression(pattern), text, re.DOTALL) is not None
    except (re.error, IndexError):
        return False


def _expression(pattern: str) -> str:
    """A regular expression for the pattern. Raises IndexError for one that ends too soon."""
    import re

    found, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "[":
            part, at = _set(pattern, at + 1)
            found += part
            continue
        if letter == "\\":
            at += 1
            letter = re.escape(pattern[at])
        else:
            letter = {"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter))
        found += letter
        at += 1
    return found


def _set(pattern: str, at: int) -> tuple[str, int]:
    """The set of letters that begins at `at`, and where it ends."""
    import re

    negated = pattern[at] == "^"
    at += negated
    found = ""
    while pattern[at] != "]" or not found:
        low, at = _letter(pattern, at)
        high = low
        if pattern[at] == "-":
            high, at = _letter(pattern, at + 1)
        found += f"{re.escape(low)}-{re.escape(high)}"
    return f"[{'^' if negated else ''}{found}]", at + 1


def _letter(pattern: str, at: int) -> tuple[str, int]:
    """A letter of a set, and where the next one is. Raises IndexError where there can be none."""
    if pattern[at] in "-]":
        raise IndexError
    at += pattern[at] == "\\"
    return pattern[at], at + 1
