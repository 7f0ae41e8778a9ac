"""Commands that resemble a mistyped one, as cobra suggests them."""

from __future__ import annotations

from sonata.cli.table import TABLE


def similar(path: str) -> tuple[str, ...]:
    """Last words of commands beside `path` that it begins, or at a distance of at most two.

    Below a command those at a distance are of use only where it begins none: many of them are short.
    """
    parent, _, typed = path.rpartition(" ")
    prefix = parent + " " if parent else ""
    words = [known[len(prefix) :] for known in TABLE if known.startswith(prefix) and " " not in known[len(prefix) :]]
    begun = [word for word in words if word.lower().startswith(typed.lower())]
    if parent and (begun or len(typed) <= _SHORT):
        return tuple(begun)
    near = [word for word in words if word in begun or distance(typed.lower(), word.lower()) <= 2]
    return tuple(near)


_SHORT = 3
"""Letters of a word of which a distance of two leaves too little."""


def distance(one: str, other: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, there in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (char != there))
    return row[-1]
