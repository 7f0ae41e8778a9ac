"""`update`: limits that the kernel really has, and what counts from the next start."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
_V1 = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
_FILES = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max"),
    "pids": ("pids", "pids.max", "pids.max"),
    "shares": ("cpu", "cpu.shares", "cpu.weight"),
    "quota": ("cpu", "cpu.cfs_quota_us", "cpu.max"),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path)
    yield made
    made.close()


def limit(store: PlainStore, name: str, kind: str) -> str:
    """What the kernel enforces for the container's first process."""
    controller, old, new = _FILES[kind]
    pid = store.out("inspect", name, "--format", "{{.State.Pid}}")
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{old}").read_text().strip()
        if not names and not _V1:
            return Path(f"/sys/fs/cgroup{path}/{new}").read_text().strip()
    raise AssertionError(f"{name} has no {controller} control group")


def test_limits_of_a_running_container_change_at_once_and_stay(store: PlainStore) -> None:
    ident = store.sleeper("a", "--pids-limit", "50")
    assert store.out("update", "--memory", "100m", "--pids-limit", "20", "--cpus", "0.5", "a") == ident
    assert limit(store, "a", "memory") == str(100 << 20)
    assert limit(store, "a", "pids") == "20"
    assert limit(store, "a", "quota").split()[0] == "50000"
    store.out("update", "-c", "512", "a")
    assert limit(store, "a", "pids") == "20"
    assert limit(store, "a", "quota").split()[0] == "50000"
    seen = "{{.HostConfig.PidsLimit}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuShares}}"
    assert store.out("inspect", "a", "--format", seen) == f"20 {100 << 20} {200 << 20} 512"
    store.out("restart", "-t0", "a")
    assert limit(store, "a", "memory") == str(100 << 20)
    assert limit(store, "a", "pids") == "20"


def test_what_counts_from_the_next_start(store: PlainStore) -> None:
    store.out("create", "--name", "b", "--network", "none", "-e", "OLD=1", "-e", "KEPT=2", IMAGE, "env")
    store.out("update", "--restart", "on-failure:3", "-e", "NEW=3", "--unsetenv", "OLD", "--memory", "64m", "b")
    policy = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
    assert store.out("inspect", "b", "--format", policy) == "on-failure 3"
    words = store.out("start", "-a", "b").splitlines()
    assert "NEW=3" in words
    assert "KEPT=2" in words
    assert not [word for word in words if word.startswith("OLD=")]


def test_refusals(store: PlainStore) -> None:
    store.out("create", "--name", "c", "--rm", IMAGE)
    assert "no such container" in store.refused("update", "nosuch")
    assert '"foo" is not a valid restart policy' in store.refused("update", "--restart", "foo", "c")
    assert 'requires a name, id, or the "--latest" flag' in store.refused("update")
    assert "cannot be set together" in store.refused("update", "--cpus", "1", "--cpu-quota", "5", "c")
    assert "--rm" in store.refused("update", "--restart", "always", "c")
