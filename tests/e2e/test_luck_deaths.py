"""Monitors, runtimes and containers that are killed; reboots; commands interrupted; races with an end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Ordinary
from luck_world import IMAGE, Unchanged, World, own_network, sample, settled, wait_for, world

__all__ = ["own_network", "world"]
pytestmark = pytest.mark.needs_root


def pids(world: World, name: str) -> tuple[int, int]:
    """Container's first process and its monitor."""
    first, monitor = world.ok("inspect", "--format", "{{.State.Pid}} {{.State.ConmonPid}}", name).split()
    return int(first), int(monitor)


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    "verb", sample(("ps", "inspect", "stop", "rm -f", "start", "kill", "exec", "restart", "logs"), 5)
)
def test_a_monitor_that_was_killed(world: World, verb: str) -> None:
    """The container goes on without it; every command does what it says or says why not."""
    with Unchanged(world):
        world.ok("run", "-d", "--name", "x", "-p", "18100:80", IMAGE, "sh", "-c", "echo hi; sleep 100")
        first, monitor = pids(world, "x")
        os.kill(monitor, signal.SIGKILL)
        wait_for(lambda: gone(monitor))
        if verb == "ps":
            assert world.ok("ps", "--format", "{{.Names}} {{.State}}") == "x running"
        elif verb == "inspect":
            assert world.status("x") == "running"
        elif verb == "logs":
            assert world.ok("logs", "x") == "hi"
        elif verb == "exec":
            assert world.ok("exec", "x", "echo", "still here") == "still here"
        elif verb == "start":
            world.ok("start", "x")
        else:
            world.ok(*verb.split(), *(("-t", "0") if verb in ("stop", "rm -f", "restart") else ()), "x")
        if verb in ("stop", "kill"):
            wait_for(lambda: gone(first))
            assert world.status("x") in ("exited", "stopped")
            assert world.inspect("x")["State"]["ExitCode"] != 0 or verb == "stop"
            world.ok("start", "x")
            assert world.status("x") == "running"
        world.do("rm", "-f", "-t", "0", "x")
        assert world.ok("ps", "-aq") == ""


def test_a_monitor_and_its_container_that_were_killed(world: World) -> None:
    with Unchanged(world):
        world.ok("run", "-d", "--name", "x", "-p", "18101:80", IMAGE, "sleep", "100")
        first, monitor = pids(world, "x")
        os.kill(monitor, signal.SIGKILL)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: gone(first) and gone(monitor))
        assert world.ok("ps", "-q") == ""
        assert world.status("x") in ("exited", "stopped")
        assert world.do("wait", "x").code == 0
        world.ok("start", "x")
        assert world.status("x") == "running"
        assert pids(world, "x")[0] != first
        world.ok("rm", "-f", "-t", "0", "x")


def test_a_container_that_was_killed_from_outside(world: World) -> None:
    with Unchanged(world):
        world.ok("run", "-d", "--name", "x", "-p", "18102:80", IMAGE, "sleep", "100")
        first, monitor = pids(world, "x")
        os.kill(first, signal.SIGKILL)
        assert world.ok("wait", "x") == "137"
        wait_for(lambda: gone(monitor))
        assert world.inspect("x")["State"]["ExitCode"] == 137
        assert not settled(world, {"leases": [], "ports": [], "mounts": [], "netns": []})
        world.ok("start", "x")
        world.ok("rm", "-f", "-t", "0", "x")


@pytest.mark.parametrize("words", [("rm", "-f", "-t", "0", "x"), ("start", "x")])
def test_a_runtime_killed_in_the_middle_of_create(world: World, words: tuple[str, ...]) -> None:
    place = world.base / "programs"
    place.mkdir()
    slow = place / "crun"
    real = shutil.which("crun")
    mark = world.base / "at-it"
    slow.write_text(
        f'#!/bin/sh\nfor w in "$@"; do [ "$w" = create ] && {{ echo $$ >{mark}; exec sleep 30; }}; done\n'
        f'exec {real} "$@"\n'
    )
    slow.chmod(0o755)
    conf = world.base / "containers.conf"
    good = conf.read_text()
    with Unchanged(world):
        world.ok("create", "--name", "x", "-p", "18103:80", IMAGE, "sleep", "100")
        conf.write_text(f'{good}runtime = "crun"\n[engine.runtimes]\ncrun = ["{slow}"]\n')
        start = world.background("start", "x")
        wait_for(lambda: mark.exists() and mark.read_text().endswith("\n"))
        os.kill(int(mark.read_text()), signal.SIGKILL)
        _, err = start.communicate(timeout=20)
        assert start.returncode != 0
        assert err.startswith("Error: "), err
        conf.write_text(good)
        world.ok(*words)
        if words[0] == "start":
            assert world.status("x") == "running"
        world.do("rm", "-f", "-t", "0", "x")


def reboot(world: World, *, run_wiped: bool) -> None:
    """As if the machine had gone down without warning: processes, mounts, links and rules are gone, files stay.

    The boot id in the records becomes another one; where /run is no tmpfs, its files outlive the reboot.
    """
    if isinstance(world.who, Ordinary):
        world.who.host.end_all()
        if run_wiped:
            for path in world.who.host.runtime().iterdir():
                shutil.rmtree(path)
    else:
        pull_the_plug(world, run_wiped=run_wiped)
    if run_wiped:
        shutil.rmtree(world.runroot)
        shutil.rmtree(world.tmpdir)
    database = world.database()
    for table in ("container_state", "lease", "port", "intent"):
        database.execute(f"UPDATE {table} SET boot = 'an-earlier-boot'")
    database.execute("UPDATE container_state SET state = replace(state, ?, 'an-earlier-boot')", (_boot_id(),))
    database.close()


def pull_the_plug(world: World, *, run_wiped: bool) -> None:
    """End processes, mounts, namespaces, links and rules of root's world."""
    for _ in range(3):
        for pid in [*world.processes(), *_cgroup_pids(world)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
    wait_for(lambda: not world.processes())
    for place in sorted(world.mounts(), reverse=True):
        subprocess.run(["umount", "-l", place], check=False)
    for name in world.footprint()["netns"]:
        subprocess.run(["umount", "-l", f"/run/netns/{name}"], check=False)
        if run_wiped:
            os.unlink(f"/run/netns/{name}")
    for link in world.footprint()["links"]:
        if link not in ("lo", "uplink"):
            subprocess.run(["ip", "link", "del", link.split("@")[0]], check=False)
    for table in ("nat", "filter"):
        subprocess.run(["iptables", "-t", table, "-F"], check=False)
        subprocess.run(["iptables", "-t", table, "-X"], check=False)


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _cgroup_pids(world: World) -> list[int]:
    found: list[int] = []
    for ident in [row[0] for row in world.rows("container")]:
        path = f"/sys/fs/cgroup/pids/libpod_parent/libpod-{ident}/cgroup.procs"
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                found += [int(line) for line in file]
    return found


@pytest.mark.parametrize("run_wiped", [True, False], ids=["run-is-tmpfs", "run-is-disk"])
def test_a_reboot(world: World, run_wiped: bool) -> None:
    with Unchanged(world):
        world.ok("run", "-d", "--name", "a", "-p", "18104:80", IMAGE, "sleep", "100")
        world.ok("run", "-d", "--name", "b", "--rm", IMAGE, "sleep", "100")
        world.ok("run", "--name", "c", "--network=none", IMAGE, "true")
        world.ok("create", "--name", "d", IMAGE, "sleep", "100")
        reboot(world, run_wiped=run_wiped)
        assert world.ok("ps", "-q") == ""
        listed = world.ok("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines()
        assert "a exited" in listed
        assert "c exited" in listed
        assert "d created" in listed
        world.ok("run", "--rm", "-p", "18104:80", IMAGE, "true")
        world.ok("start", "a", "d")
        assert world.status("a") == "running"
        assert world.ok("exec", "a", "echo", "again") == "again"
        held = [row for row in world.rows("lease") if row[3] == _boot_id()]
        bridged = 0 if world.who.ordinary else 2  # an ordinary user's are on pasta
        assert len({row[1] for row in held}) == len(held) == bridged
        world.do("rm", "-f", "-t", "0", "b")
        world.ok("rm", "-f", "-t", "0", "a", "c", "d")
        assert world.ok("ps", "-aq") == ""


@pytest.mark.parametrize("words", [("rm", "a"), ("rm", "-f", "a"), ("inspect", "a"), ("logs", "a"), ("wait", "a"),
                                   ("restart", "a"), ("stop", "a")])  # fmt: skip
def test_the_first_command_after_a_reboot(world: World, words: tuple[str, ...]) -> None:
    with Unchanged(world):
        world.ok("run", "-d", "--name", "a", "-p", "18105:80", IMAGE, "sleep", "100")
        reboot(world, run_wiped=words[0] in ("rm", "inspect", "restart"))
        world.ok(*words, timeout=20)
        world.do("rm", "-f", "-t", "0", "a")


def interrupted(world: World, *words: str, after: float = 0.6, number: int = signal.SIGINT) -> tuple[int, str, str]:
    running = world.background(*words)
    time.sleep(after)
    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    # Before the first line of ours Python says it its own way.
    assert "Traceback" not in err or re.search(r'launch\.py", line \d+, in <module>\n +import ', err), err
    return running.returncode, out, err


def test_ctrl_c_in_wait_and_logs(world: World) -> None:
    world.ok("run", "-d", "--name", "x", "--network=none", IMAGE, "sh", "-c", "echo one; sleep 100")
    with Unchanged(world):
        assert interrupted(world, "wait", "x")[0] == 130
        code, out, _ = interrupted(world, "logs", "-f", "x")
        assert (code, out) in ((130, "one\n"), (0, "one\n"))
        assert interrupted(world, "stop", "-t", "60", "x")[0] == 130
    world.ok("rm", "-f", "-t", "0", "x")


def test_ctrl_c_in_run(world: World) -> None:
    """The signal is the container's. Before there is one, the command ends and leaves nothing."""
    with Unchanged(world):
        script = "trap 'exit 7' INT; echo on; while :; do sleep 0.1; done"
        running = world.background("run", "--rm", "--network=none", IMAGE, "sh", "-c", script)
        assert running.stdout is not None
        assert running.stdout.readline() == "on\n"
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)
        assert running.returncode == 7


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["run", "create"])
def test_ctrl_c_anywhere(world: World, verb: str, number: signal.Signals) -> None:
    """At several moments of a start. What was interrupted takes itself back: no later command has to."""
    world.ok("run", "--rm", IMAGE, "true")
    wait_for(lambda: not world.processes())  # its monitor may still be ending
    with Unchanged(world):
        for at in range(8):
            words = ("run", "--rm", IMAGE, "sh", "-c", "trap 'exit 130' INT TERM; sleep 0.3") if verb == "run" else (
                "create", "--name", f"c{at}", IMAGE)  # fmt: skip
            code, _, err = interrupted(world, *words, after=0.04 + at * 0.04, number=number)
            assert code in (0, 130, 143, -number), err
        for name in world.ok("ps", "-a", "--format", "{{.Names}}").split():
            world.ok("rm", "-f", "-t", "0", name)


def test_looking_at_a_container_that_is_just_going_away(world: World) -> None:
    looks = [("inspect", "x"), ("logs", "x"), ("wait", "x"), ("ps", "-a"), ("logs", "-f", "x"), ("top", "x")]
    looks += [("exec", "x", "true"), ("stop", "x"), ("kill", "x"), ("rm", "x"), ("attach", "x"), ("port", "x")]
    with Unchanged(world):
        for round_number in range(3):
            world.ok("run", "-d", "--rm", "--name", "x", "--network=none", IMAGE, "sleep", f"0.{4 + round_number}")
            running = [world.background(*look) for look in looks]
            for look, one in zip(looks, running, strict=True):
                out, err = one.communicate(timeout=30)
                assert "Traceback" not in err, (look, err)
                assert one.returncode in (0, 137) or err.startswith("Error: "), (look, one.returncode, out, err)
            wait_for(lambda: world.ok("ps", "-aq") == "")


def test_removing_one_container_many_times_at_once(world: World) -> None:
    with Unchanged(world):
        world.ok("run", "-d", "--name", "x", IMAGE, "sleep", "100")
        running = [world.background("rm", "-f", "-t", "0", "x") for _ in range(5)]
        for one in running:
            _, err = one.communicate(timeout=30)
            assert one.returncode in (0, 1), err
            assert "Traceback" not in err
        assert world.ok("ps", "-aq") == ""


def test_what_a_killed_run_did_not_come_to_remove_goes(world: World) -> None:
    """As if `run --rm` and the monitor's exit command had been killed between the end and the removal."""
    world.ok("run", "--network=none", "--name", "x", IMAGE, "true")
    with world.database() as database:
        (text,) = database.execute("SELECT config FROM container").fetchone()
        config = json.loads(text)
        config["auto_remove"] = True
        database.execute("UPDATE container SET config = ?", (json.dumps(config),))
    database.close()
    world.ok("run", "--network=none", "--name", "y", IMAGE, "true")
    assert world.ok("ps", "-a", "--format={{.Names}}") == "y"
    world.ok("run", "--network=none", "--name", "x", IMAGE, "true")
