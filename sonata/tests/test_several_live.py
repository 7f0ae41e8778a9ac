"""Several containers at once: waiting for the first of them, and their logs side by side."""

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


def test_the_first_that_ends_is_waited_for(world: LiveWorld) -> None:
    world.start("long")
    world.start("short", command=("sh", "-c", "sleep 1; exit 3"))
    began = time.monotonic()
    assert world.ok("wait", "--exit-first-match", "long", "short") == "3"
    assert time.monotonic() - began < 15
    assert world.ok("wait", "--exit-first-match", "--condition=running", "short", "long") == "-1"
    assert world.run("wait", "--exit-first-match", "long", "nope").returncode == 125


def test_lines_say_whose_they_are(world: LiveWorld) -> None:
    one = world.start("w1", command=("sh", "-c", "echo one; echo bad >&2; sleep 100"))[:12]
    two = world.start("w2", command=("sh", "-c", "echo two; sleep 100"))[:12]
    assert eventually(lambda: world.run("logs", "w1", "w2").stdout.count("\n") == 2)
    assert sorted(world.ok("logs", "w1", "w2").splitlines()) == sorted([f"{one} one", f"{two} two"])
    assert sorted(world.ok("logs", "--names", "w1", "w2").splitlines()) == ["w1 one", "w2 two"]
    coloured = world.run("logs", "--color", "--names", "w1", "w2")
    assert sorted(coloured.stdout.splitlines()) == ["\x1b[31mw2 two\x1b[0m", "\x1b[37mw1 one\x1b[0m"]
    assert coloured.stderr == "\x1b[37mw1 bad\x1b[0m\n"
    # Of one container, as podman 5.8.6 has it: nothing is added.
    assert world.run("logs", "--names", "--color", "w1").stdout == "one\n"


OVERTAKEN = """
import subprocess, sys
from sonata.__main__ import main
from sonata.engine.containers import starting
needed = starting.start_needed
def overtaken(engine, row):
    needed(engine, row)
    subprocess.run([sys.executable, "-m", "sonata", *sys.argv[1:4], "start", row.config.id], check=True, stdout=2)
starting.start_needed = overtaken
sys.exit(main())
"""
"""The program, which another command overtakes between the making of a container and its start, as `pod start` may."""


@pytest.mark.parametrize(
    "words", [["-d"], [], ["--log-driver=passthrough"]], ids=["detached", "attached", "passthrough"]
)
def test_run_finds_that_another_command_started_its_container(tmp_path: Path, words: list[str]) -> None:
    world = LiveWorld(str(tmp_path))
    run = ["run", *words, "--name=one", "--network=none", "--cgroup-parent=/sonata_test", "--rootfs", world.rootfs]
    # Until somebody is heard: whoever only follows must not come too late for it.
    command = ["sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 3"]
    argv = [sys.executable, "-c", OVERTAKEN, *world.options, *run, *command]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert eventually(lambda: world.run("ps", "-q").stdout), running
            if words == ["-d"]:
                assert running.wait(30) == 0
            Path(world.rootfs, "tmp/go").touch()
            code = running.wait(30)
            assert code == (0 if words == ["-d"] else 3), running.communicate()
            assert world.ok("wait", "one") == "3"
        finally:
            running.kill()
            world.end()
