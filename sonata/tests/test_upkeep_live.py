"""`system reset`, `renumber`, `migrate`, `locks` and `network prune`: what goes, and what stays."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from live_world import NEEDS, LiveWorld

pytestmark = NEEDS

PROMPT = """WARNING! This will remove:
        - all containers
        - all pods
        - all images
        - all networks
        - all build cache
        - all machines
        - all volumes
        - the graphRoot directory: "{base}/graph"
        - the runRoot directory: "{base}/run"
Are you sure you want to continue? [y/N] """


def make_image(world: LiveWorld, name: str, size: int = 10_000) -> str:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    path = f"{world.base}/{name}.tar"
    Path(path).write_bytes(data.getvalue())
    return world.ok("import", path, f"localhost/{name}:1")


def fill(world: LiveWorld) -> int:
    """One of everything, and a running container; its first process."""
    make_image(world, "one")
    world.ok("volume", "create", "kept")
    world.ok("network", "create", "--subnet=10.213.77.0/24", "n")
    Path(f"{world.base}/secret").write_text("x")
    world.ok("secret", "create", "s", f"{world.base}/secret")
    needed = world.start("needed", "-v", "kept:/data")
    world.start("needs", f"--requires={needed}")
    return int(world.inspect("needed")["State"]["Pid"])


def is_empty(world: LiveWorld) -> bool:
    kinds = (("ps", "-aq"), ("images", "-q"), ("volume", "ls", "-q"), ("secret", "ls", "-q"))
    names = world.ok("network", "ls", "-q").split()
    return all(world.ok(*words) == "" for words in kinds) and names == ["podman"]


def test_reset_asks_and_leaves_all_at_no(world: LiveWorld) -> None:
    fill(world)
    done = world.run("system", "reset", input="n\n")
    assert (done.returncode, done.stdout) == (0, PROMPT.format(base=world.base))
    assert not is_empty(world)
    assert world.run("system", "reset", input="y\n").returncode == 0
    assert is_empty(world)


def test_reset_removes_everything_and_nothing_else(world: LiveWorld) -> None:
    pid = fill(world)
    other, inside = Path(world.base, "other"), Path(world.base, "graph/of-somebody")
    other.mkdir()
    (other / "file").write_text("o")
    inside.mkdir()
    (inside / "file").write_text("i")
    done = world.run("system", "reset", "--force")
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"Warning: {inside} stays: it is not Sonata's\n"
    assert not os.path.exists(f"/proc/{pid}")
    assert os.listdir(f"{world.base}/graph") == ["of-somebody"]
    assert not os.path.exists(f"{world.base}/run")
    assert [(other / "file").read_text(), (inside / "file").read_text()] == ["o", "i"]
    assert world.base not in Path("/proc/mounts").read_text()
    assert is_empty(world)
    shutil.rmtree(inside)
    world.ok("system", "reset", "--force")
    assert not os.path.exists(f"{world.base}/graph")


def test_reset_leaves_what_is_mounted_into_a_volume(world: LiveWorld) -> None:
    """A bind mount that somebody made below the root is detached, never emptied."""
    fill(world)
    precious = Path(world.base, "precious")
    precious.mkdir()
    (precious / "file").write_text("p")
    target = f"{world.base}/graph/overlay/foreign"
    os.makedirs(target)
    subprocess.run(["mount", "--bind", precious, target], check=True)
    world.ok("system", "reset", "--force")
    assert (precious / "file").read_text() == "p"
    assert not os.path.exists(target)


@pytest.mark.parametrize("after", [0.05, 0.12, 0.2, 0.3, 0.45])
def test_a_killed_reset_is_finished_by_the_next(world: LiveWorld, after: float) -> None:
    fill(world)
    first = subprocess.Popen(world.argv("system", "reset", "--force"), stderr=subprocess.DEVNULL)
    time.sleep(after)
    first.send_signal(signal.SIGKILL)
    first.wait()
    done = world.run("system", "reset", "--force")
    assert done.returncode == 0, done.stderr
    assert not os.path.exists(f"{world.base}/graph")
    assert not os.path.exists(f"{world.base}/run")
    assert world.base not in Path("/proc/mounts").read_text()
    assert is_empty(world)


def test_migrate_stops_and_changes_the_runtime(world: LiveWorld) -> None:
    ident = world.start("a", "--stop-timeout=0")
    world.ok("create", "--name=b", "--network=none", "--rootfs", world.rootfs, "true")
    refused = world.run("system", "migrate", "--new-runtime=nope")
    assert refused.returncode == 125
    assert 'change to runtime "nope" requested but no such runtime is defined: invalid argument' in refused.stderr
    assert world.inspect("a")["State"]["Running"]
    other = "runc" if world.inspect("a")["OCIRuntime"] == "crun" else "crun"
    if shutil.which(other) is None:
        pytest.skip(f"needs {other}")
    assert world.ok("system", "migrate", f"--new-runtime={other}") == f"stopped {ident}"
    assert [world.inspect(name)["OCIRuntime"] for name in ("a", "b")] == [other, other]
    assert not world.inspect("a")["State"]["Running"]
    assert world.ok("system", "migrate") == ""
    assert world.ok("system", "migrate", "--migrate-db") == (
        "No migration is necessary: backing database is already SQLite"
    )


@pytest.mark.rootful("root locks what another user's commands want")
def test_held_locks_are_shown_and_stray_ones_removed(world: LiveWorld) -> None:
    ident = world.start("a")
    folder = Path(world.base, "tmp/sonata/locks")
    (folder / "volume-gone").touch()
    assert world.ok("system", "locks") == "No lock conflicts have been detected."
    with open(folder / ident, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lines = world.ok("system", "locks").splitlines()
        assert lines == ["No lock conflicts have been detected.", "", f"Lock {ident} is presently being held"]
        assert world.ok("system", "renumber") == ""
    assert sorted(os.listdir(folder)) == [ident]
    assert world.events()[-1]["Status"] == "renumber"
    assert world.ok("exec", "a", "true") == ""


def test_networks_that_nobody_is_on_are_pruned(world: LiveWorld) -> None:
    for name, label in (("idle", "a=b"), ("other", "c=d"), ("used", "a=b")):
        world.ok("network", "create", "--label", label, name)
    world.ok("create", "--network=used", "--rootfs", world.rootfs, "true")
    done = world.run("network", "prune", input="n\n")
    assert done.stdout == (
        "WARNING! This will remove all networks not used by at least one container.\n"
        "Are you sure you want to continue? [y/N] "
    )
    for wrong, text in (("name=x", 'invalid filter "name"'), ("x", "filter input must be in the form of filter=value")):
        refused = world.run("network", "prune", "-f", "--filter", wrong)
        assert refused.returncode == 125
        assert text in refused.stderr
    assert world.ok("network", "prune", "-f", "--filter=until=1h") == ""
    assert world.ok("network", "prune", "-f", "--filter=label=a=b") == "idle"
    assert world.ok("network", "prune", "-f") == "other"
    assert sorted(world.ok("network", "ls", "-q").split()) == ["podman", "used"]
