"""How far a transfer is: in lines, in bars, as JSON; on terminals of every size."""

import io
import json
import os
import pty
import re
import struct
import termios
from fcntl import ioctl

import pytest

from sonata.cli.render.bars import amount, bar
from sonata.cli.render.progress import Progress
from sonata.cli.render.progress_item import Item

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


class Screen:
    """As much of a terminal as the bars use: lines, a cursor, and what is left changed."""

    def __init__(self, columns=80):
        self.columns = columns
        self.lines = [""]
        self.row = 0
        self.hidden = False
        self.wraps = True

    def feed(self, text):
        for part in re.findall(r"\x1b\[[?0-9]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif part == "\r":
                continue
            elif part.endswith("A"):
                self.row -= int(part[2:-1])
                assert self.row >= 0, "drawn over what is not ours"
            elif part == "\x1b[J":
                del self.lines[self.row + 1 :]
                self.lines[self.row] = ""
            elif part in ("\x1b[?25l", "\x1b[?25h"):
                self.hidden = part.endswith("l")
            elif part in ("\x1b[?7l", "\x1b[?7h"):
                self.wraps = part.endswith("h")
            else:
                assert not part.startswith("\x1b"), part
                assert len(part) <= self.columns, part
                self.lines[self.row] += part
        return self

    @property
    def shown(self):
        return [line for line in self.lines if line]


@pytest.fixture
def terminal():
    """A pseudo-terminal: its program's end as a stream, and a function that reads what was written."""
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w")
    os.set_blocking(ours, False)

    def read():
        found = b""
        while True:
            try:
                found += os.read(ours, 65536)
            except BlockingIOError:
                return found.decode().replace("\r\n", "\n")

    def resize(columns, lines=24):
        ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    resize(80)
    yield stream, read, resize
    stream.close()
    os.close(ours)


def test_in_a_pipe_podmans_words():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.first("Getting image source signatures")
    for state, done in (("waiting", 0), ("copying", 50), ("unpacked", 100), ("done", 100), ("done", 100)):
        progress.blob(ONE, state, done, 100)
    progress.blob(TWO, "config", 0, 5)
    progress.blob(TWO, "exists", 5, 5)
    progress.message("Writing manifest to image destination")
    progress.close()
    progress.message("too late")
    assert stream.getvalue() == (
        f"Getting image source signatures\nCopying blob {ONE}\nCopying config {TWO}\n"
        "Writing manifest to image destination\n"
    )


def test_a_second_image_is_told_like_the_first():
    stream = io.StringIO()
    progress = Progress(stream)
    for _ in range(2):
        progress.message("Trying")
        progress.blob(ONE, "exists", 1, 1)
    assert stream.getvalue() == f"Trying\nCopying blob {ONE}\n" * 2


def test_quiet_and_closed_streams():
    stream = io.StringIO()
    quiet = Progress(stream, quiet=True, terminal=True)
    quiet.blob(ONE, "copying", 1, 2)
    quiet.message("x")
    quiet.close()
    assert stream.getvalue() == ""
    stream.close()
    for form in ("auto", "json"):
        loud = Progress(stream, form=form, terminal=False)
        loud.message("nobody listens")
        loud.blob(ONE, "copying", 1, 2)
        loud.close()


def test_nothing_is_asked_first_of_what_never_comes():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.first("Getting image source signatures")
    progress.close()
    assert stream.getvalue() == ""


def test_bars_are_drawn_in_place_and_end_in_lines(terminal):
    stream, read, _ = terminal
    progress = Progress(stream, terminal=True)
    screen = Screen()
    progress.message("Trying to pull x...")
    progress.blob(ONE, "waiting", 0, 1 << 20)
    progress.blob(TWO, "copying", 100, 1000)
    screen.feed(read())
    assert screen.shown[0] == "Trying to pull x..."
    assert screen.shown[1].startswith("Copying blob 111111111111 [------")
    assert " / 1000.0b | " in screen.shown[2]
    progress.blob(ONE, "copying", 1 << 19, 1 << 20)
    progress.blob(TWO, "done", 1000, 1000)
    screen.feed(read())
    assert screen.shown[1] == "Copying blob 222222222222 done"
    assert "=>---" in screen.shown[2]
    assert "512.0KiB / 1.0MiB" in screen.shown[2]
    progress.blob(ONE, "exists", 1 << 20, 1 << 20)
    progress.message("Writing manifest to image destination")
    progress.close()
    screen.feed(read())
    assert screen.shown == [
        "Trying to pull x...",
        "Copying blob 222222222222 done",
        "Copying blob 111111111111 skipped: already exists",
        "Writing manifest to image destination",
    ]
    assert (screen.hidden, screen.wraps) == (False, True)


def test_many_layers_on_a_low_terminal(terminal):
    stream, read, resize = terminal
    resize(60, 6)
    progress = Progress(stream, terminal=True)
    screen = Screen(60)
    digests = [f"sha256:{number:064x}"[:7] + f"{number:064d}" for number in range(40)]
    for digest in digests:
        progress.blob(digest, "copying", 1, 10)
        screen.feed(read())
        assert len(screen.shown) <= 5
    assert screen.shown[-1] == "... and 36 more"
    for digest in digests:
        progress.blob(digest, "done", 10, 10)
    progress.close()
    screen.feed(read())
    assert len(screen.shown) == 40
    assert all(line.endswith(" done") for line in screen.shown)


def test_a_change_of_size_counts_at_once(terminal):
    stream, read, resize = terminal
    progress = Progress(stream, terminal=True)
    progress.blob(ONE, "copying", 5, 1000)
    wide = len(read().split("\n")[0].rpartition("\x1b[J")[2])
    assert wide > 60
    resize(40)
    progress.blob(TWO, "copying", 5, 1000)
    text = read()
    assert f"\x1b[{-(-wide // 40)}A" in text, "a terminal that became narrower has wrapped the line"
    for line in re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", text).splitlines():
        assert len(line.strip("\r")) < 40, line


@pytest.mark.parametrize("width", [0, 1, 5, 20, 28, 33, 40, 50, 61, 79, 99, 200])
def test_no_line_is_wider_than_the_terminal(width):
    item = Item(ONE, 10_000_000, config=False)
    item.update("copying", 3_000_000, 10_000_000, 1.0)
    text = bar(item, width, 2.0)
    assert len(text) <= width
    assert ("MiB/s" in text) == (width > 74)
    assert "30%" in text or "2.9MiB / 9.5MiB" in text or width < 29
    item.total = -1
    assert len(bar(item, width, 2.0)) <= width


def test_a_phase_after_another_counts_anew():
    item = Item(ONE, 100, config=False)
    item.update("compressing", 100, 100, 0.0)
    item.update("copying", 10, 40, 1.0)
    assert (item.done, item.total) == (10, 40)
    item.update("done", 40, 40, 2.0)
    assert (item.ended, item.moved) == (True, 40)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0b"), (110, "110.0b"), (1024, "1.0KiB"), (1083607, "1.0MiB"), (5 << 40, "5.0TiB")]
)
def test_amounts_are_podmans(size, text):
    assert amount(size) == text


def test_json_lines():
    stream = io.StringIO()
    progress = Progress(stream, form="json")
    progress.message("Trying to pull x...")
    for state, done in (("waiting", 0), ("compressing", 10), ("copying", 5), ("copying", 6), ("done", 8)):
        progress.blob(ONE, state, done, 8)
    progress.blob(TWO, "config", 0, 3)
    progress.blob(TWO, "exists", 3, 3)
    progress.close()
    progress.close()
    rows = [json.loads(line) for line in stream.getvalue().splitlines()]
    times = [row.pop("time") for row in rows]
    assert times == sorted(times)
    rates = [row.pop("rate") for row in rows if "rate" in row]
    assert all(isinstance(rate, int) for rate in rates)
    blob, config = {"kind": "blob", "digest": ONE, "total": 8}, {"kind": "config", "digest": TWO, "total": 3}
    assert rows == [
        {"event": "message", "text": "Trying to pull x..."},
        {"event": "begin", **blob},
        {"event": "progress", **blob, "state": "compressing", "done": 10},
        {"event": "progress", **blob, "state": "copying", "done": 5},
        {"event": "end", **blob, "state": "done", "done": 8},
        {"event": "begin", **config},
        {"event": "end", **config, "state": "exists", "done": 3},
        {"event": "summary", "blobs": 2, "reused": 1, "bytes": 8},
    ]
