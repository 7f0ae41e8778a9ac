"""What pull, push, save, load, copy and artifacts show: in pipes Podman's very words, on a real terminal bars."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root

PLAIN = "--tls-verify=false"
BLOB, CONFIG = r"Copying blob sha256:[0-9a-f]{64}", r"Copying config sha256:[0-9a-f]{64}"
SIGNATURES, MANIFEST = "Getting image source signatures", "Writing manifest to image destination"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path_factory.mktemp("progress"), who=who)
    yield made
    made.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


def told(store: PlainStore, *words: str) -> str:
    done = store(*words)
    assert done.returncode == 0, done.stderr
    return done.stderr.decode()


def matches(text: str, *lines: str) -> bool:
    return re.fullmatch("\n".join(lines) + "\n", text) is not None


def test_words_in_pipes(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    """As recorded from Podman 5.8.6, and of `image copy` from skopeo."""
    name = f"{registry.host}/box:1"
    push = told(store, "push", PLAIN, IMAGE, name)
    assert matches(push, SIGNATURES, BLOB, CONFIG, MANIFEST), push
    again = told(store, "push", PLAIN, IMAGE, name)
    assert matches(again, SIGNATURES, BLOB, CONFIG, MANIFEST), again
    pull = told(store, "pull", PLAIN, name)
    assert matches(pull, re.escape(f"Trying to pull {name}..."), SIGNATURES, BLOB, CONFIG, MANIFEST), pull
    saved = told(store, "save", "-o", f"{tmp_path}/saved.tar", IMAGE)
    assert matches(saved, BLOB, CONFIG, MANIFEST), saved
    loaded = told(store, "load", "-i", f"{tmp_path}/saved.tar")
    assert matches(loaded, SIGNATURES, BLOB, CONFIG, MANIFEST), loaded
    copied = told(store, "image", "copy", f"docker-archive:{tmp_path}/saved.tar", f"dir:{tmp_path}/folder")
    assert matches(copied, SIGNATURES, BLOB, CONFIG, MANIFEST), copied
    (tmp_path / "file").write_text("x")
    artifact = f"{registry.host}/file:1"
    store.out("artifact", "add", artifact, f"{tmp_path}/file")
    pushed = told(store, "artifact", "push", PLAIN, artifact)
    assert matches(pushed, SIGNATURES, BLOB, CONFIG, MANIFEST), pushed
    done = store("artifact", "pull", PLAIN, artifact)
    assert (done.returncode, done.stderr) == (0, b"")
    assert matches(done.stdout.decode(), SIGNATURES, BLOB, CONFIG, MANIFEST), done
    for words in (
        ("push", "-q", PLAIN, IMAGE, name),
        ("pull", "-q", PLAIN, name),
        ("save", "-q", "-o", f"{tmp_path}/again.tar", IMAGE),
        ("load", "-q", "-i", f"{tmp_path}/saved.tar"),
        ("image", "copy", "-q", f"docker-archive:{tmp_path}/saved.tar", f"dir:{tmp_path}/other"),
    ):
        assert told(store, *words) == "", words


def test_json_lines(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    name = f"{registry.host}/box:1"
    store.out("artifact", "add", "--replace", f"{registry.host}/file:1", f"{store.base}/box.tar")
    for words in (
        ("push", "--progress", "json", PLAIN, IMAGE, name),
        ("pull", "--progress=json", PLAIN, name),
        ("save", "--progress=json", "-o", f"{tmp_path}/saved.tar", IMAGE),
        ("load", "--progress=json", "-i", f"{tmp_path}/saved.tar"),
        ("image", "copy", "--progress=json", f"docker-archive:{tmp_path}/saved.tar", f"dir:{tmp_path}/folder"),
        ("artifact", "push", "--progress=json", PLAIN, f"{registry.host}/file:1"),
        ("artifact", "pull", "--progress=json", PLAIN, f"{registry.host}/file:1"),
    ):
        rows = [json.loads(line) for line in told(store, *words).splitlines()]
        kinds = [row["event"] for row in rows]
        assert kinds[-1] == "summary", words
        assert {row["kind"] for row in rows if row["event"] == "end"} == {"blob", "config"}, words
        assert kinds.count("begin") == kinds.count("end") == rows[-1]["blobs"], words
        assert kinds.count("message") >= 1, words
    assert "must be one of auto, plain, json" in store.refused("pull", "--progress=dots", name)


class Terminal:
    """The program on a pseudo-terminal of its own."""

    def __init__(self, program: list[str], *words: str, columns: int = 80) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(columns)

        self.process = subprocess.Popen(
            ["setsid", "--ctty", *program, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.text = ""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def until(self, part: str) -> None:
        while part not in self.text:
            found = self._read()
            assert found, self.text

    def _read(self) -> str:
        try:
            found = os.read(self._ours, 65536).decode()
        except OSError:  # its other end is closed
            return ""
        self.text += found
        return found

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait()


def able(store: PlainStore) -> list[str]:
    """The program's words, where the terminal can do what most can."""
    return store.program_with(TERM="xterm")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", text).replace("\r", "")


def test_bars_on_a_terminal(store: PlainStore, registry: FakeRegistry) -> None:
    registry.add_image("big", "1", [os.urandom(600_000), os.urandom(2_000_000)])
    registry.trouble.slow = 0.02
    name = f"{registry.host}/big:1"
    terminal = Terminal(able(store), "artifact", "pull", PLAIN, name, columns=100)
    terminal.until("KiB / 1.9MiB | ")
    terminal.resize(50)
    seen = len(terminal.text)
    assert terminal.end() == 0
    after = terminal.text[seen:]
    lines = [plain(line) for line in after.split("\n")]
    assert not [line for line in lines[2:] if len(line) >= 50], lines
    shown = plain(terminal.text)
    assert shown.count(" done\n") == 3
    assert shown.endswith(f"{MANIFEST}\n")
    assert terminal.text.count("\x1b[?25l") == terminal.text.count("\x1b[?25h")
    assert terminal.text.rfind("\x1b[?25h") > terminal.text.rfind("\x1b[?25l")


def test_after_ctrl_c_the_terminal_is_as_before(store: PlainStore, registry: FakeRegistry) -> None:
    registry.add_image("slow", "1", [os.urandom(4_000_000)])
    registry.trouble.slow = 0.2
    terminal = Terminal(able(store), "pull", PLAIN, f"{registry.host}/slow:1")
    terminal.until("MiB | ")
    terminal.type("\x03")
    assert terminal.end() == 130
    for on, off in (("\x1b[?25h", "\x1b[?25l"), ("\x1b[?7h", "\x1b[?7l")):
        assert terminal.text.rfind(on) > terminal.text.rfind(off)


def test_a_terminal_that_can_do_nothing_gets_lines(store: PlainStore, registry: FakeRegistry) -> None:
    registry.add_image("box", "1", [b"layer"])
    dumb = store.program_with(TERM="dumb")
    terminal = Terminal(dumb, "artifact", "pull", PLAIN, f"{registry.host}/box:1")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.text
    assert re.search(BLOB, terminal.text)
    terminal = Terminal(
        store.program_with(TERM="xterm"), "artifact", "push", "--progress=plain", PLAIN, f"{registry.host}/box:1"
    )
    assert terminal.end() == 0
    assert "\x1b" not in terminal.text
