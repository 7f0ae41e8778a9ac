"""Reading events: what has happened, and what happens from now on, through rotations of their file."""

from __future__ import annotations

import json
import os
import time

from sonata.engine.containers.filters import has_label, moment
from sonata.model.times import nanoseconds
from sonata.monitor.watch import FileWatch
from sonata_core.errors import Damaged, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine
    from sonata.model.watch_request import EventsRequest

    Event = dict[str, Any]
    Condition = Callable[[Event], bool]

_CHUNK = 1 << 18
_HEAD = 256
"""Bytes of the file's beginning by which a rotation is seen."""
_LINE_LIMIT = 1 << 20
_POLL = 1.0
_NAMED = ("artifact", "container", "image", "pod", "volume")


def events(engine: Engine, request: EventsRequest) -> Iterator[Event]:
    """Events as the file has them, oldest first, with `timeNano` added.

    Raises UsageError for a filter or a time that makes no sense, Unsupported where no file is kept, Damaged
    for a line that is no event.
    """
    if engine.config.engine.events_logger in ("none", "null"):
        raise Unsupported('cannot read events with the "none" backend', hint="--events-backend=file keeps them")
    met = conditions(request.filter)
    since = _parsed("since", request.since, _before) if request.since else 0
    until = _parsed("until", request.until, _after) if request.until else 0
    whole = bool(since or until or not request.stream)
    if engine.config.engine.events_logger == "journald":
        from sonata.engine import event_journal

        event_journal.require()
        found = event_journal.read(engine, since, follow=request.stream, whole=whole, until=until)
    else:
        found = _read(engine.config.paths.events_log, whole, request.stream, until)
    return _matching(found, met, since, until)


def conditions(texts: tuple[str, ...]) -> list[Condition]:
    """What an event must meet: values of one key are alternatives. Raises UsageError."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        key = {"status": "event"}.get(key.lower(), key.lower())
        if not equals or key not in (*_NAMED, "event", "label", "type"):
            raise UsageError(f"failed to parse event filters: {key} is an invalid filter")
        found.setdefault(key, []).append(value)
    return [_condition(key, values) for key, values in found.items()]


def _condition(key: str, values: list[str]) -> Condition:
    if key == "event":
        wanted = {{"die": "died"}.get(value, value) for value in values}
        return lambda event: event.get("Status") in wanted
    if key == "type":
        return lambda event: event.get("Type") in values
    if key == "label":
        return lambda event: any(has_label(event.get("Attributes") or {}, value) for value in values)

    def named(event: Event) -> bool:
        name, ident = event.get("Name", ""), event.get("ID", "")
        return event.get("Type") == key and any(
            value == name or (value and ident.startswith(value)) for value in values
        )

    return named


def _parsed(what: str, text: str, parse: Callable[[str], int]) -> int:
    try:
        return parse(text)
    except (UsageError, ValueError) as error:
        raise UsageError(
            f"failed to parse event filters: unable to convert {what} time of {text}: unable to interpret time value"
        ) from error


def _before(text: str) -> int:
    return moment(text)


def _after(text: str) -> int:
    """As `moment`, but a duration leads into the future."""
    now = time.time_ns()
    found = moment(text)
    return found if any(sign in text for sign in "T:") or text.replace(".", "").isdigit() else 2 * now - found


def _matching(found: Iterator[Event], met: list[Condition], since: int, until: int) -> Iterator[Event]:
    for event in found:
        when = event["timeNano"]
        if until and when > until:
            return
        if when >= since and all(condition(event) for condition in met):
            yield event


def _read(path: str, whole: bool, stream: bool, until: int) -> Iterator[Event]:
    """All events of the file, or those that come; while following, until the time `until` if that is not 0."""
    watch = FileWatch(path) if stream else None
    place = _Place(path, whole)
    try:
        while True:
            yield from place.fresh()
            if watch is None or (until and time.time_ns() >= until):
                return
            left = (until - time.time_ns()) / 10**9 if until else _POLL
            watch.wait(max(0.0, min(_POLL, left)))
    finally:
        if watch is not None:
            watch.close()


class _Place:
    """How far the file has been read. It is cut and written anew in place when it grows over its bound."""

    def __init__(self, path: str, whole: bool) -> None:
        self._path = path
        self._last = 0
        """Time of the newest event that was read: what a rotation left of older ones is known."""
        self._head = b""
        self._offset = 0
        if not whole:
            self._last = time.time_ns()
            self._skip()

    def _skip(self) -> None:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self._head = os.pread(handle, _HEAD, 0)
            self._offset = os.fstat(handle).st_size
        finally:
            os.close(handle)

    def fresh(self) -> Iterator[Event]:
        """Events that were written since the last call."""
        import fcntl

        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            # Whoever rotates has it alone: a half-written file is never seen.
            fcntl.flock(handle, fcntl.LOCK_SH)
            head = os.pread(handle, _HEAD, 0)
            again = not head.startswith(self._head) or os.fstat(handle).st_size < self._offset
            if again:
                self._offset = 0
            self._head = head
            lines = self._lines(handle)
        finally:
            os.close(handle)
        before = self._last
        for line in lines:
            event = parse(line)
            if again and event["timeNano"] <= before:
                continue
            self._last = max(self._last, event["timeNano"])
            yield event

    def _lines(self, handle: int) -> list[bytes]:
        blocks: list[bytes] = []
        while block := os.pread(handle, _CHUNK, self._offset + sum(len(one) for one in blocks)):
            blocks.append(block)
        text = b"".join(blocks)
        end = text.rfind(b"\n") + 1
        if not end and len(text) > _LINE_LIMIT:
            raise Damaged(f"{self._path} has a line of more than a megabyte")
        self._offset += end
        return text[:end].splitlines()


def parse(line: bytes) -> Event:
    """One line of the file, with its time in nanoseconds as `timeNano`. Raises Damaged."""
    try:
        event: Event = json.loads(line)
        event["timeNano"] = nanoseconds(event["Time"])
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"a line of the events file is no event: {line[:80]!r}") from error
    return event
