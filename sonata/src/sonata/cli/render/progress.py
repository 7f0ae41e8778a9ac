"""How far a transfer is: bars on a terminal, Podman's words in a pipe, JSON lines for programs.

A transfer tells of each blob from any thread, often (`sonata.image.transfer.Progress`). What is told here never goes
where results go, except where Podman has it so.
"""

from __future__ import annotations

import os
import time

from sonata.cli.render.progress_item import Item
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import TextIO

    from sonata.cli.pflag import Parsed

FORMS = ("auto", "plain", "json")


class Output(Protocol):
    """What shows it. Calls come one at a time; OSError and ValueError mean that nobody looks any more."""

    def began(self, item: Item) -> None:
        """A blob is told of for the first time."""

    def moved(self, item: Item) -> None:
        """There is more of it."""

    def ended(self, item: Item) -> None:
        """It is there: copied, or it was there before."""

    def message(self, text: str) -> None:
        """A line of its own."""

    def close(self) -> None:
        """Nothing more comes. Twice is as good as once."""


class Progress:
    """Shows transfers on a stream. `quiet`: says nothing at all. `form` is one of `FORMS`."""

    def __init__(
        self, stream: TextIO, *, quiet: bool = False, terminal: bool | None = None, form: str = "auto"
    ) -> None:
        from threading import Lock

        self._output: Output | None = None if quiet else _output(stream, terminal, form)
        self._items: dict[str, Item] = {}
        self._lock = Lock()
        self._first = ""

    def first(self, text: str) -> None:
        """A message that comes before the first blob, if there is one."""
        self._first = text

    def blob(self, digest: str, state: str, done: int, total: int) -> None:
        """What a transfer tells of a blob: its state, and bytes of how many. `config`: it is an image's config."""
        with self._lock:
            output = self._output
            if output is None:
                return
            try:
                self._take(output, digest, state, (done, total))
            except (OSError, ValueError):
                self._output = None

    def _take(self, output: Output, digest: str, state: str, size: tuple[int, int]) -> None:
        item = self._items.get(digest)
        if item is None:
            if self._first:
                output.message(self._first)
                self._first = ""
            item = self._items[digest] = Item(digest, size[1], config=state == "config")
            output.began(item)
        if item.ended or state == "config":
            return
        if item.update(state, *size, time.monotonic()):
            output.ended(item)
        else:
            output.moved(item)

    def message(self, text: str) -> None:
        """A line of its own: `Writing manifest to image destination`. What ended is told anew if it comes again."""
        with self._lock:
            self._items = {digest: item for digest, item in self._items.items() if not item.ended}
            if self._output is not None:
                try:
                    self._output.message(text)
                except (OSError, ValueError):
                    self._output = None

    def close(self) -> None:
        """Leave what is shown as it is now."""
        with self._lock:
            output, self._output = self._output, None
            if output is not None:
                try:
                    output.close()
                except (OSError, ValueError):
                    return


def progress_of(parsed: Parsed, stream: TextIO, *, quiet: bool) -> Progress:
    """As `--progress` says. JSON lines always go to standard error. Raises UsageError."""
    import sys

    form = parsed["progress"]
    if form not in FORMS:
        raise UsageError(f'invalid progress "{form}": must be one of {", ".join(FORMS)}')
    return Progress(sys.stderr if form == "json" else stream, quiet=quiet, form=form)


def _output(stream: TextIO, terminal: bool | None, form: str) -> Output:
    if form == "json":
        from sonata.cli.render.progress_json import JsonLines

        return JsonLines(stream)
    if terminal is None:
        terminal = form == "auto" and stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if terminal:
        from sonata.cli.render.bars import Bars

        return Bars(stream)
    return _Lines(stream)


class _Lines:
    """What Podman writes into a pipe: a line for each blob as it begins, and messages."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def began(self, item: Item) -> None:
        self.message(f"Copying {'config' if item.config else 'blob'} {item.digest}")

    def moved(self, item: Item) -> None:
        """Nothing."""

    def ended(self, item: Item) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to say."""
