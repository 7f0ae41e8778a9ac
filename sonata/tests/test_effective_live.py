"""`inspect --effective`: what the kernel enforces beside what was asked, of real containers."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from sonata.host import cgroups, enforced
from sonata.plan import limits

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

MIB = 1 << 20
live = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon") or not shutil.which("crun"), reason="needs conmon and crun"),
]


def effective(world: LiveWorld, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(world.ok("inspect", "--effective", name))
    return found[0]


def differences(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["What"]: one for one in shown["Differences"]}


class TestLive:
    pytestmark = live

    @pytest.mark.rootful("control groups of version 1 are root's alone")
    def test_what_was_asked_is_enforced(self, world: LiveWorld) -> None:
        words = ("--memory=64m", "--pids-limit=50", "--cpuset-cpus=0", "--oom-score-adj=300", "--read-only")
        more = ("--security-opt=no-new-privileges", "--sysctl=net.ipv4.ip_forward=1", "--ulimit=nofile=100:200")
        world.start("all", *words, *more, "--cap-add=NET_ADMIN", "-v", f"{world.rootfs}/bin:/bound:ro")
        shown = effective(world, "all")
        group = {one["Limit"]: one for one in shown["Cgroup"]["Limits"]}
        for name, value in (("memory.limit", str(64 * MIB)), ("pids.limit", "50"), ("cpu.cpus", "0")):
            assert (group[name]["Asked"], group[name]["Enforced"]) == (value, value)
            assert Path(group[name]["File"]).read_text().strip() == value
        assert "CAP_NET_ADMIN" in shown["Capabilities"]["Bounding"]["Enforced"]
        assert shown["Capabilities"]["Effective"]["Asked"] == shown["Capabilities"]["Effective"]["Enforced"]
        assert shown["Seccomp"]["Enforced"] == "filter" and shown["Seccomp"]["Filters"] >= 1
        assert shown["NoNewPrivileges"] == {"Asked": True, "Enforced": True}
        assert shown["OomScoreAdj"] == {"Asked": 300, "Enforced": 300}
        assert {"Soft": 100, "Hard": 200} in [one["Enforced"] for one in shown["Rlimits"]]
        assert {"Name": "net.ipv4.ip_forward", "Asked": "1", "Enforced": "1"} in shown["Sysctls"]
        mounts = {one["Destination"]: one for one in shown["Mounts"]}
        assert "ro" in mounts["/"]["Options"] and "ro" in mounts["/bound"]["Options"]
        assert "ro" in mounts["/bound"]["Asked"]
        spaces = {one["Type"]: one for one in shown["Namespaces"]}
        assert spaces["user"]["SharedWith"] == ["host"] and spaces["pid"]["SharedWith"] == []
        assert spaces["pid"]["Inode"] == os.stat(f"/proc/{shown['Pid']}/ns/pid").st_ino
        # crun gives a writable tmpfs to hold the read-only groups of version 1.
        assert set(differences(shown)) <= {"mount /sys/fs/cgroup"}

    @pytest.mark.rootful("control groups of version 1 are root's alone")
    def test_what_was_changed_behind_its_back_is_a_difference(self, world: LiveWorld) -> None:
        world.start("changed", "--memory=64m", "--pids-limit=50", "--oom-score-adj=300")
        shown = effective(world, "changed")
        group = enforced.Group(shown["Pid"])
        name = "memory.max" if cgroups.detect()[0] == 2 else "memory.limit_in_bytes"
        Path(group.files("memory", name)[0]).write_text(str(32 * MIB))
        Path(group.files("pids", "pids.max")[0]).write_text("max")
        Path(f"/proc/{shown['Pid']}/oom_score_adj").write_text("400")
        found = differences(effective(world, "changed"))
        assert found["memory.limit"]["Asked"] == str(64 * MIB)
        assert found["memory.limit"]["Enforced"] == str(32 * MIB)
        assert found["pids.limit"]["Enforced"] == "max"
        assert (found["oomScoreAdj"]["Asked"], found["oomScoreAdj"]["Enforced"]) == (300, 400)

    @pytest.mark.rootful("control groups of version 1 are root's alone")
    def test_a_lower_limit_above_counts(self, world: LiveWorld) -> None:
        parent = f"/sonata_test_above_{os.getpid()}"
        own = ("--network=none", "--name=below", f"--cgroup-parent={parent}", "--pids-limit=50", "--rootfs")
        world.ok("run", "-d", *own, world.rootfs, "sleep", "1000")
        above = Path(enforced.Group(effective(world, "below")["Pid"]).files("pids", "pids.max")[1])
        assert above.parent.name == parent.strip("/")
        above.write_text("20")
        found = differences(effective(world, "below"))
        assert found["pids.limit"]["Enforced"] == "20"
        assert str(above) in found["pids.limit"]["Why"]
        world.end()
        cgroups.remove(parent)

    @pytest.mark.rootful("another user's limits are cut down with a right that not every root has")
    def test_a_limit_that_was_cut_down_is_a_difference(self, world: LiveWorld) -> None:
        world.start("cut", "--ulimit=nofile=100:200")
        pid = effective(world, "cut")["Pid"]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (90, 150))
        found = differences(effective(world, "cut"))["rlimit.RLIMIT_NOFILE"]
        assert (found["Asked"], found["Enforced"]) == ({"Soft": 100, "Hard": 200}, {"Soft": 90, "Hard": 150})
        assert found["Why"] == "lower than asked"

    def test_containers_that_share_are_named(self, world: LiveWorld) -> None:
        world.start("first", "--ipc=shareable")
        world.ok(
            "run", "-d", "--name=second", "--network=container:first", "--ipc=container:first", "--pid=host",
            "--cgroup-parent=/sonata_test", "--rootfs", world.rootfs, "sleep", "1000",
        )  # fmt: skip
        first = {one["Type"]: one["SharedWith"] for one in effective(world, "first")["Namespaces"]}
        second = {one["Type"]: one["SharedWith"] for one in effective(world, "second")["Namespaces"]}
        assert (first["net"], first["ipc"], first["uts"]) == (["second"], ["second"], [])
        assert (second["net"], second["ipc"], second["pid"]) == (["first"], ["first"], ["host"])

    @pytest.mark.rootful("ids of the host's")
    def test_a_network_is_joined_also_from_another_user_namespace(self, world: LiveWorld) -> None:
        world.start("owner")
        mapped = ("--uidmap=0:200000:5000", "--network=container:owner", "--name=mapped")
        os.chmod(Path(world.base).parent, 0o755)
        world.ok("run", "-d", *mapped, "--cgroup-parent=/sonata_test", "--rootfs", world.rootfs, "sleep", "1000")
        shown = effective(world, "mapped")
        spaces = {one["Type"]: one["SharedWith"] for one in shown["Namespaces"]}
        assert (spaces["net"], spaces["user"]) == (["owner"], [])
        assert shown["IDMappings"]["UIDMap"]["Enforced"] == [{"ContainerID": 0, "HostID": 200000, "Size": 5000}]

    @pytest.mark.rootful("ids of the host's")
    def test_groups_in_a_sysctl_are_the_containers_own(self, world: LiveWorld) -> None:
        for folder, _, _ in os.walk(world.rootfs):
            os.chown(folder, 200000, 200000)
        world.start("ping", "--uidmap=0:200000:5000", "--sysctl=net.ipv4.ping_group_range=3 7")
        assert effective(world, "ping")["Sysctls"] == [
            {"Name": "net.ipv4.ping_group_range", "Asked": "3 7", "Enforced": "3 7"}
        ]

    @pytest.mark.rootful("control groups of version 1 are root's alone")
    def test_one_that_does_not_run_says_what_is_known(self, world: LiveWorld) -> None:
        world.start("over", "--memory=64m")
        world.ok("stop", "-t", "0", "over")
        shown = effective(world, "over")
        assert shown["Pid"] == 0 and "does not run" in shown["Note"]
        limit = next(one for one in shown["Cgroup"]["Limits"] if one["Limit"] == "memory.limit")
        assert (limit["Asked"], limit["Enforced"]) == (str(64 * MIB), None)
        assert shown["Capabilities"]["Bounding"]["Enforced"] is None
        assert shown["Differences"] == []

    def test_a_template_and_what_is_refused(self, world: LiveWorld) -> None:
        world.start("shown")
        text = world.ok("container", "inspect", "--effective", "-f", "{{.Name}} {{.Seccomp.Enforced}}", "shown")
        assert text == "shown filter"
        refused = world.run("inspect", "--type=image", "--effective", "shown")
        assert (refused.returncode, refused.stderr) == (125, "Error: effective is only supported for type container\n")
        both = world.run("inspect", "--size", "--effective", "shown")
        assert (both.returncode, both.stderr) == (125, "Error: --size and --effective cannot be used together\n")
        assert world.run("inspect", "--effective", "nobody").returncode == 125


ASKED = {
    "memory": {"limit": 64 * MIB, "swap": 128 * MIB, "reservation": 32 * MIB, "swappiness": 10},
    "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "cpus": "0-1"},
    "pids": {"limit": -1},
    "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}]},
    "unified": {"memory.high": "1000"},
}


def test_version_2_says_it_in_its_own_words() -> None:
    found = {limit.name: (limit.file, limit.asked) for limit in limits.limits(ASKED, 2)}
    assert found["memory.swap"] == ("memory.swap.max", str(64 * MIB))
    assert found["cpu.shares"] == ("cpu.weight", "39")
    assert found["cpu.quota"] == ("cpu.max", "50000 100000")
    assert found["pids.limit"] == ("pids.max", "max")
    assert found["blockIO.8:0.rbps"] == ("io.max", "8:0 rbps=1000")
    assert found["unified.memory.high"] == ("memory.high", "1000")
    assert found["blockIO.weight"] == ("io.bfq.weight", None)
    newer = {limit.name: limit.also for limit in limits.limits(ASKED, 2)}
    assert newer["cpu.shares"] == "100"


def test_version_1_has_a_file_each() -> None:
    found = {limit.name: (f"{limit.controller}/{limit.file}", limit.asked) for limit in limits.limits(ASKED, 1)}
    assert found["memory.swap"] == ("memory/memory.memsw.limit_in_bytes", str(128 * MIB))
    assert found["cpu.quota"] == ("cpu/cpu.cfs_quota_us", "50000")
    assert found["pids.limit"] == ("pids/pids.max", "max")
    assert found["blockIO.throttleReadBpsDevice"] == ("blkio/blkio.throttle.read_bps_device", "8:0 1000")


@pytest.mark.parametrize(
    ("asked", "enforced_", "same"),
    [
        ("max", "9223372036854771712", True),
        ("67108865", "67108864", True),
        ("67108864", "33554432", False),
        ("50", "51", False),
        ("0-2", "0,1,2", True),
        ("0-2", "0-1", False),
        ("8:0 1000", "7:0 5\n8:0 1000", True),
        ("8:0 1000", "8:0 2000", False),
        ("8:0 rbps=1000", "8:0 rbps=1000 wbps=max riops=max wiops=max", True),
        ("50000 100000", "max 100000", False),
    ],
)
def test_when_a_file_says_what_was_asked(asked: str, enforced_: str, same: bool) -> None:
    assert limits.met(asked, enforced_) is same


def test_a_mask_of_capabilities_in_names() -> None:
    assert enforced.capabilities("0000000000000401") == ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]
    assert enforced.capabilities("8000000000000000") == ["63"]
