"""`update`: limits that the kernel really has, and what counts from the next start."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
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
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
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


@pytest.mark.rootful("control groups of version 1 are root's alone")
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


@pytest.mark.rootful("control groups of version 1 are root's alone")
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


def group_file(store: PlainStore, name: str, file: str) -> str:
    """A file of the container's control group of version 1."""
    pid = store.out("inspect", name, "--format", "{{.State.Pid}}")
    controller = file.partition(".")[0]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{file}").read_text().strip()
    raise AssertionError(f"{name} has no {controller} control group")


@pytest.mark.rootful("control groups of version 1 are root's alone")
@pytest.mark.skipif(not _V1, reason="needs control groups of version 1")
@pytest.mark.parametrize(
    ("options", "file", "value"),
    [
        (("--cpu-period=50000",), "cpu.cfs_period_us", "50000"),
        (("--cpu-quota=20000",), "cpu.cfs_quota_us", "20000"),
        (("--cpu-rt-period=900000",), "cpu.rt_period_us", "900000"),
        (("--cpu-shares=512",), "cpu.shares", "512"),
        (("--cpus=1.5",), "cpu.cfs_quota_us", "150000"),
        (("--cpuset-cpus=0",), "cpuset.cpus", "0"),
        (("--cpuset-mems=0",), "cpuset.mems", "0"),
        (("--memory=100m",), "memory.limit_in_bytes", str(100 << 20)),
        (("--memory-reservation=50m",), "memory.soft_limit_in_bytes", str(50 << 20)),
        (("--memory=100m", "--memory-swap=150m"), "memory.memsw.limit_in_bytes", str(150 << 20)),
        (("--memory-swappiness=30",), "memory.swappiness", "30"),
        (("--pids-limit=33",), "pids.max", "33"),
        (("--pids-limit=-1",), "pids.max", "max"),
        (("--device-read-bps=/dev/loop0:1mb",), "blkio.throttle.read_bps_device", "7:0 1048576"),
        (("--device-write-bps=/dev/loop0:2mb",), "blkio.throttle.write_bps_device", "7:0 2097152"),
        (("--device-read-iops=/dev/loop0:100",), "blkio.throttle.read_iops_device", "7:0 100"),
        (("--device-write-iops=/dev/loop0:200",), "blkio.throttle.write_iops_device", "7:0 200"),
    ],
    ids=lambda one: one[0].split("=")[0] if isinstance(one, tuple) else "",
)
def test_the_kernel_has_every_limit_at_once_and_after_a_restart(
    store: PlainStore, options: tuple[str, ...], file: str, value: str
) -> None:
    if any("/dev/loop0" in option for option in options) and not Path("/dev/loop0").exists():
        pytest.skip("needs /dev/loop0")
    store.sleeper("a")
    assert group_file(store, "a", file) != value or value in ("0", "max")
    store.out("update", *options, "a")
    assert group_file(store, "a", file) == value
    store.out("restart", "-t0", "a")
    assert group_file(store, "a", file) == value


@pytest.mark.rootful("control groups of version 1 are root's alone")
@pytest.mark.skipif(not _V1, reason="needs control groups of version 1")
def test_limits_can_be_lifted_and_swap_goes_with_the_memory_that_is_there(store: PlainStore) -> None:
    store.sleeper("a", "--memory=100m", "--pids-limit=10", "--cpu-quota=20000")
    store.out("update", "--memory-swap=120m", "a")
    assert group_file(store, "a", "memory.memsw.limit_in_bytes") == str(120 << 20)
    store.out("update", "--memory-swap=-1", "--pids-limit=-1", "--cpu-quota=-1", "a")
    assert int(group_file(store, "a", "memory.memsw.limit_in_bytes")) > 1 << 60
    assert group_file(store, "a", "pids.max") == "max"
    assert group_file(store, "a", "cpu.cfs_quota_us") == "-1"
    store.out("restart", "-t0", "a")
    assert group_file(store, "a", "pids.max") == "max"
    assert group_file(store, "a", "cpu.cfs_quota_us") == "-1"


@pytest.mark.skipif(not _V1, reason="needs control groups of version 1")
@pytest.mark.parametrize(
    "option",
    [
        "--cpuset-cpus=4095",
        "--cpu-rt-runtime=100000000",
        "--cpu-quota=5",
        "--memory=4k",
        "--blkio-weight-device=/dev/loop0:200",
        "--blkio-weight=5000",
    ],
)
def test_what_the_kernel_refuses_is_an_error_and_not_kept(store: PlainStore, option: str) -> None:
    store.sleeper("a")
    shown = "{{json .HostConfig}}"
    before = store.out("inspect", "a", "--format", shown)
    assert store.refused("update", option, "a").startswith("Error: ")
    assert store.out("inspect", "a", "--format", shown) == before


def test_an_environment_and_limits_of_processes_count_from_the_next_start(store: PlainStore) -> None:
    store.sleeper("a", "-e", "OLD=1")
    store.out("update", "-e", "NEW=2", "--unsetenv", "OLD", "--ulimit", "nofile=123:456", "a")
    store.out("restart", "-t0", "a")
    words = store.out("exec", "a", "env").splitlines()
    assert "NEW=2" in words
    assert "OLD=1" not in words
    pid = store.out("inspect", "a", "--format", "{{.State.Pid}}")
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "Max open files            123                  456" in limits


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_the_latest_can_be_updated(store: PlainStore) -> None:
    store.sleeper("a")
    ident = store.sleeper("b")
    assert store.out("update", "--latest", "--pids-limit=12") == ident
    assert limit(store, "b", "pids") == "12"
