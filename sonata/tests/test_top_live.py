"""`top` with options of ps(1): whose ps runs, where, and what it says."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from live_world import LiveWorld

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
    pytest.mark.skipif(not shutil.which("ps"), reason="needs ps"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path_factory.mktemp("top")), who)
    made.start("plain", command=("sh", "-c", "sleep 1001 & exec sleep 1000"))
    made.start("traced", "--cap-add=sys_ptrace")
    yield made
    made.end()


@pytest.mark.parametrize("words", [("-eo", "pid,comm,args"), ("-eo pid,comm,args",)])
def test_options_go_to_the_hosts_ps_in_the_container(world: LiveWorld, words: tuple[str, ...]) -> None:
    """The image has no ps. Only the container's processes are there, by its numbers; ps itself is left out."""
    rows = [line.split() for line in world.ok("top", "plain", *words).splitlines()]
    assert rows == [["PID", "COMMAND", "COMMAND"], ["1", "sleep", "sleep", "1000"], ["2", "sleep", "sleep", "1001"]]


def test_bsd_options_and_ids_of_a_user_namespace(world: LiveWorld) -> None:
    head, first, *_ = world.ok("top", "plain", "aux").splitlines()
    assert head.split()[:4] == ["USER", "PID", "%CPU", "%MEM"]
    assert first.split()[:2] == ["root", "1"]
    rootfs = Path(world.base, "mapped")
    shutil.copytree(world.rootfs, rootfs, symlinks=True)
    for path in (rootfs, *rootfs.rglob("*")):
        os.chown(path, world.who.owner(1000), world.who.owner(1000), follow_symlinks=False)
    words = ("--uidmap=0:1000:1000", "--gidmap=0:1000:1000", "--user=7", "--rootfs", str(rootfs))
    world.ok("run", "-d", "--name=mapped", "--network=none", *words, "sleep", "1000")
    seen = world.ok("top", "mapped", "-eo", "uid,pid,args").splitlines()[1:]
    world.ok("rm", "-f", "-t", "0", "mapped")
    assert seen == ["    7       1 sleep 1000"]


def test_what_ps_does_not_know_is_told_in_its_words(world: LiveWorld) -> None:
    done = world.run("top", "plain", "-o", "nosuch")
    assert done.returncode == 125
    assert 'Error: ps(1) failed with exit code 1: error: unknown user-defined format specifier "nosuch"' in done.stderr


def test_a_container_that_may_trace_runs_its_own_ps(world: LiveWorld) -> None:
    """It could take hold of the host's."""
    done = world.run("top", "traced", "aux")
    assert done.returncode == 125
    assert "Error: executing ps(1) in container: " in done.stderr
    path = Path(world.rootfs, "bin/ps")
    path.write_text('#!/bin/sh\necho "its own ps, $# words"\n')
    path.chmod(0o755)
    assert world.ok("top", "traced", "a", "b") == "its own ps, 2 words"
    assert "its own" not in world.ok("top", "plain", "aux")
