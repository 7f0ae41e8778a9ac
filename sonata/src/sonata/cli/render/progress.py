"""How far a transfer is: bars on a terminal, Podman's words in a pipe, JSON lines for programs.

A transfer tells of each blob from any thread, often (`sonata.image.transfer.Progress`). What is told here never goes
where results go, except where Podman has it so.
"""

from __future__ import annotations

import os
import time

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import TextIO

    from sonata.cli.pflag import Parsed

FORMS = ("auto", "plain", "json")
_ENDS = ("done", "exists")


class Item:
    """One blob on its way. `state` is the last that was told of it."""

    __slots__ = ("_begun", "config", "digest", "done", "state", "total")

    def __init__(self, digest: str, total: int, *, config: bool) -> None:
        self.digest = digest
        self.total = total
        self.config = config
        self.state = "waiting"
        self.done = 0
        self._begun = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing more will be told of it."""
        return self.state in _ENDS

    @property
    def label(self) -> str:
        """`Copying blob 1f2e3d4c5b6a`, as Podman shows it."""
        text = self.digest.partition(":")[2]
        return f"Copying config {text[:10]}" if self.config else f"Copying blob {text[:12]}"

    @property
    def moved(self) -> int:
        """Bytes that were copied; none of what was there before."""
        return self.done if self._begun else 0

    def rate(self, now: float) -> float:
        """Bytes a second since it began."""
        return self.moved / max(now - self._begun, 0.001) if self._begun else 0.0

    def update(self, state: str, done: int, total: int, now: float) -> bool:
        """Take what was told; whether it has ended. A new phase (compressed, then sent) counts from its beginning."""
        if state not in (self.state, "unpacked", *_ENDS):
            self.done, self.total, self._begun = 0, total, 0.0
        if state in ("copying", "compressing") and not self._begun:
            self._begun = now
        self.state = state if state != "unpacked" else self.state
        self.done = max(self.done, done)
        return self.ended


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
