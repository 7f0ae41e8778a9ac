"""Printing results, and failing after them."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sonata_core.errors import SonataError


def lines(texts: Iterable[str]) -> None:
    """Print one text a line."""
    for text in texts:
        print(text)


def agreed(warning: str) -> bool:
    """Show what will happen, and ask; whether the answer on standard input is yes."""
    import sys

    print(f"{warning}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower().startswith("y")


def write_whole(handle: int, data: bytes) -> None:
    """Write all of it, however often that takes."""
    import os

    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def outcome(done: Iterable[str], failed: Sequence[SonataError]) -> int:
    """Print what went well; raise what did not: one error as itself, several as a group."""
    lines(done)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup("several", list(failed))
    return 0
