"""Printing results, and failing after them."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from sonata.cli.pflag import Parsed
    from sonata_core.errors import SonataError


def lines(texts: Iterable[str]) -> None:
    """Print one text a line."""
    for text in texts:
        print(text)


def agreed(warning: str) -> bool:
    """Show what will happen, and ask; whether the answer is yes. Raises UsageError where there is none at all."""
    import sys

    print(f"{warning}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        from sonata_core.errors import UsageError

        raise UsageError("EOF", hint="`--force` asks nothing")
    return answer.strip().lower().startswith("y")


def require_force(parsed: Parsed) -> None:
    """Raises UsageError for `--time` of a removal that stops nothing."""
    if parsed.changed("time") and not parsed["force"]:
        from sonata_core.errors import UsageError

        raise UsageError("--force option must be specified to use the --time option")


def pour(pieces: Generator[bytes, None, None], path: str, trouble: str = "") -> None:
    """Write pieces to a file, or to standard output where `path` is empty.

    Raises UsageError for a file that cannot be made, after the words `trouble`.
    """
    import os

    from sonata_core.errors import UsageError
    from sonata_core.sdk.folders import write_whole

    handle = 1
    if path:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"{trouble}open {path}: {(error.strerror or '').lower()}") from error
    try:
        for piece in pieces:
            write_whole(handle, piece, path)
    finally:
        if path:
            os.close(handle)
        # What it has mounted is let go of now: trouble with that is told here, not by the garbage collector.
        pieces.close()


JOINED = "joined"
"""The name of a group of errors that are told as one."""


def outcome(done: Iterable[str], failed: Sequence[SonataError], *, joined: bool = False) -> int:
    """Print what went well; raise what did not: one error as itself, several as a group (told as one if `joined`)."""
    lines(done)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup(JOINED if joined else "several", list(failed))
    return 0
