"""The kit's file locks, JSON helpers and long-lived helper processes, with real files and programs."""

import fcntl
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sonata_core.errors import CommandFailed, Denied, HostLacks, TimedOut
from sonata_core.models.process import Command, CommandResult
from sonata_core.sdk import helper_process, json_command, locks
from sonata_core.sdk.folders import write_whole

ENV = {"PATH": os.environ["PATH"]}


def run(command: Command) -> CommandResult:
    done = subprocess.run(command.argv, input=command.input, capture_output=True, check=False)
    return CommandResult(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def shell(script: str) -> Command:
    return Command(argv=("/bin/sh", "-c", script))


def test_a_lock_keeps_a_second_opener_out_even_in_the_same_process(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "some.lock")
    with locks.lock_file(path):
        assert locks.try_lock_file(path) is None
        os.close(os.open(path, os.O_RDONLY))  # what would drop a POSIX lock
        assert locks.try_lock_file(path) is None
    with locks.lock_file(path, shared=True):
        second = locks.try_lock_file(path, shared=True)
        assert second is not None
        second.close()
        second.close()


def test_a_lock_conflicts_with_a_peers_posix_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "peer.lock")
    script = (
        "import fcntl,os,sys\nfd=os.open(sys.argv[1],os.O_RDWR|os.O_CREAT)\n"
        "fcntl.lockf(fd,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
        assert peer.stdout is not None
        assert peer.stdout.readline() == b"held\n"
        assert locks.try_lock_file(path) is None
        peer.communicate()
    with locks.lock_file(path) as held, open(path, "rb+") as other, pytest.raises(BlockingIOError):
        assert held.fd >= 0
        subprocess_lock = subprocess.run(
            [
                sys.executable,
                "-c",
                "import fcntl,sys;f=open(sys.argv[1],'r+');fcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)",
                path,
            ],
            capture_output=True,
            check=False,
        )
        assert b"BlockingIOError" in subprocess_lock.stderr
        fcntl.fcntl(other, fcntl.F_OFD_SETLK, b"\x01" + b"\0" * 31)


def test_a_lock_file_behind_a_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(Denied, match="open lock file"):
        locks.lock_file(str(tmp_path / "link"))


def test_ask_json_passes_the_question_and_reads_the_answer() -> None:
    assert json_command.ask_json(run, shell("cat"), {"a": [1, "ü"]}) == {"a": [1, "ü"]}
    assert json_command.ask_json(run, shell("cat >/dev/null"), {}) is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('echo \'{"error":"no such thing"}\'; exit 1', "sh: no such thing"),
        ("echo why >&2; exit 3", "sh: why"),
        ("exit 3", "sh: exited with 3 and said nothing"),
        ("kill -9 $$", "sh: killed by signal 9"),
        ("echo nonsense", "sh: nonsense"),
    ],
)
def test_ask_json_raises_with_the_helpers_own_words(script: str, said: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        json_command.ask_json(run, shell(script), {})
    assert caught.value.message == said


def test_a_helper_is_started_found_and_stopped(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = str(tmp_path / "log")
    helper = helper_process.spawn(
        ("/bin/sh", "-c", "echo to the log; printf 1 >&7; exec 7>&-; exec sleep 60"),
        env=ENV,
        fds={7: writer},
        log=log,
    )
    os.close(writer)
    helper_process.wait_ready(helper, reader, log)
    os.close(reader)
    record = str(tmp_path / "record")
    helper_process.save(record, helper, socket="/x")
    found = helper_process.load(record)
    assert found is not None
    assert found[0] == helper
    assert found[1]["socket"] == "/x"
    assert helper_process.is_alive(helper)
    recycled = helper.replace(start_time=helper.start_time - 1)
    helper_process.stop(recycled)
    assert helper_process.is_alive(helper), "a process with another start time is not ours to end"
    helper_process.stop(helper)
    assert not helper_process.is_alive(helper)
    helper_process.stop(helper)
    assert helper_process.read_tail(log) == "to the log"
    helper_process.forget(record)
    helper_process.forget(record)
    assert helper_process.load(record) is None


def test_a_helper_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    helper = helper_process.spawn(
        ("/bin/sh", "-c", "trap '' TERM; echo >&5; while :; do sleep 0.05; done"),
        env=ENV,
        fds={5: writer},
        log=str(tmp_path / "log"),
    )
    os.close(writer)
    helper_process.wait_ready(helper, reader, "")
    os.close(reader)
    helper_process.stop(helper, timeout=0.1)
    assert not helper_process.is_alive(helper)


def test_a_helper_that_dies_or_dawdles_is_reported(tmp_path: Path) -> None:
    for script, error, said in (
        ("echo broken >&2; exit 1", CommandFailed, "sh: broken"),
        ("sleep 5", TimedOut, "sh was not ready after 0.1 s"),
    ):
        reader, writer = os.pipe()
        log = str(tmp_path / "log")
        helper = helper_process.spawn(("/bin/sh", "-c", script), env=ENV, fds={3: writer}, log=log)
        os.close(writer)
        with pytest.raises(error, match=said):
            helper_process.wait_ready(helper, reader, log, timeout=0.1 if "sleep" in script else 5)
        os.close(reader)
        helper_process.stop(helper)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(HostLacks, match="/no/such"):
        helper_process.spawn(("/no/such",), env=ENV, fds={}, log=str(tmp_path / "log"))
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_write_that_ends_early_is_gone_on_with_and_its_trouble_names_the_file(tmp_path: Path) -> None:
    """As on a disk that is nearly full: the kernel takes a part, and says no only to what is left."""
    path = tmp_path / "file"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            write_whole(handle, b"x" * 8192, str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        os.close(handle)
    assert caught.value.filename == str(path)
    assert path.stat().st_size == 4096
