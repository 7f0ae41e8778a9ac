"""Health checks with no systemd: run by themselves, written down, acted upon, and gone with the container."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata.engine.containers.recovery import command_lines

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from live_world import NEEDS, LiveWorld, eventually
from store_world import open_store, put_image

pytestmark = NEEDS


@pytest.fixture
def world(tmp_path: Path, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path), who)
    yield made
    made.end()
    assert eventually(lambda: clocks(made) == [])


def clocks(world: LiveWorld) -> list[int]:
    """Pids of the clocks of this world's containers."""
    mark = f"{world.base}/run".encode()
    return [
        pid
        for pid, words in command_lines()
        if any(word.endswith(b"health_watch.py") for word in words) and any(word.startswith(mark) for word in words)
    ]


def the_clock(world: LiveWorld) -> int:
    """The only one: a check that it is just starting looks like it for an instant."""
    assert eventually(lambda: len(clocks(world)) == 1)
    return min(clocks(world))


def health(world: LiveWorld, name: str) -> tuple[str, int]:
    found = world.inspect(name)["State"]["Health"]
    return found["Status"], found["FailingStreak"]


def test_it_turns_healthy_by_itself(world: LiveWorld) -> None:
    world.start("a", "--health-cmd", "test ! -e /tmp/bad; echo $?", "--health-interval=1s", "--health-retries=2")
    world.ok("exec", "a", "true")
    assert world.ok("wait", "--condition=healthy", "a") == "-1"
    assert "(healthy)" in world.ok("ps")
    the_clock(world)
    world.ok("exec", "a", "touch", "/tmp/bad")
    # `echo` has the last word: still healthy, with the output in the log.
    assert eventually(lambda: world.inspect("a")["State"]["Health"]["Log"][-1]["Output"] == "1\n")
    assert health(world, "a") == ("healthy", 0)


def test_failures_in_a_row_make_it_unhealthy(world: LiveWorld) -> None:
    world.start("a", "--health-cmd", '["test", "-e", "/tmp/good"]', "--health-interval=1s", "--health-retries=2")
    assert world.ok("wait", "--condition=unhealthy", "a") == "-1"
    assert world.ok("ps", "-q", "--filter=health=unhealthy") != ""
    found = world.inspect("a")
    assert found["State"]["Health"]["FailingStreak"] >= 2
    assert found["Config"]["Healthcheck"] == {
        "Test": ["CMD", "test", "-e", "/tmp/good"], "Interval": 10**9, "Timeout": 30 * 10**9, "Retries": 2,
    }  # fmt: skip

    def told() -> list[object]:
        return [event.get("health_status") for event in world.events("--filter=event=health_status")]

    # The event is written after what `wait` looks at.
    assert eventually(lambda: told()[:2] == ["starting", "unhealthy"])
    assert {event["Status"] for event in world.events()} & {"exec", "exec_died"} == set()
    world.ok("exec", "a", "touch", "/tmp/good")
    assert eventually(lambda: health(world, "a") == ("healthy", 0))


def test_run_by_hand(world: LiveWorld) -> None:
    options = ("--health-interval=disable", "--health-retries=2", "--health-max-log-count=2", "--health-max-log-size=3")
    world.start("a", "--health-cmd", "echo hello; exit 7", *options)
    assert clocks(world) == []
    assert health(world, "a") == ("starting", 0)
    done = world.run("healthcheck", "run", "a")
    assert (done.returncode, done.stdout, done.stderr) == (1, "unhealthy\n", "")
    assert health(world, "a") == ("starting", 1)
    assert world.run("healthcheck", "run", "--ignore-result", "a").returncode == 0
    world.run("healthcheck", "run", "a")
    found = world.inspect("a")["State"]["Health"]
    assert (found["Status"], found["FailingStreak"]) == ("unhealthy", 3)
    assert [(entry["ExitCode"], entry["Output"]) for entry in found["Log"]] == [(1, "hel")] * 2
    file = next(Path(f"{world.base}/run").glob("*-containers/*/healthcheck.log"))
    assert list(json.loads(file.read_text())) == ["Status", "FailingStreak", "Log"]
    world.ok("stop", "-t0", "a")
    stopped = world.run("healthcheck", "run", "a")
    assert (stopped.returncode, "is not running" in stopped.stderr) == (125, True)


def test_what_has_no_check_says_so(world: LiveWorld) -> None:
    world.start("a", "--no-healthcheck")
    done = world.run("healthcheck", "run", "a")
    assert (done.returncode, "has no defined healthcheck" in done.stderr) == (125, True)
    assert "Health" not in world.inspect("a")["State"]
    assert clocks(world) == []


def test_a_check_that_hangs_is_killed(world: LiveWorld) -> None:
    world.start("a", "--health-cmd", "echo begun; exec sleep 500", "--health-timeout=1s", "--health-interval=disable")
    began = time.monotonic()
    assert world.run("healthcheck", "run", "a").returncode == 1
    assert time.monotonic() - began < 8
    entry = world.inspect("a")["State"]["Health"]["Log"][-1]
    assert entry["ExitCode"] == -1
    assert entry["Output"] == "begun\nhealthcheck command exceeded timeout of 1s"
    assert eventually(lambda: "sleep 500" not in world.ok("top", "a", "args"))


def test_failures_in_the_start_period_do_not_count(world: LiveWorld) -> None:
    world.start(
        "a", "--health-cmd=false", "--health-retries=1", "--health-start-period=1h", "--health-interval=disable"
    )
    world.run("healthcheck", "run", "a")
    assert health(world, "a") == ("starting", 0)


def test_the_startup_check_comes_first(world: LiveWorld) -> None:
    world.start(
        "a", "--health-cmd=echo regular", "--health-interval=1s", "--health-startup-cmd=echo first; test -e /tmp/up",
        "--health-startup-interval=1s", "--health-startup-success=2",
    )  # fmt: skip
    assert eventually(lambda: len(world.inspect("a")["State"]["Health"]["Log"] or ()) >= 2)
    assert health(world, "a") == ("starting", 0)
    world.ok("exec", "a", "touch", "/tmp/up")
    assert world.ok("wait", "--condition=healthy", "a") == "-1"
    outputs = [entry["Output"] for entry in world.inspect("a")["State"]["Health"]["Log"]]
    assert outputs[outputs.index("regular\n") - 2 : outputs.index("regular\n")] == ["first\n"] * 2


@pytest.mark.parametrize(("action", "status"), [("kill", "exited"), ("stop", "exited"), ("restart", "running")])
def test_actions(world: LiveWorld, action: str, status: str) -> None:
    options = (f"--health-on-failure={action}", "--health-interval=1s", "--health-retries=1", "--stop-timeout=0")
    ident = world.start("a", "--health-cmd", "test ! -e /tmp/bad", *options)
    first = the_clock(world)
    pid = world.inspect("a")["State"]["Pid"]
    world.ok("exec", "a", "touch", "/tmp/bad")
    if action == "restart":
        # The root filesystem is the host's folder, so it stays bad until somebody mends it.
        assert eventually(lambda: world.inspect("a")["State"]["Pid"] not in (0, pid))
        os.unlink(f"{world.rootfs}/tmp/bad")
        assert eventually(lambda: health(world, "a")[0] == "healthy")
        assert eventually(lambda: len(clocks(world)) == 1)
        assert clocks(world) != [first]
    else:
        assert eventually(lambda: world.inspect("a")["State"]["Status"] == status)
        assert eventually(lambda: clocks(world) == [])
    wanted = {"kill": "kill", "stop": "stop", "restart": "restart"}[action]
    assert wanted in [event["Status"] for event in world.events(f"--filter=container={ident}")]


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_clock_is_small_and_never_doubled_and_survives_a_killed_check(world: LiveWorld) -> None:
    world.start("a", "--health-cmd=true", "--health-interval=1s")
    assert world.ok("wait", "--condition=healthy", "a") == "-1"
    clock = the_clock(world)
    status = Path(f"/proc/{clock}/status").read_text()
    private = sum(
        int(line.split()[1])
        for line in Path(f"/proc/{clock}/smaps_rollup").read_text().splitlines()
        if line.startswith("Private")
    )
    assert private < 8192, status  # KiB
    assert os.getsid(clock) == clock
    groups = Path(f"/proc/{clock}/cgroup").read_text()
    assert "/sonata_test/conmon" in groups
    words = next(words for pid, words in command_lines() if pid == clock)
    second = os.posix_spawn(words[0], [*words[:-1]], dict(os.environ))
    time.sleep(0.5)
    assert clocks(world).count(clock) == 1
    os.kill(clock, signal.SIGKILL)
    assert eventually(lambda: second in clocks(world))
    count = len(world.events("--filter=event=health_status"))
    assert eventually(lambda: len(world.events("--filter=event=health_status")) > count)
    os.kill(second, signal.SIGKILL)
    os.waitpid(second, 0)
    assert clocks(world) == []
    world.ok("ps")
    assert eventually(lambda: len(clocks(world)) == 1)


def test_a_check_that_writes_without_end_is_cut(world: LiveWorld) -> None:
    world.start("a", "--health-cmd=dd if=/dev/zero bs=65536 count=2000 2>/dev/null", "--health-interval=disable")
    assert world.run("healthcheck", "run", "a").returncode == 0
    assert len(world.inspect("a")["State"]["Health"]["Log"][-1]["Output"]) == 500


def test_an_images_check_is_run_unless_refused(world: LiveWorld) -> None:
    store = open_store(Path(world.base), "vfs")
    check = {"Test": ["CMD-SHELL", "echo image"], "Interval": 10**9, "Retries": 5}
    busybox = Path("/bin/busybox").read_bytes()
    root = {"bin/": b"", "bin/sh": busybox, "bin/sleep": busybox, "proc/": b"", "dev/": b"", "sys/": b""}
    put_image(store, "localhost/checked:1", [root], Healthcheck=check)
    world.who.give(f"{world.base}/graph")
    options = ("--storage-driver=vfs", "run", "-d", "--network=none", "--cgroup-parent=/sonata_test")
    world.ok(*options, "--name=a", "localhost/checked:1", "sleep", "1000")
    world.ok(*options, "--name=b", "--no-healthcheck", "localhost/checked:1", "sleep", "1000")
    world.ok(*options, "--name=c", "--health-retries=2", "localhost/checked:1", "sleep", "1000")
    assert world.ok("--storage-driver=vfs", "wait", "--condition=healthy", "a", "c").split() == ["-1", "-1"]
    found = [world.inspect(name) for name in "abc"]
    assert [one["Config"]["Healthcheck"].get("Retries") for one in found] == [5, None, 2]
    assert found[0]["State"]["Health"]["Log"][-1]["Output"] == "image\n"
    assert "Health" not in found[1]["State"]
    assert len({one["State"]["Health"]["Status"] for one in (found[0], found[2])}) == 1


def test_log_destinations(world: LiveWorld) -> None:
    folder = Path(world.base) / "logs"
    folder.mkdir()
    world.who.give(str(folder))
    options = ("--health-cmd=echo hello", "--health-interval=disable")
    ident = world.start("a", *options, f"--health-log-destination={folder}")
    world.ok("healthcheck", "run", "a")
    assert json.loads((folder / f"{ident}-healthcheck.log").read_text())["Status"] == "healthy"
    wrong = world.run("create", "--health-cmd=true", "--health-log-destination=/none", "--rootfs", world.rootfs, "true")
    assert (wrong.returncode, "destination error: stat /none: no such file" in wrong.stderr) == (125, True)
    world.start("b", *options, "--health-log-destination=events_logger")
    world.ok("healthcheck", "run", "b")
    assert world.inspect("b")["State"]["Health"]["Log"][-1]["Output"] == ""
    assert "health_log=hello" in world.ok("events", "--stream=false", "--filter=event=health_status")


@pytest.fixture
def checked(world: LiveWorld) -> str:
    """A running container that is healthy with a check every hour."""
    ident = world.start("a", "--health-cmd=echo old", "--health-interval=1h")
    assert world.ok("wait", "--condition=healthy", "a") == "-1"
    return ident


def last_output(world: LiveWorld) -> str:
    return str((world.inspect("a")["State"]["Health"]["Log"] or [{"Output": ""}])[-1]["Output"])


def test_update_changes_the_check_of_what_runs(world: LiveWorld, checked: str) -> None:
    first = the_clock(world)
    assert world.ok("update", "--health-cmd=echo new", "--health-interval=1s", "--health-timeout=5s", "a") == checked
    assert eventually(lambda: last_output(world) == "new\n")
    assert clocks(world) != [first]
    assert len(clocks(world)) == 1
    many = len(world.events("--filter=event=health_status"))
    assert eventually(lambda: len(world.events("--filter=event=health_status")) > many)  # the new interval counts
    check = world.inspect("a")["Config"]["Healthcheck"]
    assert check == {"Test": ["CMD-SHELL", "echo new"], "Interval": 10**9, "Timeout": 5 * 10**9, "Retries": 3}


def test_update_of_retries_period_and_action(world: LiveWorld, checked: str) -> None:
    world.ok("update", "--health-start-period=1h", "--health-retries=1", "a")
    world.ok("update", "--health-cmd=false", "--health-interval=disable", "a")
    assert world.run("healthcheck", "run", "a").returncode == 1
    assert health(world, "a") == ("healthy", 0)  # in the start period a failure does not count
    world.ok("update", "--health-start-period=0s", "--health-on-failure=kill", "a")
    assert world.run("healthcheck", "run", "a").returncode == 1
    assert eventually(lambda: world.inspect("a")["State"]["Status"] == "exited")


def test_update_of_the_log(world: LiveWorld, checked: str) -> None:
    folder = Path(world.base) / "logs"
    folder.mkdir()
    world.who.give(str(folder))
    world.ok("update", f"--health-log-destination={folder}", "--health-max-log-count=1", "--health-max-log-size=2", "a")
    world.ok("healthcheck", "run", "a")
    written = json.loads((folder / f"{checked}-healthcheck.log").read_text())
    assert (written["Status"], [entry["Output"] for entry in written["Log"]]) == ("healthy", ["ol"])
    refused = world.run("update", "--health-log-destination=/nonexistent", "a")
    assert (refused.returncode, "destination error: stat /nonexistent" in refused.stderr) == (125, True)


def test_update_to_no_check_and_back(world: LiveWorld, checked: str) -> None:
    refused = world.run("update", "--no-healthcheck", "--health-retries=2", "a")
    assert "cannot specify both --no-healthcheck and other HealthCheck flags" in refused.stderr
    world.ok("update", "--no-healthcheck", "a")
    assert clocks(world) == []
    assert "has no defined healthcheck" in world.run("healthcheck", "run", "a").stderr
    assert world.inspect("a")["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    world.ok("update", "--health-cmd=echo back", "a")
    assert eventually(lambda: last_output(world) == "back\n")
    world.start("b")
    assert "healthcheck command is not set" in world.run("update", "--health-interval=1s", "b").stderr


def test_update_of_the_startup_check(world: LiveWorld) -> None:
    startup = ("--health-startup-cmd=test -e /tmp/up", "--health-startup-interval=1h")
    world.start("a", "--health-cmd=echo regular", "--health-interval=1h", *startup)
    assert eventually(lambda: len(world.inspect("a")["State"]["Health"]["Log"] or ()) == 1)
    more = ("--health-startup-retries=50", "--health-startup-success=2", "--health-startup-timeout=2s")
    world.ok("update", "--health-startup-cmd=echo first", "--health-startup-interval=1s", *more, "a")
    assert world.ok("wait", "--condition=healthy", "a") == "-1"
    outputs = [entry["Output"] for entry in world.inspect("a")["State"]["Health"]["Log"]]
    assert outputs[1:4] == ["first\n", "first\n", "regular\n"]
    shown = world.inspect("a")["Config"]["StartupHealthCheck"]
    assert (shown["Retries"], shown["Successes"], shown["Timeout"]) == (50, 2, 2 * 10**9)


def test_a_startup_check_that_fails_too_often_restarts(world: LiveWorld) -> None:
    startup = ("--health-startup-cmd=false", "--health-startup-interval=1s", "--health-startup-retries=2")
    world.start("a", "--health-cmd=true", "--stop-timeout=0", *startup)
    first = world.inspect("a")["State"]["Pid"]
    assert eventually(lambda: world.inspect("a")["State"]["Pid"] not in (0, first))
    assert world.inspect("a")["RestartCount"] == 0


def test_a_startup_check_that_hangs_fails(world: LiveWorld) -> None:
    startup = ("--health-startup-cmd=exec sleep 500", "--health-startup-interval=1h", "--health-startup-timeout=1s")
    world.start("a", "--health-cmd=true", *startup)
    assert eventually(lambda: last_output(world) == "healthcheck command exceeded timeout of 1s")
    done = world.run("healthcheck", "run", "a")
    assert (done.returncode, done.stdout) == (1, "starting\n")
    assert health(world, "a") == ("starting", 0)


def test_a_restart_for_health_is_counted(world: LiveWorld) -> None:
    options = ("--health-on-failure=restart", "--health-retries=1", "--health-interval=disable", "--stop-timeout=0")
    world.start("a", "--health-cmd=false", *options)
    assert world.inspect("a")["State"]["Health"]["Status"] == "starting"
    for count in (1, 2):
        assert world.run("healthcheck", "run", "a").returncode == 1
        assert world.inspect("a")["RestartCount"] == count
    assert world.inspect("a")["State"]["Status"] == "running"
