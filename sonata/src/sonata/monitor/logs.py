"""Reading a container's log in the k8s-file format, `TIME STREAM F|P TEXT` a line.

A record marked P is continued by the next one of its stream; F ends a line. A log may be a gigabyte:
the last lines are found from its end.
"""

import os
from collections.abc import Callable, Iterator

from sonata.monitor.watch import FileWatch
from sonata_core.errors import Damaged, NotFound
from sonata_core.record import Record

_CHUNK = 262144
_LINE_LIMIT = 1 << 20
"""No record is longer: conmon cuts at 8 KiB."""
_POLL = 1.0
"""Seconds between looks at the container where nothing is written."""


class LogOptions(Record):
    """What to read. `tail` counts lines, -1 for all; `since` and `until` are nanoseconds since the epoch, 0 for none.

    `follow` goes on until the container has ended.
    """

    tail: int = -1
    since: int = 0
    until: int = 0
    follow: bool = False


class LogRecord:
    """One record. `text` has its newline if the record ends a line; `stamp` is the time as it was written."""

    __slots__ = ("partial", "stamp", "stream", "text")

    def __init__(self, stamp: str, stream: str, partial: bool, text: bytes) -> None:
        self.stamp = stamp
        self.stream = stream
        self.partial = partial
        self.text = text

    def __repr__(self) -> str:
        return f"LogRecord({self.stamp!r}, {self.stream!r}, {self.partial!r}, {self.text!r})"


def read(path: str, options: LogOptions, running: Callable[[], bool] | None = None) -> Iterator[LogRecord]:
    """Records of the log at `path`, oldest first. With `follow`, `running` tells when to stop.

    Raises NotFound for an absent log (one that is yet to come is waited for while following), Damaged
    for a line that is no record.
    """
    running = running or (lambda: False)
    watch = FileWatch(path) if options.follow else None
    try:
        descriptor = _open(path, watch, running)
        try:
            start = tail_offset(descriptor, options.tail) if options.tail >= 0 else 0
            for record in _records(path, descriptor, start, watch, running):
                if options.since and stamp_ns(record.stamp) < options.since:
                    continue
                if options.until and stamp_ns(record.stamp) > options.until:
                    return
                yield record
        finally:
            os.close(descriptor)
    finally:
        if watch is not None:
            watch.close()


def tail_offset(descriptor: int, lines: int) -> int:
    """Where the last `lines` lines begin: those that a record marked F ends, and one without an end yet."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    if lines == 0 or end == 0:
        return end
    wanted = lines
    position, rest = end, b""
    first = True
    while position > 0:
        size = min(_CHUNK, position)
        position -= size
        block = os.pread(descriptor, size, position) + rest
        edge = len(block)
        while True:
            start = block.rfind(b"\n", 0, edge - 1) + 1
            if start == 0 and position > 0:
                break
            full = _is_full(block[start:edge])
            if full or first:
                wanted -= 1
                if wanted < 0:
                    return position + edge
            first = False
            edge = start
            if start == 0:
                return 0
        rest = block[:edge]
        if len(rest) > _LINE_LIMIT:
            raise Damaged("a line of the log is longer than a megabyte")
    return 0


def stamp_ns(stamp: str) -> int:
    """Nanoseconds since the epoch of `2026-11-21T21:40:38.704449123+00:00`. Raises Damaged."""
    from datetime import datetime, timedelta

    try:
        whole, _, rest = stamp.partition(".")
        fraction, offset = (rest[:-6], rest[-6:]) if rest and rest[-6:-5] in ("+", "-") else (rest.rstrip("Z"), "")
        base = datetime.fromisoformat(whole + (offset or "+00:00"))
        seconds = (base - datetime.fromisoformat("1970-01-01T00:00:00+00:00")) // timedelta(seconds=1)
        return seconds * 1_000_000_000 + int((fraction + "000000000")[:9])
    except ValueError as error:
        raise Damaged(f"{stamp!r} in the log is no time") from error


def parse(line: bytes) -> LogRecord:
    """A line without its newline. Raises Damaged."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr") or parts[2] not in (b"F", b"P"):
        raise Damaged(f"a line of the log is no record: {line[:80]!r}")
    partial = parts[2] == b"P"
    text = parts[3] if len(parts) == 4 else b""
    return LogRecord(parts[0].decode(errors="replace"), parts[1].decode(), partial, text if partial else text + b"\n")


def _is_full(line: bytes) -> bool:
    parts = line.split(b" ", 3)
    return len(parts) >= 3 and parts[2].rstrip(b"\n") == b"F"


def _open(path: str, watch: FileWatch | None, running: Callable[[], bool]) -> int:
    while True:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            if watch is None or not running():
                raise NotFound(f"there is no log at {path}") from error
            watch.wait(_POLL)


def _records(
    path: str, descriptor: int, start: int, watch: FileWatch | None, running: Callable[[], bool]
) -> Iterator[LogRecord]:
    """Records from `start` on; when following, through rotations, until the container has ended and all is read."""
    position, rest = start, b""
    alive = True
    while True:
        data = os.pread(descriptor, _CHUNK, position)
        if data:
            position += len(data)
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            for line in lines:
                yield parse(line)
            continue
        if watch is None:
            return
        if _replaced(path, descriptor):
            if os.pread(descriptor, 1, position):
                continue
            fresh = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            os.dup2(fresh, descriptor, inheritable=False)
            os.close(fresh)
            position, rest = 0, b""
            continue
        if not alive:
            return
        alive = running()  # asked before the last read, so that nothing written before the end is missed
        if alive:
            watch.wait(_POLL)


def _replaced(path: str, descriptor: int) -> bool:
    """Has conmon put a new file in the log's place? (Rotation: the old content is gone.)"""
    try:
        here = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (here.st_ino, here.st_dev) != (mine.st_ino, mine.st_dev)
