"""Logs in the k8s-file format, detach keys, exit records."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from sonata.monitor import exits, log_lines, logs
from sonata.monitor.logs import LogOptions
from sonata.monitor.terminal import KeyMatcher, parse_detach_keys
from sonata_core.errors import Damaged, NotFound, UsageError

STAMP = "2026-11-21T21:40:38.70444912{}+00:00"


def line(text: str, tag: str = "F", stream: str = "stdout", tick: int = 0) -> str:
    return f"{STAMP.format(tick % 10)} {stream} {tag} {text}\n"


def texts(path: Path, **options: object) -> list[bytes]:
    return [record.text for record in logs.read(str(path), LogOptions(**options))]  # type: ignore[arg-type]


def test_records(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    log.write_text(line("one") + line("") + line("par", "P", "stderr") + line("tial", "F", "stderr") + line("end", "P"))
    found = list(logs.read(str(log), LogOptions()))
    assert [(r.stream, r.partial, r.text) for r in found] == [
        ("stdout", False, b"one\n"),
        ("stdout", False, b"\n"),
        ("stderr", True, b"par"),
        ("stderr", False, b"tial\n"),
        ("stdout", True, b"end"),
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 99])
@pytest.mark.parametrize("tail_partial", [False, True])
def test_tail(tmp_path: Path, count: int, tail_partial: bool) -> None:
    lines = [[b"a\n"], [b"b1", b"b2", b"b3\n"], [b"c\n"], [b"d1", b"d2\n"]]
    content = line("a") + line("b1", "P") + line("b2", "P") + line("b3") + line("c") + line("d1", "P") + line("d2")
    if tail_partial:
        lines.append([b"e"])
        content += line("e", "P")
    log = tmp_path / "ctr.log"
    log.write_text(content)
    wanted = [text for group in (lines[-count:] if count else []) for text in group]
    assert texts(log, tail=count) == wanted


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 99])
def test_tail_over_a_rotation_within_a_line(tmp_path: Path, count: int) -> None:
    (tmp_path / "ctr.log.2").write_text(line("a"))
    (tmp_path / "ctr.log.1").write_text(line("b") + line("c1", "P"))
    (tmp_path / "ctr.log").write_text(line("c2") + line("d"))
    lines = [[b"a\n"], [b"b\n"], [b"c1", b"c2\n"], [b"d\n"]]
    wanted = [text for group in (lines[-count:] if count else []) for text in group]
    assert texts(tmp_path / "ctr.log", tail=count, files=3) == wanted


def test_tail_over_blocks(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    log.write_text("".join(line(f"{number} " + "x" * (number % 3000)) for number in range(2000)))
    found = texts(log, tail=700)
    assert [int(text.split()[0]) for text in found] == list(range(1300, 2000))


def test_tail_of_a_huge_log_is_quick(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    with open(log, "wb") as file:
        file.seek(1 << 30)
        file.write(b"\n" + "".join(line(str(number)) for number in range(100)).encode())
    start = time.monotonic()
    assert texts(log, tail=3) == [b"97\n", b"98\n", b"99\n"]
    assert time.monotonic() - start < 0.5


def test_since_and_until(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    log.write_text("".join(line(str(number), tick=number) for number in range(6)))
    base = log_lines.stamp_ns(STAMP.format(0))
    assert texts(log, since=base + 2, until=base + 4) == [b"2\n", b"3\n", b"4\n"]


def test_stamps() -> None:
    assert log_lines.stamp_ns("1970-01-01T00:00:01.000000002+00:00") == 1_000_000_002
    assert log_lines.stamp_ns("1970-01-01T02:00:01.5+02:00") == 1_500_000_000
    assert log_lines.stamp_ns("1970-01-01T00:00:01Z".replace("Z", "")) == 1_000_000_000
    with pytest.raises(Damaged):
        log_lines.stamp_ns("yesterday")


def test_damage_and_absence(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    with pytest.raises(NotFound):
        texts(log)
    log.write_bytes(b"\0" * 100 + b"\n")
    with pytest.raises(Damaged):
        texts(log)


def test_binary_text(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    log.write_bytes(STAMP.format(1).encode() + b" stdout F \xff\x00 \r \x1b\n")
    assert texts(log) == [b"\xff\x00 \r \x1b\n"]


def test_follow_through_rotation(tmp_path: Path) -> None:
    log = tmp_path / "ctr.log"
    state = {"running": True}
    seen: list[bytes] = []

    def follow() -> None:
        for record in logs.read(str(log), LogOptions(follow=True), lambda: state["running"]):
            seen.append(record.text)

    def until(text: bytes) -> None:
        deadline = time.monotonic() + 5
        while text not in seen:
            assert time.monotonic() < deadline, seen
            time.sleep(0.005)

    reader = threading.Thread(target=follow)
    reader.start()
    time.sleep(0.05)
    log.write_text(line("first"))
    until(b"first\n")
    with open(log, "a") as file:
        file.write(line("second")[:-4])
        file.flush()
        time.sleep(0.05)
        file.write(line("second")[-4:])
    until(b"second\n")
    (tmp_path / "ctr.log.tmp").write_text(line("rotated"))
    os.rename(tmp_path / "ctr.log.tmp", log)
    until(b"rotated\n")
    with open(log, "a") as file:
        file.write(line("last"))
    state["running"] = False
    reader.join(5)
    assert not reader.is_alive()
    assert seen == [b"first\n", b"second\n", b"rotated\n", b"last\n"]


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", b""), ("ctrl-p,ctrl-q", b"\x10\x11"), ("a,ctrl-[,ctrl-_,ctrl-@,ctrl-\\", b"a\x1b\x1f\0\x1c")],
)
def test_detach_keys(text: str, keys: bytes) -> None:
    assert parse_detach_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-A", "ctrl-1", "ab", "ctrl-ab", "a,", "ctrl-p ctrl-q"])
def test_detach_keys_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_detach_keys(text)


def test_key_matcher_keeps_what_breaks_off() -> None:
    matcher = KeyMatcher(b"\x10\x11")
    assert matcher.feed(b"ab\x10") == (b"ab", False)
    assert matcher.feed(b"c\x10") == (b"\x10c", False)
    assert matcher.feed(b"\x10") == (b"\x10", False)
    assert matcher.feed(b"\x11rest") == (b"", True)
    assert KeyMatcher(b"").feed(b"\x10\x11") == (b"\x10\x11", False)
    kept = KeyMatcher(b"ab")
    assert kept.feed(b"xa") == (b"x", False)
    assert kept.flush() == b"a"


def test_exit_records(tmp_path: Path) -> None:
    exit_dir, persist = tmp_path / "exits", tmp_path / "persist"
    exit_dir.mkdir()
    persist.mkdir()
    assert exits.read_exit(str(exit_dir), "c") is None
    assert exits.await_exit(str(exit_dir), "c", patience=0.01) is None
    (persist / "exit").write_text("-1")
    (persist / "oom").write_text("")
    record = exits.read_exit(str(exit_dir), "c", str(persist))
    assert record is not None
    assert (record.code, record.oom_killed) == (exits.TIMED_OUT, True)
    (exit_dir / "c").write_text("137")
    record = exits.read_exit(str(exit_dir), "c")
    assert record is not None
    assert (record.code, record.oom_killed) == (137, False)
    assert abs(record.time_ns - time.time_ns()) < 5e9
    for _ in range(2):
        exits.forget(str(exit_dir), "c", str(tmp_path), str(persist))
    assert exits.read_exit(str(exit_dir), "c", str(persist)) is None
