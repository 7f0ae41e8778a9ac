"""`stats` against what the kernel and the container itself say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata.cli.containers.stats import as_json, shown
from sonata.engine.containers.stats import traffic
from sonata.host import cgroups
from sonata.model.stats import ContainerStats, Traffic

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

ONE = ContainerStats(
    id="fe25f248856fbc098d8e065103aea1ec5fd41138a27dd7d28be674d60412cd79",
    name="r1",
    taken=1795308681719519571,
    cpu=0.6934834109622479,
    average_cpu=0.6934834109622479,
    cpu_ns=21464910,
    cpu_system_ns=16000000,
    memory=286720,
    memory_limit=25276502016,
    pids=1,
    network={"eth0": Traffic(rx_bytes=1276, rx_packets=14, tx_bytes=558, tx_packets=7)},
)


def test_forms_are_podmans() -> None:
    # As podman 5.8.6 shows the same numbers.
    assert json.dumps(as_json(ONE, full=False)) == (
        '{"id": "fe25f248856f", "name": "r1", "cpu_time": "21.46491ms", "cpu_percent": "0.69%", "avg_cpu": "0.69%", '
        '"mem_usage": "286.7kB / 25.28GB", "mem_percent": "0.00%", "net_io": "1.276kB / 558B", '
        '"block_io": "0B / 0B", "pids": "1"}'
    )
    form = "{{.MemUsageBytes}} {{.Up}} {{.UpTime}} {{.Duration}} {{.Network}} {{.PIDS}} {{.PIDs}} {{.MemLimit}}"
    assert shown([ONE], form, full=False) == (
        "280KiB / 23.54GiB 21.46491ms 21.46491ms 21464910 map[eth0:{1276 0 0 14 558 0 0 7}] 1 1 25276502016\n"
    )
    assert shown([ONE], "table {{.ID}} {{.MemUsageBytes}} {{.Name}}", full=False) == (
        "ID            MEM USAGE / LIMIT  NAME\nfe25f248856f  280KiB / 23.54GiB  r1\n"
    )
    assert shown([], "", full=False).split("  ")[0] == "ID"
    assert shown([], "json", full=False) == "[]\n"
    idle = ContainerStats(id="7384d87ce21f" * 5, name="r2")
    assert re.split(r" {2,}", shown([idle], "", full=False).splitlines()[1]) == [
        *("7384d87ce21f", "r2", "0.00%", "0B / 0B", "0.00%", "0B / 0B", "0B / 0B", "0", "0s", "0.00%"),
    ]


def test_version_2_groups_are_read(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory\n")
    group = tmp_path / "g"
    group.mkdir()
    for name, text in (
        ("memory.current", "5000"), ("memory.stat", "anon 100\ninactive_file 3000\n"), ("memory.max", "max"),
        ("cpu.stat", "usage_usec 7\nsystem_usec 2\n"), ("pids.current", "3"),
        ("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n"),
    ):  # fmt: skip
        (group / name).write_text(text)
    found = cgroups.usage("/g", str(tmp_path))
    assert (found.memory, found.idle_cache, found.memory_limit) == (5000, 3000, 0)
    assert (found.cpu_ns, found.pids, found.io_read, found.io_written) == (7000, 3, 10, 20)


def test_the_loopback_does_not_count() -> None:
    assert "lo" not in traffic(os.getpid())
    assert traffic(2**22 + 1) == {}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path))
    yield made
    made.end()


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("conmon"), reason="needs root and conmon")
def test_numbers_of_real_containers(world: LiveWorld) -> None:
    world.start("busy", "--memory=64m", command=("sh", "-c", "while :; do :; done & exec sleep 1000"))
    world.ok(
        "run", "-d", "--cgroups=disabled", "--network=none", "--name=idle", "--rootfs", world.rootfs, "sleep", "1000"
    )
    world.ok("create", "--name", "made", "--network=none", "--rootfs", world.rootfs, "true")
    time.sleep(0.5)
    (one,) = json.loads(world.ok("stats", "--no-stream", "--format=json"))
    assert (one["name"], one["pids"]) == ("busy", "2")
    assert one["mem_usage"].endswith(" / 67.11MB")
    assert 10 < float(one["cpu_percent"].rstrip("%")) <= 110
    every = [line.split()[1] for line in world.ok("stats", "--no-stream", "--all").splitlines()[1:]]
    assert every == ["busy", "made"]
    assert "does not have a cgroup" in world.run("stats", "--no-stream", "idle").stderr
    missing = world.run("stats", "--no-stream", "nope")
    assert (missing.returncode, "no such container" in missing.stderr) == (125, True)
    assert world.run("stats", "-a", "-l").returncode == 125


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("conmon"), reason="needs root and conmon")
def test_it_goes_on(world: LiveWorld) -> None:
    world.start("a")
    words = world.argv("stats", "--interval=1", "--no-reset", "--format={{.Name}} {{.CPUNano}}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout is not None
        assert [looking.stdout.readline().split()[0] for _ in range(3)] == ["a"] * 3
        looking.terminate()
