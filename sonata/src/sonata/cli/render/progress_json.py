"""Progress for programs: `--progress json`. What the lines mean: docs/progress.md."""

from __future__ import annotations

import time

from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, TextIO

    from sonata.cli.render.progress_item import Item

_PAUSE = 0.2


class JsonLines:
    """Writes an object a line; see `sonata.cli.render.progress.Output`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self._told: dict[str, tuple[float, str]] = {}
        self._count = self._reused = self._bytes = 0
        self._closed = False

    def began(self, item: Item) -> None:
        """`begin`."""
        self._write(event="begin", **_blob(item))

    def moved(self, item: Item) -> None:
        """`progress`, at most five times a second for each blob, and when it enters another phase."""
        now = time.monotonic()
        last, state = self._told.get(item.digest, (0.0, ""))
        if item.state != "waiting" and (now - last >= _PAUSE or item.state != state):
            self._told[item.digest] = now, item.state
            known = {**_blob(item), "state": item.state, "done": item.done, "rate": round(item.rate(now))}
            self._write(event="progress", **known)

    def ended(self, item: Item) -> None:
        """`end`."""
        self._count += 1
        self._reused += item.state == "exists"
        self._bytes += item.moved
        self._write(event="end", **_blob(item), state=item.state, done=item.done)

    def message(self, text: str) -> None:
        """`message`."""
        self._write(event="message", text=text)

    def close(self) -> None:
        """`summary`."""
        if not self._closed:
            self._closed = True
            self._write(event="summary", blobs=self._count, reused=self._reused, bytes=self._bytes)

    def _write(self, **members: Any) -> None:
        row = {**members, "time": round(time.monotonic() - self._begun, 3)}
        self._stream.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")
        self._stream.flush()


def _blob(item: Item) -> dict[str, Any]:
    return {"kind": "config" if item.config else "blob", "digest": item.digest, "total": max(item.total, -1)}
