"""A timeline of one command, for Perfetto (`--trace FILE`).

Off, a span costs one call that returns a shared object. On, each span is one event of the Trace Event
Format (JSON), with microseconds since the command began; file readers: ui.perfetto.dev, chrome://tracing.
"""

from __future__ import annotations

import os
import time

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_file = ""
_events: list[tuple[str, str, int, int, int, dict[str, object]]] = []
_began = 0


class _Off:
    """The span of a command that is not traced."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_exc: object) -> None:
        return None


class _On:
    __slots__ = ("_began", "_details", "_kind", "_name")

    def __init__(self, name: str, kind: str, details: dict[str, object]) -> None:
        self._name, self._kind, self._details = name, kind, details

    def __enter__(self) -> None:
        self._began = time.monotonic_ns()

    def __exit__(self, cls: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None) -> None:
        if cls is not None:
            self._details["error"] = f"{cls.__name__}: {error}"
        add(self._name, self._kind, self._began, time.monotonic_ns(), **self._details)


_OFF = _Off()


def start(path: str) -> None:
    """Begin a timeline that `stop` writes to `path`."""
    global _file, _began  # noqa: PLW0603  one process traces one command
    _file = os.path.abspath(path)
    _began = time.monotonic_ns()
    _events.clear()


def active() -> bool:
    """Is a timeline being kept? Ask before computing details that cost something."""
    return _file != ""


def span(name: str, kind: str = "phase", **details: object) -> _On | _Off:
    """`with span("mount"):` — a stretch of time. Kinds: phase, program, hook. `details` must be JSON-able."""
    return _On(name, kind, details) if _file else _OFF


def add(name: str, kind: str, began: int, ended: int, **details: object) -> None:
    """Record a stretch that was timed elsewhere, in nanoseconds of `time.monotonic_ns`."""
    if _file:
        import _thread

        _events.append((name, kind, began, ended, _thread.get_native_id(), details))


def stop() -> None:
    """Write the timeline, if one was begun. Raises OSError where the file cannot be written."""
    global _file
    if not _file:
        return
    import json

    pid = os.getpid()
    events: list[dict[str, object]] = [
        {"name": "process_name", "ph": "M", "pid": pid, "tid": pid, "args": {"name": "sonata"}}
    ]
    for name, kind, began, ended, thread, details in _events:
        stretch = {"name": name, "cat": kind, "ph": "X", "ts": (began - _began) / 1000, "dur": (ended - began) / 1000}
        events.append({**stretch, "pid": pid, "tid": thread, "args": details})
    path, _file = _file, ""
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, out, default=str)
