"""Lines of a container's log in the k8s-file format: `TIME STREAM F|P TEXT`.

A record marked P is continued by the next one of its stream; F ends a line. What conmon writes before the text has
one width for each stream, so that a gigabyte can be taken apart without looking at each of its bytes in Python.
"""

import os
from operator import itemgetter

from sonata_core.errors import Damaged
from sonata_core.lite import Iterable, Iterator

_CHUNK = 262144
_LINE_LIMIT = 1 << 20
"""No record is longer: conmon cuts at 8 KiB."""
_STAMP = 35
"""Width of `2026-11-21T21:40:38.704449123+00:00`."""
_OFFSET = 29
"""Where its offset begins."""
_TEXT = 45
"""Where the text begins after a stamp of that width."""
_MARKS = {
    b" stdout F ": ("stdout", False),
    b" stdout P ": ("stdout", True),
    b" stderr F ": ("stderr", False),
    b" stderr P ": ("stderr", True),
}
_mark = itemgetter(slice(_STAMP, _TEXT))
_offset = itemgetter(slice(_OFFSET, _STAMP))
_text = itemgetter(slice(_TEXT, None))


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


def parse(line: bytes) -> LogRecord:
    """A line without its newline. Raises Damaged."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr") or parts[2] not in (b"F", b"P"):
        raise Damaged(f"a line of the log is no record: {line[:80]!r}")
    partial = parts[2] == b"P"
    text = parts[3] if len(parts) == 4 else b""
    return LogRecord(parts[0].decode(errors="replace"), parts[1].decode(), partial, text if partial else text + b"\n")


class Runs:
    """Makes few records of many lines: neighbours of one stream and kind are one, with the stamp of the first.

    `stamped`: every line has its time before it, within the text.
    """

    def __init__(self, *, stamped: bool) -> None:
        self._stamped = stamped
        self._begun = {"stdout": True, "stderr": True}

    def records(self, lines: list[bytes]) -> Iterator[LogRecord]:
        """The lines, in order."""
        if not lines:
            return
        marks = set(map(_mark, lines))
        if not marks <= _MARKS.keys():
            for line in lines:
                yield self._odd(parse(line))
            return
        if len(marks) == 1:
            yield self._run(marks.pop(), lines)
            return
        from itertools import groupby

        for mark, group in groupby(lines, _mark):
            yield self._run(mark, list(group))

    def _run(self, mark: bytes, lines: list[bytes]) -> LogRecord:
        stream, partial = _MARKS[mark]
        texts: Iterable[bytes] = map(_text, lines)
        if self._stamped:
            texts = self._with_stamps(stream, partial, lines)
        self._begun[stream] = not partial
        text = b"".join(texts) if partial else b"\n".join(texts) + b"\n"
        return LogRecord(stamp_of(lines[0]), stream, partial, text)

    def _with_stamps(self, stream: str, partial: bool, lines: list[bytes]) -> list[bytes]:
        begun = self._begun[stream]
        if partial:
            texts = list(map(_text, lines))
            return [shown_stamp(stamp_of(lines[0])).encode() + b" " + texts[0], *texts[1:]] if begun else texts
        if set(map(_offset, lines)) == {b"+00:00"}:
            texts = [line[:_OFFSET] + b"Z " + line[_TEXT:] for line in lines]
        else:
            texts = [shown_stamp(stamp_of(line)).encode() + b" " + line[_TEXT:] for line in lines]
        return texts if begun else [_text(lines[0]), *texts[1:]]

    def _odd(self, record: LogRecord) -> LogRecord:
        if self._stamped and self._begun[record.stream]:
            record.text = shown_stamp(record.stamp).encode() + b" " + record.text
        self._begun[record.stream] = not record.partial
        return record


def shown_stamp(stamp: str) -> str:
    """As Podman shows a time: Z for no offset."""
    return f"{stamp[:-6]}Z" if stamp.endswith("+00:00") else stamp


def stamp_of(line: bytes) -> str:
    """The time at the beginning of a line."""
    return line.partition(b" ")[0].decode(errors="replace")


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


def tail_offset(descriptor: int, lines: int, *, continued: bool = False) -> tuple[int, int]:
    """Where the last `lines` lines of a file begin, and how many are still missing where it has fewer.

    Lines are those that a record marked F ends, and one at the very end without an end yet; in a file that is
    `continued` by a newer one that end has been counted there.
    """
    end = os.lseek(descriptor, 0, os.SEEK_END)
    if (lines == 0 and not continued) or end == 0:
        return end, lines
    wanted = lines
    position, rest = end, b""
    first = not continued
    while position > 0:
        size = min(_CHUNK, position)
        position -= size
        block = os.pread(descriptor, size, position) + rest
        edge = len(block)
        while True:
            start = block.rfind(b"\n", 0, edge - 1) + 1
            if start == 0 and position > 0:
                break
            if _is_full(block[start:edge]) or first:
                wanted -= 1
                if wanted < 0:
                    return position + edge, 0
            first = False
            edge = start
            if start == 0:
                return 0, wanted
        rest = block[:edge]
        if len(rest) > _LINE_LIMIT:
            raise Damaged("a line of the log is longer than a megabyte")
    return 0, wanted


def _is_full(line: bytes) -> bool:
    parts = line.split(b" ", 3)
    return len(parts) >= 3 and parts[2].rstrip(b"\n") == b"F"
