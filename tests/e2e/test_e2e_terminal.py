"""Terminals, streams and signals: what a person at a keyboard and a pipe see of `run`, `exec` and `attach`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest
from private_host import PrivateHost, first_child, host_needs

pytestmark = host_needs()
MUCH = 100_000_000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, host_kind: type[PrivateHost]) -> Iterator[PrivateHost]:
    with host_kind(str(tmp_path_factory.mktemp("terminal"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        yield made


class Person:
    """Somebody at a terminal, who began `sonata WORDS` there."""

    def __init__(self, host: PrivateHost, *words: str) -> None:
        argv = host.argv(*words)
        self.pid, self.ours = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever began the tests may have had nohup(1) ignore it
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
            os.execvp(argv[0], argv)
        self.before = termios.tcgetattr(self.ours)
        self.seen = b""

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.ours)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def until(self, text: str, seconds: float = 20) -> str:
        """Read until the text was shown; what was shown up to there, which is then forgotten."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, (text, self.seen)
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.ours, 65536)
                except OSError:  # the other side was closed
                    assert text.encode() in self.seen, (text, self.seen)
        head, _, self.seen = self.seen.partition(text.encode())
        return head.decode()

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def code(self) -> int:
        """Wait for the program's end; the terminal must then be as it was."""
        deadline = time.monotonic() + 20
        while True:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, ("it does not end", self.seen)
            if select.select([self.ours], [], [], 0.02)[0]:
                try:
                    self.seen += os.read(self.ours, 65536)
                except OSError:
                    time.sleep(0.01)

    def restored(self) -> bool:
        return termios.tcgetattr(self.ours) == self.before


def test_run_shows_a_terminal_of_the_right_size(host: PrivateHost) -> None:
    with Person(host, "run", "--rm", "-it", "--network=none", host.image, "sh") as person:
        person.type("stty size\n")
        person.until("30 90")
        person.size(41, 121)
        time.sleep(0.3)
        person.type("stty size\n")
        person.until("41 121")
        assert not person.restored(), "while it runs, the terminal passes every key"
        person.type("exit 7\n")
        assert person.code() == 7
        assert person.restored()


def test_control_c_goes_to_the_container(host: PrivateHost) -> None:
    with Person(host, "run", "--rm", "-it", "--network=none", host.image, "sh") as person:
        person.type("echo rea''dy; sleep 1000\n")
        person.until("ready")
        time.sleep(0.3)  # until the shell has begun to sleep
        person.type("\x03")
        person.type("echo sta''tus $?\n")
        person.until("status 130")
        person.type("\x04")
        assert person.code() == 0
        assert person.restored()


def test_detach_and_attach_again(host: PrivateHost) -> None:
    with Person(host, "run", "-it", "--name", "d", "--network=none", host.image, "sh") as person:
        person.type("X=42; echo rea''dy\n")
        person.until("ready")
        person.type("\x10\x11")
        assert person.code() == 0
        assert person.restored()
    assert host.ok("inspect", "--format", "{{.State.Running}}", "d") == "true"
    with Person(host, "attach", "--detach-keys", "ctrl-x,z", "d") as person:
        person.type("echo is $X\n")
        person.until("is 42")
        person.type("\x18z")
        assert person.code() == 0
        assert person.restored()
    with Person(host, "attach", "d") as person:
        person.type("exit 5\n")
        assert person.code() == 5
        assert person.restored()
    host.ok("rm", "d")


def test_start_attached_and_interactive(host: PrivateHost) -> None:
    host.ok("create", "-it", "--name", "s", "--network=none", host.image, "sh")
    for code in (3, 4):
        with Person(host, "start", "-ai", "s") as person:
            person.type(f"exit {code}\n")
            assert person.code() == code
            assert person.restored()
    host.ok("rm", "s")


def test_exec_has_a_terminal_of_its_own(host: PrivateHost) -> None:
    host.ok("run", "-d", "--name", "e", "--network=none", host.image, "sleep", "1000")
    with Person(host, "exec", "-it", "e", "sh") as person:
        person.type("stty size\n")
        person.until("30 90")
        person.size(20, 70)
        time.sleep(0.3)
        person.type("stty size\n")
        person.until("20 70")
        person.type("exit 9\n")
        assert person.code() == 9
        assert person.restored()
    with Person(host, "exec", "-it", "e", "sh") as person:
        person.type("echo rea''dy\n")
        person.until("ready")
        person.type("\x10\x11")
        assert person.code() == 0
        assert person.restored()
    assert host.ok("inspect", "--format", "{{.State.Running}}", "e") == "true"
    host.ok("rm", "-f", "-t", "0", "e")


def test_a_killed_program_leaves_the_container(host: PrivateHost) -> None:
    """Who loses the terminal (a closed window) loses no container, and can attach to it again."""
    with Person(host, "run", "-it", "--name", "k", "--network=none", host.image, "sh") as person:
        person.type("X=1; echo rea''dy\n")
        person.until("ready")
    assert host.ok("inspect", "--format", "{{.State.Running}}", "k") == "true"
    with Person(host, "attach", "k") as person:
        person.type("exit 6\n")
        assert person.code() == 6
    host.ok("rm", "k")


@pytest.mark.parametrize("driver", ["none", "k8s-file"])
def test_much_goes_through_unchanged(host: PrivateHost, driver: str) -> None:
    """100 MB of every byte from a pipe into the container and out again."""
    block = os.urandom(1_000_000)
    sent = block * (MUCH // len(block))
    words = ["run", "--rm", "-i", "--log-driver", driver, "--network=none", host.image, "cat"]
    ended = host.program(host.argv(*words), stdin=sent)
    assert ended.code == 0, ended.err
    assert hashlib.sha256(ended.raw).digest() == hashlib.sha256(sent).digest()


def test_exec_reads_its_input_to_the_end(host: PrivateHost) -> None:
    sent = os.urandom(1_000_000) * (MUCH // 1_000_000)
    host.ok("run", "-d", "--name", "i", "--network=none", host.image, "sleep", "1000")
    assert host.ok("exec", "-i", "i", "sha256sum", stdin=sent).split()[0] == hashlib.sha256(sent).hexdigest()
    ended = host.program(host.argv("exec", "-i", "i", "cat"), stdin=sent)
    assert ended.code == 0
    assert hashlib.sha256(ended.raw).digest() == hashlib.sha256(sent).digest()
    host.ok("rm", "-f", "-t", "0", "i")


def test_output_and_errors_stay_apart(host: PrivateHost) -> None:
    ended = host("run", "--rm", "--network=none", host.image, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ended.code, ended.out, ended.err) == (3, "out", "err")


TRAP = "trap 'echo got; exit 9' TERM; trap 'echo usr; exit 8' USR1; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize(("number", "said", "code"), [(signal.SIGTERM, b"got", 9), (signal.SIGUSR1, b"usr", 8)])
def test_signals_go_to_the_container(host: PrivateHost, number: signal.Signals, said: bytes, code: int) -> None:
    words = host.argv("run", "--rm", "--network=none", host.image, "sh", "-c", TRAP)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.readline() == b"ready\n"
        os.kill(first_child(started), number)
        assert started.stdout.read() == said + b"\n"
        assert started.wait(20) == code


def test_signals_stay_where_they_are_not_passed_on(host: PrivateHost) -> None:
    words = host.argv("run", "--rm", "--name", "p", "--sig-proxy=false", "--network=none", host.image, "sh", "-c", TRAP)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.readline() == b"ready\n"
        os.kill(first_child(started), signal.SIGTERM)
        assert started.wait(20) != 9
        assert host.ok("inspect", "--format", "{{.State.Running}}", "p") == "true"
        host.ok("kill", "-s", "TERM", "p")
    deadline = time.monotonic() + 10
    while host("container", "exists", "p").code == 0:
        assert time.monotonic() < deadline


def program_of(person: Person) -> int:
    """The process of ours that a person's words became, behind what leads into the private host."""
    pid = person.pid
    while True:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            leads = b"nsenter" in file.read().split(b"\0")[0]
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        if not leads or not children:
            return pid
        pid = children[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_terminal_is_restored_whatever_ends_us(host: PrivateHost, number: signal.Signals) -> None:
    """The container goes on, and can be attached to again."""
    with Person(host, "run", "-it", "--name", "w", "--network=none", host.image, "sh") as person:
        person.type("X=7; echo rea''dy\n")
        person.until("ready")
        assert not person.restored()
        os.kill(program_of(person), number)
        assert person.code() in (128 + number, -number)
        assert person.restored()
    with Person(host, "attach", "w") as person:
        person.type("exit $X\n")
        assert person.code() == 7
    host.ok("rm", "w")


def test_a_terminal_is_restored_when_the_monitor_dies(host: PrivateHost) -> None:
    with Person(host, "run", "-it", "--name", "m", "--network=none", host.image, "sh") as person:
        person.type("echo rea''dy\n")
        person.until("ready")
        # These are numbers of the private host, where alone they may be killed.
        pids = host.ok("inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", "m").split()
        host.program(host.inside("sh", "-c", 'kill -9 "$@"', "sh", *pids))
        assert person.code() != 0
        assert person.restored()
    host.ok("rm", "-f", "-t", "0", "m")


def test_keys_detach_from_what_was_started_and_from_a_session(host: PrivateHost) -> None:
    host.ok("create", "-it", "--name", "y", "--network=none", host.image, "sh")
    with Person(host, "start", "-ai", "--detach-keys", "ctrl-a,a", "y") as person:
        person.type("echo rea''dy\n")
        person.until("ready")
        person.type("\x01a")
        assert person.code() == 0
        assert person.restored()
    with Person(host, "exec", "-it", "--detach-keys", "ctrl-a,a", "y", "sh") as person:
        person.type("echo rea''dy; until test -e /gate; do sleep 0.1; done; exit\n")
        person.until("ready")
        assert len(host.ok("inspect", "--format", "{{range .ExecIDs}}x{{end}}", "y")) == 1
        person.type("\x01a")
        assert person.code() == 0
        assert person.restored()
    assert len(host.ok("inspect", "--format", "{{range .ExecIDs}}x{{end}}", "y")) == 1, "the session goes on"
    host.ok("exec", "y", "sh", "-c", ": > /gate")
    bundle = host.ok("inspect", "--format", "{{.StaticDir}}", "y")
    deadline = time.monotonic() + 20
    while [name for name in host.listed(bundle) if len(name) == 64]:
        assert time.monotonic() < deadline, "what it left is cleaned up when it ends"
        time.sleep(0.1)
    assert host.ok("inspect", "--format", "{{range .ExecIDs}}x{{end}}", "y") == ""
    host.ok("rm", "-f", "-t", "0", "y")


def test_no_keys_detach_where_there_are_none(host: PrivateHost) -> None:
    with Person(host, "run", "--rm", "-it", "--detach-keys", "", "--network=none", host.image, "sh") as person:
        person.type("stty raw; echo rea''dy; head -c 2 | od -An -tx1; exit 4\n")
        person.until("ready")
        time.sleep(0.5)
        person.type("\x10\x11")
        person.until("10 11")
        assert person.code() == 4


def test_attach_with_and_without_input(host: PrivateHost) -> None:
    host.ok("run", "-di", "--name", "n", "--network=none", host.image, "sh", "-c",
            "while read line; do echo got $line; done; echo end")  # fmt: skip
    with subprocess.Popen(host.argv("attach", "--no-stdin", "n"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as on:
        assert on.stdin is not None
        assert on.stdout is not None
        on.stdin.write(b"unheard\n")
        on.stdin.close()
        time.sleep(0.7)
        ended = host.program(host.argv("attach", "n"), stdin=b"one\ntwo\n")
        assert (ended.code, ended.raw) == (0, b"got one\ngot two\nend\n")
        assert on.stdout.read() == b"got one\ngot two\nend\n"
        assert on.wait(20) == 0
    host.ok("rm", "n")


@pytest.mark.parametrize(("script", "code"), [("kill -9 $$", 137), ("kill -TERM $$", 143), ("exit 255", 255)])
def test_exit_codes_of_signals(host: PrivateHost, script: str, code: int) -> None:
    assert host("run", "--rm", "--init", "--network=none", host.image, "sh", "-c", script).code == code


def test_signals_reach_what_has_closed_its_output(host: PrivateHost) -> None:
    script = "trap 'exit 9' TERM; echo ready; exec >&- 2>&-; while :; do sleep 0.05; done"
    words = host.argv("run", "--rm", "--network=none", host.image, "sh", "-c", script)
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.readline() == b"ready\n"
        time.sleep(0.5)
        os.kill(first_child(started), signal.SIGTERM)
        assert started.wait(20) == 9


@pytest.mark.parametrize("verb", ["exec", "attach", "start"])
def test_signals_go_through_the_other_commands_too(host: PrivateHost, verb: str) -> None:
    if verb == "start":
        host.ok("create", "--name", "v", "--network=none", host.image, "sh", "-c", TRAP)
        words = ("start", "-a", "v")
    else:
        keeps = "trap 'echo got; exit 9' TERM; while :; do echo ready; sleep 0.1; done"
        command = ("sleep", "1000") if verb == "exec" else ("sh", "-c", keeps)
        host.ok("run", "-d", "--name", "v", "--network=none", host.image, *command)
        words = ("exec", "v", "sh", "-c", TRAP) if verb == "exec" else ("attach", "--no-stdin", "v")
    with subprocess.Popen(host.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as started:
        assert started.stdout
        assert started.stdout.readline() == b"ready\n"
        os.kill(first_child(started), signal.SIGTERM)
        assert started.stdout.read().splitlines()[-1] == b"got"
        assert started.wait(20) == 9
    host.ok("rm", "-f", "-t", "0", "v")
