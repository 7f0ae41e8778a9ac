"""`logs` in full: drivers, rotation that loses nothing, following through rotation and restart, times, the journal."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root
from live_world import LiveWorld, eventually

pytestmark = pytest.mark.needs_root
JOURNALD = "/lib/systemd/systemd-journald"
COUNT = 20_000
WRITER = (
    f"i=0; while [ $i -lt {COUNT} ]; do echo line $i of a log that is rotated; i=$((i+1)); "
    "case $i in *000) sleep 0.05;; esac; done"
)
"""Pauses now and then: on a busy machine it would be done before whoever watches the log looks a second time."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path_factory.mktemp("logs")), who)
    yield made
    made.end()


@pytest.fixture
def again(world: LiveWorld) -> Iterator[LiveWorld]:
    yield world
    world.end()


def ended(world: LiveWorld, name: str, script: str, *words: str) -> None:
    world.start(name, *words, command=("sh", "-c", script))
    world.ok("wait", name)


def numbers(text: str) -> list[int]:
    return [int(line.split()[1]) for line in text.splitlines()]


def log_files(path: str) -> list[str]:
    folder = os.path.dirname(path)
    return sorted(name for name in os.listdir(folder) if name.startswith(os.path.basename(path)))


def rotated(world: LiveWorld, files: int) -> tuple[str, str]:
    """A container that wrote its lines into so many files at most; the log's path, and what `logs -f` saw."""
    path, gate = f"{world.base}/rotated{files}.log", f"{world.base}/gate{files}"
    os.mkdir(gate)
    options = ("--log-opt=max-size=64k", f"--log-opt=max-file={files}", f"--log-opt=path={path}", f"-v={gate}:/gate")
    world.start("r", *options, command=("sh", "-c", f"until test -e /gate/go; do sleep 0.05; done; {WRITER}"))
    with subprocess.Popen(world.argv("logs", "-f", "r"), stdout=subprocess.PIPE, text=True) as following:
        time.sleep(0.5)
        open(f"{gate}/go", "w", encoding="ascii").close()
        followed, _ = following.communicate(timeout=60)
    assert eventually(lambda: not [line for line in processes() if path in line])
    return path, followed


def test_rotation_keeps_what_it_should_and_loses_nothing_of_it(again: LiveWorld) -> None:
    """Where there is room for all files, who follows and who reads later see every line once."""
    path, followed = rotated(again, 60)
    assert numbers(followed) == list(range(COUNT))
    assert len(log_files(path)) > 1
    assert numbers(again.ok("logs", "r")) == list(range(COUNT))
    for count in (1, 700, 5000):
        assert numbers(again.ok("logs", "--tail", str(count), "r")) == list(range(COUNT - count, COUNT))


def test_rotation_forgets_the_oldest_files(again: LiveWorld) -> None:
    path, _ = rotated(again, 3)
    assert set(log_files(path)) <= {"rotated3.log", "rotated3.log.1", "rotated3.log.2"}
    # The first line may have begun in a file that is gone.
    kept = numbers(again.ok("logs", "r").partition("\n")[2])
    assert kept == list(range(kept[0], COUNT)), "what is kept has no gap"
    assert 0 < len(kept) < COUNT


def processes() -> list[str]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found.append(file.read().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in found if "log_watch" in line]


@pytest.mark.parametrize("looking", [("ps",), ("logs", "--tail=1", "w")])
def test_a_watch_that_was_killed_is_replaced_by_whoever_looks(again: LiveWorld, looking: tuple[str, ...]) -> None:
    """And until then conmon itself has a bound, far above the one that was asked for."""
    path = f"{again.base}/watched-{looking[0]}.log"
    options = ("--log-opt=max-size=64k", "--log-opt=max-file=3", f"--log-opt=path={path}")
    again.start(
        "w", *options, command=("sh", "-c", f"until test -e /tmp/go; do sleep 0.05; done; {WRITER}; sleep 1000")
    )
    conmon = again.inspect("w")["State"]["ConmonPid"]
    with open(f"/proc/{conmon}/cmdline", "rb") as file:
        words = file.read().split(b"\0")
    assert int(words[words.index(b"--log-size-max") + 1]) == 1 << 30
    assert eventually(lambda: len(watchers(path)) == 1)
    (killed,) = watchers(path)
    os.kill(killed, 9)
    assert eventually(lambda: not watchers(path))
    again.ok(*looking)
    assert eventually(lambda: watchers(path) not in ([], [killed]))
    again.ok(*looking)
    again.ok("exec", "w", "touch", "/tmp/go")
    assert eventually(lambda: len(log_files(path)) == 3)
    assert len(watchers(path)) == 1
    again.ok("rm", "-f", "-t0", "w")
    os.unlink(f"{again.rootfs}/tmp/go")


def watchers(path: str) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if os.fsencode(path) in words and any(b"log_watch" in word for word in words):
            found.append(int(name))
    return found


def test_one_file_is_bounded_by_the_monitor_itself(again: LiveWorld) -> None:
    path = f"{again.base}/one.log"
    ended(again, "one", WRITER, "--log-opt=max-size=64k", f"--log-opt=path={path}")
    assert log_files(path) == ["one.log"]
    assert os.stat(path).st_size <= 64 * 1024
    kept = numbers(again.ok("logs", "one"))
    assert kept == list(range(kept[0], COUNT))


@pytest.mark.parametrize("value", ["0", "-1", "many", "1001"])
def test_how_many_files_there_may_be(again: LiveWorld, value: str) -> None:
    done = again.run("create", f"--log-opt=max-file={value}", "--rootfs", again.rootfs, "true")
    assert done.returncode == 125
    assert "invalid log option" in done.stderr


def test_following_goes_on_where_the_policy_starts_it_again(again: LiveWorld) -> None:
    again.start("f", "--restart=on-failure:2", command=("sh", "-c", "echo once; sleep 0.3; exit 1"))
    done = again.run("logs", "-f", "f")
    assert done.stdout == "once\n" * 3
    both = again.run("logs", "-f", "--names", "f", "f")
    assert both.returncode == 0


def test_following_goes_on_over_a_restart_by_hand_and_ends_with_the_container(again: LiveWorld) -> None:
    """Also of several; the second one ends by itself meanwhile."""
    again.start("h", command=("sh", "-c", "echo run; exec sleep 1000"))
    again.start("other", command=("sh", "-c", "echo other"))
    seen = [Path(again.base, "one"), Path(again.base, "both")]
    followers = []
    for path, names in zip(seen, (("h",), ("--names", "h", "other")), strict=True):
        with path.open("w") as file:
            followers.append(subprocess.Popen(again.argv("logs", "-f", *names), stdout=file))
    assert eventually(lambda: all("run" in path.read_text() for path in seen))
    for _ in range(2):
        again.ok("restart", "-t", "0", "h")
    again.ok("rm", "-f", "-t", "0", "h")
    assert [one.wait(30) for one in followers] == [0, 0]
    assert seen[0].read_text() == "run\n" * 3
    lines = seen[1].read_text().splitlines()
    assert sorted(lines) == ["h run"] * 3 + ["other other"]


def test_several_are_followed_to_their_ends(again: LiveWorld) -> None:
    again.start("a", command=("sh", "-c", "for i in 1 2 3; do echo a$i; sleep 0.2; done"))
    again.start("b", command=("sh", "-c", "for i in 1 2 3; do echo b$i; sleep 0.3; done"))
    lines = again.ok("logs", "-f", "--names", "a", "b").splitlines()
    assert [line for line in lines if line.startswith("a ")] == ["a a1", "a a2", "a a3"]
    assert [line for line in lines if line.startswith("b ")] == ["b b1", "b b2", "b b3"]


def test_times(again: LiveWorld) -> None:
    ended(again, "t", "echo one; sleep 1.2; echo two; printf part")
    lines = again.ok("logs", "-t", "t").splitlines()
    assert [line.split(" ")[1] for line in lines] == ["one", "two", "part"]
    moment = lines[1].split(" ")[0]
    assert moment.endswith("Z") or moment[-6] in "+-"
    assert again.ok("logs", "--since", moment, "t") == "two\npart"
    assert again.ok("logs", "--until", lines[0].split(" ")[0], "t") == "one"
    assert again.ok("logs", "--tail", "1", "t") == "part"
    assert again.ok("logs", "--since", "1h", "--tail", "2", "t") == "two\npart"


def test_details_are_those_of_the_log(again: LiveWorld) -> None:
    ended(again, "d", "echo said", "--log-opt=tag=mine", "--log-opt=label=a=b")
    assert again.ok("logs", "--details", "d") == "a=b,tag=mine said"
    assert again.ok("logs", "d") == "said"


@pytest.mark.parametrize("driver", ["none", "passthrough", "passthrough-tty"])
def test_drivers_that_keep_nothing(again: LiveWorld, driver: str) -> None:
    done = again.run("run", "--name=n", f"--log-driver={driver}", "--network=none", "--rootfs", again.rootfs,
                     "sh", "-c", "echo out; echo err >&2")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")
    done = again.run("logs", "n")
    text = f"this container is using the '{driver}' log driver, cannot read logs: this container is not logging output"
    assert (done.returncode, text in done.stderr) == (125, True)


@pytest.mark.parametrize("driver", ["json-file", "k8s-file"])
def test_drivers_that_keep_a_file(again: LiveWorld, driver: str) -> None:
    path = f"{again.base}/{driver}.log"
    ended(again, "k", "echo out; echo err >&2", f"--log-driver={driver}", f"--log-opt=path={path}")
    done = again.run("logs", "k")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    shown = again.inspect("k")["HostConfig"]["LogConfig"]
    assert (shown["Type"], shown["Path"]) == (driver, path)
    with open(path, "rb") as file:
        assert file.read().count(b"\n") == 2


@pytest.mark.skipif(os.path.exists("/run/systemd/journal/socket"), reason="there is a journal here")
def test_the_journal_is_refused_where_there_is_none(again: LiveWorld) -> None:
    done = again.run("create", "--log-driver=journald", "--rootfs", again.rootfs, "true")
    assert done.returncode == 125
    assert "log driver journald: there is no journal on this host" in done.stderr


@pytest.mark.rootful("mounts over what the host has")
@pytest.mark.skipif(not os.path.exists(JOURNALD) or not shutil.which("journalctl"), reason="needs systemd's journal")
@pytest.mark.skipif(os.path.exists("/run/systemd/journal/socket"), reason="the host's own journal is left alone")
def test_the_journal_is_written_and_read(again: LiveWorld) -> None:
    """With a journal of the test's own, in a mount namespace of its own."""
    script = f"""set -e
mkdir -p /run/systemd /run/log; mount -t tmpfs tmpfs /run/systemd; mount -t tmpfs tmpfs /run/log
mount -t tmpfs tmpfs /var/log; mkdir -p /run/systemd/journal /run/log/journal
{JOURNALD} & journal=$!
trap 'kill $journal' EXIT
until test -S /run/systemd/journal/socket; do sleep 0.05; done
"$@" run --name=j --network=none --log-driver=journald --rootfs {again.rootfs} \
    sh -c 'echo out; sleep 0.3; echo err >&2; sleep 0.3; printf part' >/dev/null 2>&1
until "$@" logs j | grep -q part; do sleep 0.1; done
echo "all: $("$@" logs j 2>/dev/null)"
echo "err: $("$@" logs j 2>&1 >/dev/null)"
echo "tail: $("$@" logs --tail 1 j)"
echo "stamped: $("$@" logs -t --tail 1 j)"
echo "followed: $("$@" logs -f j 2>/dev/null | tail -n 1)"
"""
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *again.argv()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "all: out\npart\n" in done.stdout
    assert "err: err\n" in done.stdout
    assert "tail: part\n" in done.stdout
    stamped = next(line for line in done.stdout.splitlines() if line.startswith("stamped: "))
    assert stamped.endswith(" part")
    assert stamped.split(" ")[1].startswith("20")
    assert "followed: part" in done.stdout
