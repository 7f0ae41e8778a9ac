"""Cycles of create, start, exec and remove, each of its own kind, end with the host as it was.

There are 500, each drawn from its number alone, so that one that fails can be had again: `./check long` runs all,
`./check` a sample that is drawn anew each day.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ordinary import UID, OrdinaryHost, user_needs
from private_host import LONG, PrivateHost, difference, host_needs

pytestmark = host_needs()
ALL = 500
SAMPLE = 36
SEED = int(os.environ.get("SONATA_LEAK_SEED", time.time() // 86400))

ORDINARY_SAMPLE = 9

NETWORKS = (["-p", "18091:80"], ["--network=none"], ["--network=none"], ["--network=leaks"], ["--network=host"])
EXTRAS = (
    [],
    ["--rm"],
    ["-v", "/data"],
    ["-v", "kept:/kept", "--tmpfs", "/scratch"],
    ["--read-only", "--log-driver=none"],
    ["-t", "--memory=64m"],
    ["--health-cmd=true", "--health-interval=1s"],
    ["--secret=quiet", "--privileged"],
)
ORDINARY = (["-p", "18091:80"], ["--network=none"], ["--network=slirp4netns"], ["--userns=keep-id"], ["--network=host"])
ORDINARY_ENDS = ("rm -f", "stop", "kill", "by itself", "rm -f", "never ran")  # nothing of his is paused on version 1
ENDS = ("rm -f", "stop", "kill", "by itself", "paused", "never ran")


def numbers(sample: int = SAMPLE) -> list[int]:
    """Which of the cycles are run."""
    return list(range(ALL)) if LONG else random.Random(SEED).sample(range(ALL), sample)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PrivateHost]:
    with PrivateHost(str(tmp_path)) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("network", "create", "leaks")
        made.ok("volume", "create", "kept")
        made.ok("secret", "create", "quiet", "-", stdin=b"word")
        yield made


@pytest.fixture
def ordinary(tmp_path: Path) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path)) as made:
        made.pull()
        made.ok("volume", "create", "kept")
        made.ok("secret", "create", "quiet", "-", stdin=b"word")
        yield made


def files(*places: str) -> set[str]:
    """Every file below these folders."""
    return {os.path.join(top, name) for place in places for top, _, names in os.walk(place) for name in names}


def descriptors(host: PrivateHost) -> list[str]:
    """What the host's first process, which outlives all of them, holds open."""
    folder = f"/proc/{host.pid}/fd"
    return sorted(os.readlink(f"{folder}/{name}") for name in os.listdir(folder))


def test_cycles_leave_nothing(host: PrivateHost) -> None:
    for network in range(len(NETWORKS)):
        cycle(host, network)  # chains, the monitors' group, the events' file: what stays for good
    run = f"/proc/{host.pid}/root/run"
    before, had, held = host.world(), files(host.graph, run), descriptors(host)
    for number in numbers():
        cycle(host, number)
        if not LONG:
            assert difference(before, host.world()) == {}, f"after cycle {number} of seed {SEED}"
    assert difference(before, host.world()) == {}
    assert {name for name in files(host.graph, run) ^ had if not is_log(name)} == set()
    assert descriptors(host) == held
    checked = host("system", "check")
    # Control groups are the machine's: what others left in the common parent is seen here too; ours are elsewhere.
    damage = [line for line in checked.out.splitlines() if line and "/libpod_parent/" not in line]
    assert checked.code == 0 or damage == [], checked


def with_user(test: Callable[..., None]) -> Callable[..., None]:
    for mark in user_needs():
        test = mark(test)
    return test


@with_user
def test_cycles_of_an_ordinary_user_leave_nothing(ordinary: OrdinaryHost) -> None:
    for network in range(len(ORDINARY)):
        cycle(ordinary, network, ORDINARY, ORDINARY_ENDS)
    top = f"/proc/{ordinary.pid}/root"
    places = (f"{top}{ordinary.graph}", f"{top}/run", f"{top}/var/tmp")
    before, had, held = his_world(ordinary), files(*places), descriptors(ordinary)
    for number in numbers(ORDINARY_SAMPLE):
        cycle(ordinary, number, ORDINARY, ORDINARY_ENDS)
        if not LONG:
            assert difference(before, his_world(ordinary)) == {}, f"after cycle {number} of seed {SEED}"
    assert difference(before, his_world(ordinary)) == {}
    assert {name for name in files(*places) ^ had if not is_log(name)} == set()
    assert descriptors(ordinary) == held


def his_world(host: OrdinaryHost) -> dict[str, list[str]]:
    """What commands of an ordinary user may leave behind: all on his host but the process that keeps his namespaces."""
    kept = Path(f"/proc/{host.pid}/root/run/user/{UID}/libpod/tmp/pause.pid").read_text()
    deadline = time.monotonic() + 20
    while (left := sorted(words for pid, words in host.proc().items() if str(pid) != kept)) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.02)
    inside = host.lines("nsenter", "-t", kept, "-U", "-m", "--preserve-credentials", "cat", "/proc/self/mountinfo")
    found = {
        "processes": left,
        "keeper": [kept],
        "mounts": sorted(line.split()[4] for line in inside),
        "namespaces": host.listed("/run/netns"),
        "links": sorted(line.split(":")[1] for line in host.lines("ip", "-o", "link")),
    }
    for name, place in (("layers", "overlay"), ("links of layers", "overlay/l"), ("folders", "overlay-containers")):
        found[name] = host.listed(f"{host.graph}/{place}")
    return found


def is_log(name: str) -> bool:
    """The file of events is turned over when it has grown, and the database has a journal while it is open."""
    return "events.log" in name or name.endswith((".db-wal", ".db-shm"))


def cycle(
    host: PrivateHost,
    number: int,
    networks: tuple[list[str], ...] = NETWORKS,
    ends: tuple[str, ...] = ENDS,
) -> None:
    """The life of one container, of the kind that its number draws."""
    draw = random.Random(number)
    network = networks[number % len(networks)]
    extra, end = draw.choice(EXTRAS), draw.choice(ends)
    words = ["sleep", "1000"] if end != "never ran" else ["/nosuch/program"]
    host.ok("create", "--name", "c", "--cgroup-parent", host.group, *network, *extra, host.image, *words)
    if end == "never ran":
        assert host("start", "c").code == 125, number
    else:
        host.ok("start", "c")
        assert host.ok("exec", "c", "echo", "hello") == "hello", number
        kinds = host.ok("exec", "c", "ls", "/proc/1/fd").split()
        assert kinds == ["0", "1", "2"], (number, kinds)
        if draw.random() < 0.3:
            assert host("exec", "c", "/nosuch").code == 127
            host.ok("exec", "-d", "c", "sleep", "100")
        leave(host, end)
    if host("container", "exists", "c").code == 0:
        host.ok("rm", "-f", "-v", "-t", "0", "c")


def leave(host: PrivateHost, end: str) -> None:
    """Bring the container to its end, but for `rm -f`, which comes anyway."""
    if end == "stop":
        host.ok("stop", "-t", "0", "c")
    elif end == "kill":
        host.ok("kill", "c")
        host("wait", "c")
    elif end == "by itself":
        host("exec", "c", "kill", "-9", "-1")
        host.ok("stop", "-t", "0", "c")
    elif end == "paused":
        host.ok("pause", "c")
