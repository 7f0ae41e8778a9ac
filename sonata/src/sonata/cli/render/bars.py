"""Bars on a terminal: a line for each blob on its way, in place; a line that stays for each that has come.

Nothing is left changed between two drawings: the cursor is hidden and lines are kept from wrapping within one write
only, so that a program that is stopped or killed leaves the terminal as it was.
"""

from __future__ import annotations

import os
import time

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from sonata.cli.render.progress_item import Item

_PAUSE = 0.1
_WIDEST = 38
_NARROWEST = 6
_NOTES = {"done": "done", "exists": "skipped: already exists"}
_HIDE, _SHOW = "\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h"


class Bars:
    """Shows blobs on a terminal; see `sonata.cli.render.progress.Output`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live: dict[str, Item] = {}
        self._drawn: list[int] = []
        """How long each line is that will be drawn over."""
        self._last = 0.0

    def began(self, item: Item) -> None:
        """It gets a line; so does a blob that comes a second time."""
        self._live[item.digest] = item
        self._draw()

    def moved(self, item: Item) -> None:
        """Drawn now and then only."""
        if time.monotonic() - self._last >= _PAUSE:
            self._draw()

    def ended(self, item: Item) -> None:
        """Its line stays, above those of the others."""
        self._live.pop(item.digest, None)
        self._draw(f"{item.label} {_NOTES[item.state]}")

    def message(self, text: str) -> None:
        """Above what is on its way."""
        self._draw(text)

    def close(self) -> None:
        """Bars of what did not come stay as they are."""
        if self._live:
            self._draw()
        self._live.clear()
        self._drawn.clear()

    def _draw(self, stays: str = "") -> None:
        """Everything anew, in one write."""
        self._last = now = time.monotonic()
        width, height = size_of(self._stream)
        shown = list(self._live.values())
        most = max(height - 2, 1)
        lines = [bar(item, width - 1, now) for item in shown[:most]]
        if len(shown) > most:
            lines.append(f"... and {len(shown) - most} more"[: width - 1])
        # A terminal that became narrower has wrapped the old lines.
        rows = sum(max(1, -(-length // width)) for length in self._drawn)
        back = f"\x1b[{rows}A\r\x1b[J" if rows else "\r\x1b[J"
        self._drawn = [len(line) for line in lines]
        if not (rows or lines):
            self._stream.write(f"{stays}\n" if stays else "")
            self._stream.flush()
            return
        kept = f"{_SHOW}{stays}\n{_HIDE}" if stays else ""
        self._stream.write(f"{_HIDE}{back}{kept}" + "".join(f"{line}\n" for line in lines) + _SHOW)
        self._stream.flush()


def bar(item: Item, width: int, now: float) -> str:
    """One line of at most `width` characters: what does not fit is left out, the bar last."""
    if item.total <= 0:
        return f"{item.label} {amount(item.done)}"[: max(width, 0)]
    share = min(item.done / item.total, 1.0)
    amounts = f"{amount(item.done)} / {amount(item.total)}"
    for tail in (f" {amounts} | {amount(item.rate(now), ' ')}/s", f" {amounts}", f" {share:.0%}"):
        room = min(width - len(item.label) - len(tail) - 3, _WIDEST)
        if room >= _NARROWEST:
            full = int(share * room)
            drawn = "=" * max(full - 1, 0) + (">" if 0 < full < room else "=" if full else "")
            return f"{item.label} [{drawn:-<{room}}]{tail}"
    return f"{item.label} {share:.0%}"[: max(width, 0)]


def amount(size: float, between: str = "") -> str:
    """`1.0MiB`, as Podman's bars have it."""
    for unit in ("b", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.1f}{between}{unit}"


def size_of(stream: TextIO) -> tuple[int, int]:
    """Columns and lines of a terminal, asked anew each time, so that a change of its size counts at once."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return 80, 24
    return size.columns or 80, size.lines or 24
