"""Restart policies: who is started again, after which wait, how often, and what ends it."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata.engine.containers.recovery import command_lines

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from live_world import NEEDS, LiveWorld, eventually

pytestmark = NEEDS
COUNTING = ("sh", "-c", "echo x >>/tmp/runs; exit 3")


@pytest.fixture
def world(tmp_path: Path, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path), who)
    yield made
    made.end()
    assert eventually(lambda: waiting(made) == [])


def waiting(world: LiveWorld) -> list[int]:
    """Pids of the clean-up processes of this world."""
    mark = f"--root={world.base}/graph".encode()
    return [pid for pid, words in command_lines() if b"cleanup" in words and mark in words]


def runs(world: LiveWorld) -> int:
    """How often a container that counts has run."""
    file = Path(f"{world.rootfs}/tmp/runs")
    return len(file.read_text().splitlines()) if file.exists() else 0


def pending(world: LiveWorld, name: str) -> bool:
    return bool(world.inspect(name)["State"]["Restarting"])


def test_on_failure_counts_to_its_end(world: LiveWorld) -> None:
    began = time.monotonic()
    world.start("a", "--restart=on-failure:2", command=COUNTING)
    assert eventually(lambda: runs(world) == 3)
    assert time.monotonic() - began > 0.3  # a tenth of a second, then two tenths
    assert eventually(lambda: world.inspect("a")["State"]["Status"] == "exited")
    assert eventually(lambda: not waiting(world))
    found = world.inspect("a")
    assert (found["RestartCount"], found["State"]["ExitCode"], found["State"]["Restarting"]) == (2, 3, False)
    assert world.ok("ps", "-a", "--format", "{{.Restarts}}") == "2"
    told = [event["Status"] for event in world.events() if event["Status"] in ("start", "died", "restart")]
    assert told == ["start", "died", *["restart", "start", "died"] * 2]
    world.ok("start", "a")
    assert eventually(lambda: runs(world) == 6)
    assert eventually(lambda: world.inspect("a")["RestartCount"] == 2 and not waiting(world))


def test_success_is_no_failure(world: LiveWorld) -> None:
    world.start("a", "--restart=on-failure", command=("true",))
    assert eventually(lambda: world.inspect("a")["State"]["Status"] == "exited")
    time.sleep(0.3)
    assert world.inspect("a")["RestartCount"] == 0
    assert waiting(world) == []


@pytest.mark.parametrize("policy", ["always", "unless-stopped"])
def test_a_death_from_outside_is_mended_and_a_stop_is_final(world: LiveWorld, policy: str) -> None:
    world.start("a", f"--restart={policy}")
    first = world.inspect("a")["State"]["Pid"]
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: world.inspect("a")["State"]["Pid"] not in (0, first))
    assert world.inspect("a")["RestartCount"] == 1
    world.ok("stop", "-t0", "a")
    time.sleep(0.5)
    found = world.inspect("a")
    assert (found["State"]["Status"], found["RestartCount"]) == ("exited", 1)
    world.ok("start", "a")
    assert world.inspect("a")["RestartCount"] == 0
    world.ok("kill", "a")
    time.sleep(0.5)
    assert world.inspect("a")["State"]["Status"] == "exited"


@pytest.mark.parametrize("words", [("stop", "a"), ("kill", "a"), ("kill", "-s", "TERM", "a"), ("rm", "a")])
def test_the_wait_before_a_start_can_be_ended(world: LiveWorld, words: tuple[str, ...]) -> None:
    world.start("a", "--restart=always", command=COUNTING)
    assert eventually(lambda: runs(world) >= 5 and pending(world, "a"))  # the next wait is a second and a half at least
    world.ok(*words)
    done = runs(world)
    assert eventually(lambda: not waiting(world))
    time.sleep(1.2)
    assert runs(world) == done
    assert world.ok("ps", "-a", "--format={{.State}}") == ("" if words[0] == "rm" else "exited")


def test_the_wait_grows(world: LiveWorld) -> None:
    began = time.monotonic()
    world.start("a", "--restart=always", command=COUNTING)
    assert eventually(lambda: runs(world) >= 5)
    assert time.monotonic() - began > 1.5  # after 0.1, 0.3, 0.7, 1.5 seconds, and what starting takes


def test_a_start_during_the_wait_counts_anew(world: LiveWorld) -> None:
    world.start("a", "--restart=always", command=("sh", "-c", "test -e /tmp/good && exec sleep 1000; exit 1"))
    assert eventually(lambda: world.inspect("a")["RestartCount"] >= 4 and pending(world, "a"))
    Path(f"{world.rootfs}/tmp/good").touch()
    world.ok("start", "a")
    assert eventually(lambda: not waiting(world))
    found = world.inspect("a")
    assert (found["State"]["Status"], found["RestartCount"]) == ("running", 0)


def test_a_killed_waiter_is_replaced_by_the_next_ps(world: LiveWorld) -> None:
    world.start("a", "--restart=always", command=COUNTING)
    assert eventually(lambda: runs(world) >= 5 and pending(world, "a"))
    for pid in waiting(world):
        os.kill(pid, signal.SIGKILL)
    done = runs(world)
    time.sleep(6.5)
    assert runs(world) == done
    assert eventually(lambda: "a" in world.ok("ps", "-a", "--format={{.Names}}") and runs(world) > done, 30)


def test_update_to_no_policy_ends_the_restarts(world: LiveWorld) -> None:
    world.start("a", "--restart=always", command=COUNTING)
    assert eventually(lambda: runs(world) >= 2)
    world.ok("update", "--restart=no", "a")
    assert eventually(lambda: not waiting(world))
    done = runs(world)
    time.sleep(1)
    assert runs(world) == done


def test_rm_and_restart_exclude_each_other(world: LiveWorld) -> None:
    done = world.run("create", "--rm", "--restart=always", "--rootfs", world.rootfs, "true")
    assert (done.returncode, "the --rm option conflicts with --restart" in done.stderr) == (125, True)


def test_rm_goes_with_on_failure(world: LiveWorld) -> None:
    """It is tried until it succeeds, and then it goes."""
    script = ("sh", "-c", "test -e /tmp/once && exit 0; touch /tmp/once; exit 1")
    world.start("a", "--rm", "--restart=on-failure", command=script)
    assert eventually(lambda: world.ok("ps", "-aq") == "")
    told = [event["Status"] for event in world.events() if event["Status"] in ("start", "restart", "remove")]
    assert told == ["start", "restart", "start", "remove"]


@pytest.mark.parametrize("none", ["no", "never", "none"])
def test_names_of_no_policy(world: LiveWorld, none: str) -> None:
    world.ok("create", "--name=a", f"--restart={none}", "--rootfs", world.rootfs, "true")
    assert world.inspect("a")["HostConfig"]["RestartPolicy"]["Name"] == "no"


def test_what_needs_another_that_does_not_run_is_not_restarted(world: LiveWorld) -> None:
    world.start("base")
    world.start("a", "--restart=always", "--requires=base")
    world.ok("stop", "-t0", "base")
    os.kill(world.inspect("a")["State"]["Pid"], signal.SIGKILL)
    assert eventually(lambda: "some dependencies" in world.inspect("a")["State"]["Error"])
    assert world.inspect("a")["State"]["Status"] == "exited"
    assert waiting(world) == []


def boot_again(world: LiveWorld) -> None:
    """As if the machine had gone down without warning: no process is left, and the records are of an earlier boot."""
    mark = f"{world.base}/graph".encode()
    monitors = [pid for pid, words in command_lines() if mark in b" ".join(words)]
    inside = [world.inspect(name)["State"]["Pid"] for name in world.ok("ps", "-q").split()]
    for pid in [*monitors, *inside]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with sqlite3.connect(next(Path(f"{world.base}/graph").rglob("*.db"))) as database:
        for table in ("container_state", "lease", "port", "intent"):
            database.execute(f"UPDATE {table} SET boot = 'an-earlier-boot'")
        database.execute("UPDATE container_state SET state = replace(state, ?, 'an-earlier-boot')", (boot,))


def running(world: LiveWorld) -> set[str]:
    return set(world.ok("ps", "--format={{.Names}}").split())


def the_unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(Path(__file__).parents[1] / "systemd/sonata-restart.service")
    return parser


def test_the_unit_starts_after_a_boot_what_is_to_run(world: LiveWorld) -> None:
    for name, policy in (("a", "always"), ("u", "unless-stopped"), ("v", "unless-stopped"), ("n", "no")):
        world.start(name, f"--restart={policy}")
    world.start("w", "--restart=always")
    world.ok("stop", "-t0", "v", "w")
    boot_again(world)
    assert running(world) == set()
    program, *words = shlex.split(the_unit()["Service"]["ExecStart"])
    assert program == "sonata"
    world.ok(*words)
    assert running(world) == {"a", "u", "w"}
    program, *words = shlex.split(the_unit()["Service"]["ExecStop"])
    world.ok(words[0], "-t0", *words[1:])
    assert running(world) == set()
    # A shutdown is nobody's wish that a container stays stopped, and starts none either.
    assert eventually(lambda: not waiting(world))
    assert running(world) == set()
    boot_again(world)
    world.ok(*shlex.split(the_unit()["Service"]["ExecStart"])[1:])
    assert running(world) == {"a", "u", "w"}


def test_always_can_be_started_alone_after_a_boot(world: LiveWorld) -> None:
    world.start("a", "--restart=always")
    world.start("u", "--restart=unless-stopped")
    boot_again(world)
    assert world.ok("start", "--all", "--filter=restart-policy=always") != ""
    assert running(world) == {"a"}


def test_a_wait_does_not_outlive_a_boot(world: LiveWorld) -> None:
    world.start("a", "--restart=always", command=COUNTING)
    assert eventually(lambda: runs(world) >= 5 and pending(world, "a"))
    boot_again(world)
    assert not pending(world, "a")
    world.ok("ps")
    assert waiting(world) == []


@pytest.mark.parametrize("words", [("rm", "--depend", "base"), ("rm", "--all")])
def test_removal_goes_in_the_order_of_dependencies(world: LiveWorld, words: tuple[str, ...]) -> None:
    for name, needed in (("base", ()), ("mid", ("--requires=base",)), ("top", ("--requires=base,mid",))):
        world.ok("create", "--name", name, *needed, "--rootfs", world.rootfs, "true")
    refused = world.run("rm", "base")
    assert (refused.returncode, "has dependent containers" in refused.stderr) == (125, True)
    order = [world.inspect(name)["Id"] for name in ("top", "mid", "base")]
    gone = world.ok(*words).split()
    assert gone[:2] == order[:2]
    assert gone[2] in (order[2], "base")
    assert world.ok("ps", "-aq") == ""
    world.ok("create", "--name=base", "--rootfs", world.rootfs, "true")
    unknown = world.run("create", "--requires=nosuch", "--rootfs", world.rootfs, "true")
    assert '"nosuch" is not a valid container, cannot be used as a dependency' in unknown.stderr


def test_what_is_needed_starts_first(world: LiveWorld) -> None:
    world.ok("create", "--name=base", "--network=none", "--rootfs", world.rootfs, "sleep", "1000")
    world.ok("create", "--name=mid", "--network=none", "--requires=base", "--rootfs", world.rootfs, "sleep", "1000")
    world.start("top", "--requires=mid")
    assert [event["Name"] for event in world.events("--filter=event=start")] == ["base", "mid", "top"]
