"""Pods whose commands are killed, that many commands want at once, and what their lives leave on the host: nothing."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator

import pytest
from ordinary import OrdinaryHost
from private_host import LONG, Ended, PrivateHost, difference, host_needs

pytestmark = [*host_needs(), pytest.mark.skipif(not shutil.which("catatonit"), reason="needs catatonit")]
MOMENTS = 40
SAMPLE = 1
SEED = int(os.environ.get("SONATA_SEED", "2"))

POD = ["pod", "create", "--name", "pod", "-p", "18080:80", "--memory=100m", "--cgroup-parent", "GROUP"]
MEMBER = [
    "run",
    "-d",
    "--pod",
    "pod",
    "--name",
    "member",
    *["-v", "/data", "--stop-signal=KILL", "IMAGE", "sleep", "1000"],
]
START = ["pod", "start", "pod"]
COMMANDS: dict[str, tuple[list[list[str]], list[str]]] = {
    "create": ([], POD),
    "run in a new one": ([], ["run", "-d", "--pod=new:pod", *MEMBER[4:]]),
    "start": ([POD, ["create", "--pod", "pod", *MEMBER[4:]]], START),
    "stop": ([POD, MEMBER], ["pod", "stop", "-t0", "pod"]),
    "rm": ([POD, MEMBER], ["pod", "rm", "-f", "-t0", "pod"]),
}
"""What comes before, and the command that is killed."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, host_kind: type[PrivateHost]) -> Iterator[PrivateHost]:
    with host_kind(str(tmp_path_factory.mktemp("pods"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("run", "--rm", made.image, "true")  # what a first run on a network sets up for good
        clear(made)
        yield made


def clear(host: PrivateHost) -> None:
    host("pod", "rm", "-f", "-a", "-t", "0")
    host("rm", "-f", "-a", "-v", "-t", "0")


def words_of(host: PrivateHost, line: list[str]) -> list[str]:
    known = {"IMAGE": host.image, "GROUP": host.group}
    return [known.get(word, word) for word in line]


def moments() -> list[int]:
    """All in the long check; otherwise one from each part of the command, chosen by a seed."""
    if LONG:
        return list(range(1, MOMENTS + 1))
    dice = random.Random(SEED)
    step = MOMENTS / SAMPLE
    return [1 + int(part * step + dice.random() * (step - 1)) for part in range(SAMPLE)]


_SLOW = ("create", "stop")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.slow) if one in _SLOW else one for one in COMMANDS]
)
def test_a_killed_command_is_dealt_with_by_the_next(host: PrivateHost, name: str) -> None:
    prepare, line = COMMANDS[name]

    def ready() -> None:
        for words in prepare:
            host.ok(*words_of(host, words))

    words = words_of(host, line)
    taken = []
    for _ in range(2):
        ready()
        began = time.monotonic()
        host.ok(*words)
        taken.append(time.monotonic() - began)
        clear(host)
    whole = statistics.median(taken)
    before = host.world()
    for moment in moments():
        ready()
        killed = host.killed_after(whole * moment / MOMENTS, *words)
        host.ok("pod", "ps")
        if name == "create" and len(killed.out) == 64:
            assert host.ok("pod", "inspect", "--format", "{{.ID}}", "pod") == killed.out, moment
        clear(host)
        # Name, address, port and group are free again.
        host.ok(*words_of(host, POD))
        host.ok(*words_of(host, MEMBER))
        clear(host)
        host("system", "check", "--repair")
        assert host("system", "check").code == 0, moment
        assert difference(before, host.world()) == {}, moment


def all_of(host: PrivateHost, lines: list[list[str]]) -> list[Ended]:
    """Begin all of these commands, then wait for all of them."""
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(host.argv(*words_of(host, line)), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        for line in lines
    ]
    return [Ended(one.returncode, *said) for one in started for said in (one.communicate(timeout=300),)]


def test_many_commands_want_one_pod(host: PrivateHost) -> None:
    before = host.world()
    host.ok(*words_of(host, POD))
    runs = [["run", "-d", "--pod", "pod", "--name", f"m{number}", *MEMBER[8:]] for number in range(8)]
    ended = all_of(host, [*runs, START, START, ["pod", "ps"], ["pod", "inspect", "pod"]])
    assert [one.code for one in ended] == [0] * len(ended), ended
    shown = host.ok("pod", "ps", "--format", "{{.Name}} {{.Status}} {{.NumberOfContainers}}")
    assert shown == "pod Running 9"
    # Whoever joins while it is removed is removed with it, or comes too late.
    late = [["create", "--pod", "pod", "--name", f"n{number}", *MEMBER[8:]] for number in range(4)]
    ended = all_of(host, [*late, ["pod", "rm", "-f", "-t0", "pod"], ["pod", "rm", "-f", "-t0", "pod"]])
    assert all(one.code in (0, 125) for one in ended), ended
    assert host.ok("ps", "-aq") == host.ok("pod", "ps", "-q") == ""
    assert difference(before, host.world()) == {}


def test_lives_of_pods_leave_nothing(host: PrivateHost) -> None:
    def life(number: int) -> None:
        host.ok(*words_of(host, POD), *([], ["--share=+pid"], ["--exit-policy=stop"])[number % 3])
        host.ok("create", "--pod=pod", "--init-ctr=once", host.image, "true")
        host.ok(*words_of(host, ["create", "--pod", "pod", *MEMBER[4:]]))
        host.ok("pod", "start", "pod")
        host.ok("run", "--rm", "--pod=pod", host.image, "true")
        if not isinstance(host, OrdinaryHost):  # who has no control groups of version 1, which pausing needs
            host.ok("pod", "pause", "pod")
            host.ok("pod", "unpause", "pod")
        host.ok("pod", ("stop", "kill", "restart")[number % 3], "pod")
        host.ok("pod", "rm", "-f", "-t0", "pod")

    life(0)
    before = host.world()
    for number in range(1, 31 if LONG else 3):
        life(number)
        assert difference(before, host.world()) == {}, number
