"""Commands that resemble a mistyped one, as cobra suggests them."""

from __future__ import annotations

from sonata.cli.table import TABLE


def similar(path: str) -> tuple[str, ...]:
    """Last words of commands beside `path` at a distance of at most two, or that it begins."""
    parent, _, typed = path.rpartition(" ")
    prefix = parent + " " if parent else ""
    found = []
    for known in TABLE:
        if not known.startswith(prefix) or " " in known[len(prefix) :]:
            continue
        word = known[len(prefix) :]
        if distance(typed.lower(), word.lower()) <= 2 or word.lower().startswith(typed.lower()):
            found.append(word)
    return tuple(found)


def distance(one: str, other: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, there in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (char != there))
    return row[-1]
