"""How far a transfer is: a bar for each layer on a terminal, a line for each layer otherwise.

A transfer calls `blob` from any thread, often; other work calls `start`, `advance` and `finish`. All of
it goes to standard error, so that results stay alone on standard output.
"""

from __future__ import annotations

import os
import time

from sonata.cli.render.human import human_size
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_PAUSE = 0.1
_BAR = 24
_NOTES = {"done": "done", "exists": "skipped: already exists"}


class _Item:
    __slots__ = ("begun", "done", "label", "note", "order", "size")

    def __init__(self, label: str, size: int, order: int) -> None:
        self.label = label
        self.size = size
        self.done = 0
        self.note = ""
        self.order = order
        self.begun = time.monotonic()


class Progress:
    """Shows transfers on a stream. `quiet`: says nothing at all."""

    def __init__(self, stream: TextIO, *, quiet: bool = False, terminal: bool | None = None) -> None:
        from threading import Lock

        self._stream = stream
        self._quiet = quiet
        self._terminal = stream.isatty() if terminal is None else terminal
        self._items: dict[str, _Item] = {}
        self._lock = Lock()
        self._drawn = 0
        self._last = 0.0

    def start(self, key: str, label: str, size: int) -> None:
        """Something begins: `Copying blob 1f2e…`; `size` in bytes, -1 where it is not known."""
        with self._lock:
            if self._quiet or key in self._items:
                return
            self._items[key] = _Item(label, size, len(self._items))
            self._draw(force=True)

    def advance(self, key: str, amount: int) -> None:
        """So many bytes more."""
        with self._lock:
            item = self._items.get(key)
            if item is not None and not item.note:
                item.done += amount
                self._draw()

    def blob(self, digest: str, state: str, done: int, total: int) -> None:
        """What a transfer tells of a blob: `waiting`, `copying`, `unpacked`, `done` or `exists`; bytes of how many."""
        item = self._items.get(digest)
        if item is None:
            self.start(digest, f"Copying blob {digest.partition(':')[2][:12]}", total)
            item = self._items.get(digest)
        if item is None or item.note:
            return
        item.done = max(item.done, done)
        if state in _NOTES:
            self.finish(digest, _NOTES[state])
        elif self._terminal and time.monotonic() - self._last >= _PAUSE:
            with self._lock:
                self._draw()

    def finish(self, key: str, note: str = "done") -> None:
        """It has ended: `done`, `skipped: already exists`, or why not."""
        with self._lock:
            item = self._items.get(key)
            if item is None or item.note:
                return
            item.note = note
            if self._terminal:
                self._draw(force=True)
            else:
                self._say(f"{item.label} {note}\n")

    def message(self, text: str) -> None:
        """A line of its own: `Writing manifest to image destination`."""
        with self._lock:
            if self._quiet:
                return
            if self._terminal:
                self._erase()
                self._say(text + "\n")
                self._draw(force=True)
            else:
                self._say(text + "\n")

    def close(self) -> None:
        """Leave the bars as they are now."""
        with self._lock:
            if self._terminal:
                self._draw(force=True)
            self._items.clear()
            self._drawn = 0

    def _say(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            self._quiet = True

    def _draw(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not self._terminal or self._quiet or (not force and now - self._last < _PAUSE):
            return
        self._last = now
        width, height = _size_of(self._stream)
        shown = sorted(self._items.values(), key=lambda item: item.order)[-max(height - 1, 1) :]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        lines = "".join(f"\x1b[2K{_line(item)[: width - 1]}\n" for item in shown)
        self._drawn = len(shown)
        self._say(up + lines)

    def _erase(self) -> None:
        if self._drawn:
            self._say(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0


def _line(item: _Item) -> str:
    if item.note:
        return f"{item.label} {item.note}"
    if item.size <= 0:
        return f"{item.label} {human_size(item.done, 3)}"
    share = min(item.done / item.size, 1.0)
    full = int(share * _BAR)
    bar = "=" * max(full - 1, 0) + (">" if 0 < full < _BAR else "=" if full else "")
    speed = item.done / max(time.monotonic() - item.begun, 0.001)
    amounts = f"{human_size(item.done, 3)} / {human_size(item.size, 3)}"
    return f"{item.label} [{bar:-<{_BAR}}] {amounts} | {human_size(speed, 3)}/s"


def _size_of(stream: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return 80, 24
    return size.columns or 80, size.lines or 24
