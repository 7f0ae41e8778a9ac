"""Reading a container's log: a file in the k8s-file format, and those that were rotated away before it.

`PATH` is being written, `PATH.1` was before it, `PATH.2` before that. Files are opened from the newest on and known
by their inode, so that one that moves on meanwhile is neither read twice nor missed. A log may be a gigabyte: the last
lines are found from its end, and what need not be told apart is not.
"""

import os

from sonata.monitor.log_lines import LogRecord, Runs, parse, stamp_ns, stamp_of, tail_offset
from sonata.monitor.watch import FileWatch
from sonata_core.errors import NotFound
from sonata_core.lite import Callable, Iterator
from sonata_core.record import Record

_CHUNK = 1 << 20
_POLL = 1.0
"""Seconds between looks at the container where nothing is written."""


class LogOptions(Record):
    """What to read. `tail` counts lines, -1 for all; `since` and `until` are nanoseconds since the epoch, 0 for none.

    `follow` goes on until the container has ended. `files` is how many there may be, the one that is written among
    them. `merged`: neighbouring records of one stream may be given as one, and `stamped` then
    puts the time before each of their lines.
    """

    tail: int = -1
    since: int = 0
    until: int = 0
    follow: bool = False
    files: int = 1
    merged: bool = False
    stamped: bool = False


class Reader:
    """Reads one log from its beginning, or its tail, on. `take` never waits."""

    def __init__(self, path: str, options: LogOptions) -> None:
        self._path = path
        self._options = options
        self._files: list[int] = []
        self._position, self._rest = 0, b""
        self._runs = Runs(stamped=options.stamped)
        self._begun = not options.since
        self.over = False
        """Whether nothing can come any more that was asked for: `until` is past."""
        self._open()

    @property
    def opened(self) -> bool:
        """Whether there is a log yet."""
        return bool(self._files)

    def take(self) -> list[LogRecord]:
        """The next records; none where there are no more now."""
        while not self.over:
            if not self._files and not self._open():
                break
            data = os.pread(self._files[0], _CHUNK, self._position)
            if data:
                self._position += len(data)
                lines = (self._rest + data).split(b"\n")
                self._rest = lines.pop()
                found = self._records(lines)
                if found:
                    return found
            elif not self._next_file():
                break
        return []

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            os.close(self._files.pop())

    def _open(self) -> bool:
        self._files = _open_newer(self._path, self._options.files, -1)
        if self._options.tail >= 0 and self._files:
            self._to_tail()
        return bool(self._files)

    def _to_tail(self) -> None:
        missing = self._options.tail
        for index in range(len(self._files) - 1, -1, -1):
            newest = index == len(self._files) - 1
            self._position, missing = tail_offset(self._files[index], missing, continued=not newest)
            if missing == 0 and self._position > 0:
                for older in self._files[:index]:
                    os.close(older)
                del self._files[:index]
                return

    def _next_file(self) -> bool:
        """Go on with the file after this one, which has been read to its end; False while there is none."""
        if len(self._files) == 1:
            if not self._options.follow or not _replaced(self._path, self._options.files, self._files[0]):
                return False
            if os.pread(self._files[0], 1, self._position):
                return True
            self._files += _open_newer(self._path, self._options.files, self._files[0])
            if len(self._files) == 1:
                return False
        os.close(self._files.pop(0))
        self._position, self._rest = 0, b""
        return True

    def _records(self, lines: list[bytes]) -> list[LogRecord]:
        if not lines:
            return []
        if not self._begun:
            if _when(lines[-1]) < self._options.since:
                return []
            lines = [line for line in lines if _when(line) >= self._options.since]
            self._begun = True
        if self._options.until and _when(lines[-1]) > self._options.until:
            lines = [line for line in lines if _when(line) <= self._options.until]
            self.over = True
        return list(self._runs.records(lines) if self._options.merged else map(parse, lines))


def read(path: str, options: LogOptions, running: Callable[[], bool] | None = None) -> Iterator[LogRecord]:
    """Records of the log at `path`, oldest first. With `follow`, `running` tells when to stop.

    Raises NotFound for an absent log (one that is yet to come is waited for while following), Damaged
    for a line that is no record.
    """
    running = running or (lambda: False)
    watch = FileWatch(path) if options.follow else None
    reader = Reader(path, options)
    try:
        alive = True
        while True:
            found = reader.take()
            if found:
                yield from found
                continue
            if watch is None or not alive or reader.over:
                break
            alive = running()  # asked before the last look, so that nothing written before the end is missed
            if alive:
                watch.wait(_POLL)
        if not reader.opened:
            raise NotFound(f"there is no log at {path}")
    finally:
        reader.close()
        if watch is not None:
            watch.close()


def _when(line: bytes) -> int:
    return stamp_ns(stamp_of(line))


def _open_newer(path: str, files: int, than: int) -> list[int]:
    """The files of a log that are newer than the descriptor `than` (-1: all), oldest first."""
    found: list[int] = []
    known = {_identity(than)} if than >= 0 else set()
    for place in [path, *(f"{path}.{number}" for number in range(1, max(files, 1)))]:
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if place == path:
                continue  # it is just being rotated
            break
        identity = _identity(descriptor)
        if than >= 0 and identity == _identity(than):
            os.close(descriptor)
            break
        if identity in known:  # it moved on while we looked
            os.close(descriptor)
            continue
        known.add(identity)
        found.insert(0, descriptor)
    return found


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _replaced(path: str, files: int, descriptor: int) -> bool:
    """Is there a newer file than this one? (It is complete then.)

    A log whose monitor ended while it was being rotated has older files only.
    """
    for place in (path, f"{path}.1") if files > 1 else (path,):
        try:
            here = os.stat(place)
        except FileNotFoundError:
            continue
        return (here.st_dev, here.st_ino) != _identity(descriptor)
    return False
