"""The short verbs and their ways of choosing: which containers they reach, what they print, what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from live_world import NEEDS, LiveWorld, eventually

pytestmark = NEEDS
TRAP = (
    "sh",
    "-c",
    "trap 'echo usr1 >>/tmp/told' USR1; trap 'exit 7' TERM; touch /tmp/ready; while :; do sleep 0.05; done",
)


@pytest.fixture
def three(world: LiveWorld) -> LiveWorld:
    """Two that run and one that was never started; the latest one runs."""
    world.start("a", "-l", "of=a", "--cidfile", f"{world.base}/cid", "--stop-timeout=0")
    world.ok("create", "--name=b", "--network=none", "--stop-timeout=0", "--rootfs", world.rootfs, "sleep", "1000")
    world.start("c", "--stop-timeout=0")
    return world


def states(world: LiveWorld) -> str:
    """`a running, b created`."""
    lines = world.ok("ps", "-a", "--format={{.Names}} {{.State}}").splitlines()
    return ", ".join(line.replace("stopped", "exited") for line in lines)


CHOICES = {
    "names": (("a",), "a exited, b created, c running"),
    "several": (("a", "c"), "a exited, b created, c exited"),
    "latest": (("--latest",), "a running, b created, c exited"),
    "all": (("--all",), "a exited, b created, c exited"),
    "cidfile": (("--cidfile", "CID"), "a exited, b created, c running"),
    "filter": (("--filter", "label=of=a"), "a exited, b created, c running"),
}


def chosen(world: LiveWorld, choice: str) -> tuple[str, ...]:
    return tuple(word.replace("CID", f"{world.base}/cid") for word in CHOICES[choice][0])


@pytest.mark.parametrize("choice", CHOICES)
def test_stop_reaches_those_that_are_meant(three: LiveWorld, choice: str) -> None:
    three.ok("stop", *chosen(three, choice))
    assert states(three) == CHOICES[choice][1]


@pytest.mark.parametrize("choice", ["names", "several", "latest", "all", "cidfile"])
def test_kill_reaches_those_that_are_meant(three: LiveWorld, choice: str) -> None:
    done = three.run("kill", *chosen(three, choice))
    assert done.returncode == (125 if choice == "all" and done.stderr else 0)
    assert states(three) == CHOICES[choice][1]


def test_kill_sends_the_signal_that_is_named(world: LiveWorld) -> None:
    world.start("a", command=TRAP)
    assert eventually(lambda: Path(f"{world.rootfs}/tmp/ready").exists())
    for name in ("USR1", "sigusr1", "10"):
        world.ok("kill", "--signal", name, "a")
    assert eventually(lambda: len(Path(f"{world.rootfs}/tmp/told").read_text().split()) >= 1)
    assert states(world) == "a running"
    world.ok("kill", "-s", "TERM", "a")
    assert world.ok("wait", "a") == "7"
    assert "invalid signal: BOGUS" in world.run("kill", "-s", "BOGUS", "a").stderr


def test_stop_takes_its_time_or_none(world: LiveWorld) -> None:
    world.start("a", command=("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
    began = time.monotonic()
    world.ok("stop", "--time", "1", "a")
    assert 1 <= time.monotonic() - began < 6
    assert world.inspect("a")["State"]["ExitCode"] == 137
    world.ok("start", "a")
    began = time.monotonic()
    world.ok("stop", "-t", "0", "a")
    assert time.monotonic() - began < 3
    ignored = world.run("stop", "--ignore", "nosuch", "a")
    assert (ignored.returncode, ignored.stdout) == (0, "a\n")
    assert "no such container" in world.run("stop", "nosuch").stderr
    refused = world.run("stop", "--service", "a")
    assert (refused.returncode, "kube play" in refused.stderr) == (125, True)


def test_stop_signal_and_stop_timeout_are_the_containers_own(world: LiveWorld) -> None:
    script = "trap 'exit 5' USR2; trap '' TERM; touch /tmp/ready; while :; do sleep 0.05; done"
    world.start("a", "--stop-signal=USR2", command=("sh", "-c", script))
    assert eventually(lambda: Path(f"{world.rootfs}/tmp/ready").exists())
    world.ok("stop", "a")
    assert world.inspect("a")["State"]["ExitCode"] == 5
    world.start("b", "--stop-timeout=1", command=("sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
    began = time.monotonic()
    world.ok("stop", "b")
    assert 1 <= time.monotonic() - began < 6


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_paused_container_is_not_stopped(three: LiveWorld) -> None:
    three.ok("pause", "a")
    done = three.run("stop", "a")
    assert (done.returncode, "is running or paused, refusing to clean up" in done.stderr) == (125, True)


@pytest.mark.rootful("control groups of version 1 are root's alone")
@pytest.mark.parametrize(
    ("words", "after"),
    [
        (("a",), "a paused, b created, c running"),
        (("--latest",), "a running, b created, c paused"),
        (("--all",), "a paused, b created, c paused"),
        (("--cidfile", "CID"), "a paused, b created, c running"),
        (("--filter", "label=of=a"), "a paused, b created, c running"),
    ],
)
def test_pause_and_unpause_reach_those_that_are_meant(three: LiveWorld, words: tuple[str, ...], after: str) -> None:
    meant = tuple(word.replace("CID", f"{three.base}/cid") for word in words)
    three.run("pause", *meant)
    assert states(three) == after
    three.run("unpause", *meant)
    assert states(three) == "a running, b created, c running"


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_what_a_killed_command_left_frozen_or_not(three: LiveWorld) -> None:
    """A `pause` that was killed: its runtime has frozen the container unseen, or did not come to it."""
    ids = {name: three.inspect(name)["Id"] for name in "ac"}
    three.ok("pause", "c")
    crun("resume", ids["c"])
    assert states(three) == "a running, b created, c running"
    three.ok("pause", "c")
    three.ok("unpause", "c")
    for name in "ac":
        crun("pause", ids[name])
    three.ok("stop", "-t0", "a")
    three.ok("rm", "-f", "-t0", "c")
    assert states(three) == "a exited, b created"


def crun(*words: str) -> None:
    subprocess.run(["crun", *words], check=True, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (("a",), "a"), (("--latest",), "c"), (("--all",), "abc"), (("--all", "--running"), "ac"),
        (("--cidfile", "CID"), "a"), (("--filter", "label=of=a"), "a"), (("--time=0", "b"), "b"),
    ],
)  # fmt: skip
def test_restart_reaches_those_that_are_meant(three: LiveWorld, words: tuple[str, ...], again: str) -> None:
    before = {name: three.inspect(name)["State"]["Pid"] for name in "abc"}
    three.ok("restart", *(word.replace("CID", f"{three.base}/cid") for word in words))
    after = {name: three.inspect(name)["State"]["Pid"] for name in "abc"}
    assert "".join(name for name in "abc" if after[name] != before[name]) == again
    assert all(after[name] for name in again)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("-f", "a"), "bc"), (("--latest", "--force"), "ab"), (("--all", "-f"), ""), (("b",), "ac"),
        (("-f", "--cidfile", "CID"), "bc"), (("-f", "--filter", "label=of=a"), "bc"),
        (("-f", "-t", "0", "a", "c"), "b"),
    ],
)  # fmt: skip
def test_rm_reaches_those_that_are_meant(three: LiveWorld, words: tuple[str, ...], left: str) -> None:
    three.ok("rm", *(word.replace("CID", f"{three.base}/cid") for word in words))
    assert "".join(three.ok("ps", "-a", "--format={{.Names}}").split()) == left


def test_what_rm_refuses(three: LiveWorld) -> None:
    refused = three.run("rm", "a")
    assert (refused.returncode, "cannot be removed without force" in refused.stderr) == (2, True)
    unknown = three.run("rm", "nosuch")
    assert (unknown.returncode, 'no container with ID or name "nosuch" found' in unknown.stderr) == (1, True)
    assert three.run("rm", "--ignore", "nosuch", "b").returncode == 0
    assert "--force option must be specified" in three.run("rm", "-t", "3", "a").stderr
    assert three.ok("ps", "-a", "--format={{.Names}}").split() == ["a", "c"]


def test_anonymous_volumes_go_with_rm_volumes_only(world: LiveWorld) -> None:
    for name, words in (("a", ()), ("b", ("--volumes",))):
        world.ok("create", "--name", name, "-v", f"/{name}", "--rootfs", world.rootfs, "true")
        (mount,) = world.inspect(name)["Mounts"]
        world.ok("rm", *words, name)
        assert (mount["Name"] in world.ok("volume", "ls", "-q")) is (not words)


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_wait_for_conditions(three: LiveWorld) -> None:
    assert three.ok("wait", "--condition=running", "a", "c").split() == ["-1", "-1"]
    assert three.ok("wait", "--condition=created", "b") == "-1"
    assert three.ok("wait", "--condition=configured", "b") == "-1"
    assert three.ok("wait", "--condition=paused", "--condition=running", "a") == "-1"
    assert three.ok("wait", "b") == "0"
    three.ok("pause", "c")
    assert three.ok("wait", "--condition=paused", "--latest") == "-1"
    three.ok("unpause", "c")
    assert three.ok("wait", "--condition=running", "--exit-first-match", "b", "c") == "-1"
    assert three.ok("wait", "--ignore", "nosuch") == "-1"
    assert "no such container" in three.run("wait", "nosuch").stderr
    assert "unknown container state: bogus" in three.run("wait", "--condition=bogus", "a").stderr


def test_wait_looks_at_its_interval(world: LiveWorld) -> None:
    world.start("a", command=("sh", "-c", "sleep 0.5; exit 4"))
    assert world.ok("wait", "--interval=50ms", "a") == "4"
    world.start("b", command=("sleep", "1000"))
    began = time.monotonic()
    done = world.run("wait", "--interval=2s", "--condition=exited,running", "b")
    assert (done.stdout, time.monotonic() - began < 2) == ("-1\n", True)
    assert "invalid duration" in world.run("wait", "-i", "bogus", "b").stderr
    world.ok("rm", "-f", "-t0", "b")
    assert world.ok("wait", "-i", "100", "a") == "4"


def test_start_reaches_those_that_are_meant(three: LiveWorld) -> None:
    three.ok("stop", "-a")
    assert three.ok("start", "a", "b").split() == ["a", "b"]
    assert states(three) == "a running, b running, c exited"
    three.ok("start", "--latest")
    assert states(three) == "a running, b running, c running"
    assert three.ok("start", "a") == "a"
    partly = three.run("start", "nosuch")
    assert (partly.returncode, "no such container" in partly.stderr) == (125, True)


def test_what_cannot_be_made_or_started_is_told_in_podmans_words(world: LiveWorld) -> None:
    def refused(*words: str) -> str:
        done = world.run(*words)
        assert done.returncode == 125, (words, done)
        return done.stderr

    ident = world.ok("create", "--name=a", "--network=none", "--ipc=private", "--rootfs", world.rootfs, "nosuch")
    assert refused("start", "a").startswith(f'Error: unable to start container "{ident}": ')
    assert refused("start", "-a", "a").startswith(f"Error: unable to start container {ident}: ")
    assert refused("top", "a").splitlines()[0] == "Error: top can only be used on running containers"
    assert (world.ok("diff", "a"), world.ok("diff", "--format=json", "a")) == ("", "{}")  # no layer of its own
    wrong = refused("create", "--ipc=container:a", "--rootfs", world.rootfs, "true")
    assert wrong.startswith(
        f"Error: joining IPC of container {ident} is not allowed: non-shareable IPC "
        "(hint: use IpcMode:shareable for the donor container)"
    )
    wrong = refused("create", "--rootfs", "", "true")
    assert wrong.startswith("Error: must set root filesystem source to either image or rootfs: invalid argument")
    assert "not a directory" in refused("create", "--rootfs", f"{world.rootfs}/bin/busybox", "true")
    wrong = refused("--cgroup-manager=foo", "ps")
    assert wrong.startswith("Error: configuring runtime: cgroup manager must be one of cgroupfs and systemd: invalid")
    world.start("none", "--ipc=none")
    world.ok("run", "--rm", "--network=none", "--ipc=container:none", "--rootfs", world.rootfs, "true")


def test_init_makes_ready_and_no_more(three: LiveWorld) -> None:
    three.ok("stop", "a", "c")
    assert three.ok("init", "a") == "a"
    three.ok("init", "--latest")
    assert states(three) == "a initialized, b created, c initialized"
    three.ok("rm", "-f", "a", "c")
    three.ok("init", "--all")
    assert states(three) == "b initialized"
    assert three.ok("start", "b") == "b"
    assert "has already been created in runtime" in three.run("init", "b").stderr


def test_rename_exists_and_replace(three: LiveWorld) -> None:
    ident = three.inspect("b")["Id"]
    three.ok("rename", "b", "zoo")  # a name that no id begins with
    assert three.run("container", "exists", "zoo").returncode == 0
    three.ok("rename", "zoo", "d")
    assert three.inspect("d")["Id"] == ident
    assert three.run("container", "exists", "d").returncode == 0
    assert three.run("container", "exists", "zoo").returncode == 1
    assert three.run("container", "exists", "--external", "zoo").returncode == 1
    assert "is already in use" in three.run("rename", "d", "a").stderr
    assert "names must match" in three.run("rename", "d", "bad name").stderr
    second = three.ok("create", "--replace", "--name=a", "--rootfs", three.rootfs, "true")
    assert three.inspect("a")["Id"] == second
    assert states(three) == "d created, c running, a created"


def test_cleanup_by_hand(three: LiveWorld) -> None:
    three.ok("stop", "a", "c")
    assert three.ok("container", "cleanup", "a") == "a"
    assert three.ok("container", "cleanup", "--latest") == three.inspect("c")["Id"]
    assert len(three.ok("container", "cleanup", "--all").split()) == 3
    assert three.ok("container", "cleanup", "--rm", "a") == "a"
    assert states(three) == "b created, c exited"
    three.ok("start", "c")
    three.ok("container", "cleanup", "--stopped-only", "c")
    assert states(three) == "b created, c running"


def test_inspect_of_all_kinds(three: LiveWorld) -> None:
    three.ok("volume", "create", "v")
    for kind, name, form, value in (
        ("container", "a", "{{.Name}} {{.State.Status}}", "a running"),
        ("all", "a", "{{.Name}}", "a"),
        ("volume", "v", "{{.Name}} {{.Driver}}", "v local"),
        ("all", "v", "{{.Name}}", "v"),
        ("network", "podman", "{{.Name}} {{.Driver}}", "podman bridge"),
        ("all", "podman", "{{.Name}}", "podman"),
    ):
        assert three.ok("inspect", "--type", kind, "--format", form, name) == value
    assert three.ok("inspect", "--latest", "-f", "{{.Name}}") == "c"
    assert three.ok("container", "inspect", "--latest", "-f", "{{.Name}}") == "c"
    assert three.ok("inspect", "--size", "-f", "{{.SizeRootFs}}", "a").isdigit()
    assert "SizeRw" in three.ok("container", "inspect", "--size", "a")
    assert "SizeRw" not in three.ok("container", "inspect", "a")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nosuch",), 'no such object: "nosuch"'),
        (("--type=container", "nosuch"), 'no such container "nosuch"'),
        (("--type=volume", "nosuch"), "no such volume nosuch"),
        (("--type=pod", "nosuch"), "no such pod nosuch"),
        (("--type=artifact", "nosuch"), "nosuch: artifact does not exist"),
        (("--type=secret", "nosuch"), 'invalid type "secret": must be "image", "container", "pod"'),
        (("--type=image", "--latest"), 'latest is not supported for type "image"'),
        (("--type=image", "--size", "x"), 'size is not supported for type "image"'),
    ],
)
def test_what_inspect_does_not_find(world: LiveWorld, words: tuple[str, ...], told: str) -> None:
    done = world.run("inspect", *words)
    assert (done.returncode, told in done.stderr) == (125, True), done.stderr


PODMANS = (
    "args capamb capbnd capeff capinh capprm comm etime group groups hgroup hgroups hpid huid huser label nice pcpu "
    "pgid pid ppid rgroup rss ruser seccomp state stime time tty uid user vsz"
)


def test_every_descriptor_of_top(world: LiveWorld) -> None:
    world.start("a")
    known = world.ok("top", "--list-descriptors").split()
    assert known == PODMANS.split()
    for name in known:
        head, *values = world.ok("top", "a", name).splitlines()
        assert head == head.upper()
        assert values or name in ("groups", "hgroups")  # a process of root need not be in any
    pid = world.inspect("a")["State"]["Pid"]
    row = world.ok("top", "--latest", "hpid", "pid", "uid", "huid", "huser", "comm", "args").splitlines()[1].split()
    name = "root" if not world.who.ordinary else row[4]  # his name may be one that this machine does not know
    assert row == [str(pid), "1", "0", str(world.who.uid), name, "sleep", "sleep", "1000"]
    assert world.ok("top", "a", "hpid,pid").splitlines()[1].split() == [str(pid), "1"]
    bounding = world.ok("top", "a", "capbnd").splitlines()[1].split(",")
    assert bounding == sorted(bounding)


def test_port_of_one_of_the_latest_and_of_all(world: LiveWorld) -> None:
    for name, port in (("a", "18091"), ("b", "18092")):
        world.ok("create", "--name", name, "-p", f"{port}:80", "--rootfs", world.rootfs, "sleep", "1000")
    world.ok("start", "a", "b")
    assert world.ok("port", "a") == "80/tcp -> 0.0.0.0:18091"
    assert world.ok("port", "a", "80") == "0.0.0.0:18091"
    assert 'failed to find published port "81"' in world.run("port", "a", "81").stderr
    world.start("none")
    assert world.ok("port", "none", "80") == ""  # one that publishes nothing is not asked for more
    world.ok("rm", "-f", "-t0", "none")
    assert world.ok("port", "--latest") == "80/tcp -> 0.0.0.0:18092"
    assert sorted(line.rpartition(":")[2] for line in world.ok("port", "--all").splitlines()) == ["18091", "18092"]
