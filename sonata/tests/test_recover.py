"""A command killed at any moment: what the next command finds, and what it leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sonata.assemble import open_engine
from sonata.engine.containers.listing import listing
from sonata.engine.containers.recovery import command_lines
from sonata.engine.engine import Engine
from sonata.engine.paths import store_tag
from sonata.engine.system.recover import recover_pending
from sonata.engine.volumes.make import make
from sonata.host import cgroups
from sonata.model.container_request import ListRequest
from sonata.state import containers as rows
from sonata.state import intents, objects
from sonata_core.errors import NotFound

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]


class World:
    """A store of its own, a root filesystem, and the real program to kill."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.options = [f"--root={base}/graph", f"--runroot={base}/run"]
        self.rootfs = f"{base}/rootfs"
        for folder in ("bin", "proc", "dev", "sys", "etc", "tmp"):
            os.makedirs(f"{self.rootfs}/{folder}")
        shutil.copy("/bin/busybox", f"{self.rootfs}/bin/busybox")
        for name in ("sh", "true", "sleep"):
            os.symlink("busybox", f"{self.rootfs}/bin/{name}")

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sonata", *self.options, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=60, check=False)

    def engine(self) -> Engine:
        return open_engine({"storage.graphroot": f"{self.base}/graph", "storage.runroot": f"{self.base}/run"})

    def quiet(self) -> bool:
        """Monitors whose container ended run their exit command and go."""
        deadline = time.monotonic() + 10
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.processes() == []

    def processes(self) -> list[str]:
        """Command lines of monitors and runtimes at work here."""
        mark = self.base.encode()
        return [
            b" ".join(words).decode()
            for _, words in command_lines()
            if any(mark in word for word in words) and os.path.basename(words[0]) in (b"conmon", b"crun", b"runc")
        ]


@pytest.fixture
def world(tmp_path: Any) -> Iterator[World]:
    made = World(str(tmp_path))
    yield made
    for ident in made.run("ps", "-aq", "--no-trunc").stdout.split():
        made.run("rm", "-f", "-t", "0", ident)


def listed(engine: Engine) -> list[Any]:
    return listing(engine, ListRequest(all=True))


def kill_after(world: World, seconds: float, *words: str) -> None:
    started = subprocess.Popen(
        world.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    started.send_signal(signal.SIGKILL)
    started.wait()


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_run_killed_at_many_moments(world: World, network: str) -> None:
    if network == "bridge" and world.run("run", "--rm", "--rootfs", world.rootfs, "true").returncode != 0:
        pytest.skip("needs bridge networks")
    steps = [0.04 * step for step in range(3, 17)]
    for seconds in steps:
        kill_after(world, seconds, "run", "-d", "--network", network, "--rootfs", world.rootfs, "sleep", "1000")
    engine = world.engine()
    recover_pending(engine)
    assert intents.pending(engine.database) == []
    found = rows.listed(engine.database)
    assert {row.state.phase for row in found} <= {"configured", "running"}
    running = {row.config.id for row in found if row.state.phase == "running"}
    assert len(world.processes()) == len(running), (world.processes(), running)
    for row in found:
        assert world.run("rm", "-f", "-t", "0", row.config.id).returncode == 0
        assert not cgroups.exists(f"/libpod_parent/libpod-{row.config.id}")
    assert world.quiet(), world.processes()
    assert engine.database.query("SELECT * FROM lease") == []
    assert engine.database.query("SELECT * FROM port") == []
    tag = store_tag(f"{world.base}/graph")
    assert [name for name in os.listdir("/run/netns") if name.startswith(f"netns-{tag}")] == []


def test_remove_killed_at_many_moments(world: World) -> None:
    for step in range(3, 13):
        name = f"c{step}"
        assert world.run("run", "-d", "--network=none", f"--name={name}", "--rootfs", world.rootfs, "sleep", "1000")
        kill_after(world, 0.04 * step, "rm", "-f", "-t", "0", name)
    engine = world.engine()
    listed(engine)
    assert intents.pending(engine.database) == []
    for row in rows.listed(engine.database):
        assert world.run("rm", "-f", "-t", "0", row.config.name).returncode == 0
    assert world.quiet(), world.processes()
    assert listed(engine) == []
    kept = [name for name in os.listdir(f"{world.base}/graph/overlay-containers") if len(name) == 64]
    assert kept == []


def test_a_half_made_volume_goes_and_a_strangers_stays(world: World) -> None:
    engine = world.engine()
    home = engine.config.paths.volume_path
    os.makedirs(f"{home}/ours/_data")
    os.makedirs(f"{home}/theirs/_data")
    intents.put(engine.database, intents.Intent(id="volume-ours", kind="volume", detail={"name": "ours"}))
    recover_pending(engine)
    assert sorted(os.listdir(home)) == ["theirs"]
    make(engine, objects.Volume(name="ours", created=1))
    assert intents.pending(engine.database) == []
    assert os.path.isdir(f"{home}/ours/_data")


def test_what_a_living_command_does_is_left_alone(world: World) -> None:
    engine, other = world.engine(), world.engine()
    intents.put(engine.database, intents.Intent(id="f" * 64, kind="create", detail={"driver": "overlay"}))
    with other.locks.hold("f" * 64):
        assert recover_pending(engine) == []
        assert len(intents.pending(engine.database)) == 1
    assert recover_pending(engine) == ["f" * 64]
    assert intents.pending(engine.database) == []
    with pytest.raises(NotFound):
        rows.get(engine.database, "f" * 64)
