"""Limits and privileges, each seen where it works: in the kernel's files, or from inside the container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from live_world import LiveWorld

GROUPS = Path("/sys/fs/cgroup")
V1 = (GROUPS / "memory/memory.limit_in_bytes").exists()
pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
on_v1 = pytest.mark.skipif(not V1, reason="needs cgroup v1")
APPLETS = ("grep", "mount", "df", "mknod", "ulimit", "hostname", "nice", "stat", "readlink", "wc", "tr")


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path_factory.mktemp("resources")), who)
    for name in APPLETS:
        if not os.path.lexists(f"{made.rootfs}/bin/{name}"):
            os.symlink("busybox", f"{made.rootfs}/bin/{name}")
    yield made
    made.end()


def inside(world: LiveWorld, *words: str, run: str = "true") -> str:
    """What a command in a container with these options prints."""
    return world.ok("run", "--rm", "--network=none", *words, "--rootfs", world.rootfs, "sh", "-c", run)


def refused(world: LiveWorld, *words: str) -> str:
    done = world.run("create", "--network=none", *words, "--rootfs", world.rootfs, "true")
    assert done.returncode == 125, (words, done.stdout)
    return done.stderr


def group_of(world: LiveWorld, name: str, controller: str) -> Path:
    pid = world.inspect(name)["State"]["Pid"]
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return GROUPS / controller / path.lstrip("/")
    raise AssertionError(controller)


def a_disk() -> str:
    """A block device that the kernel throttles, `/dev/NAME`."""
    names = [name for name in sorted(os.listdir("/sys/block")) if not name.startswith(("loop", "ram", "zram"))]
    return f"/dev/{names[0]}" if names else ""


DISK = a_disk()
LIMITS = [
    (["--memory=64m"], "memory", "memory.limit_in_bytes", str(64 << 20)),
    (["--memory=64m"], "memory", "memory.memsw.limit_in_bytes", str(128 << 20)),
    (["--memory=64m", "--memory-swap=96m"], "memory", "memory.memsw.limit_in_bytes", str(96 << 20)),
    (["--memory=64m", "--memory-reservation=32m"], "memory", "memory.soft_limit_in_bytes", str(32 << 20)),
    (["--memory-swappiness=7"], "memory", "memory.swappiness", "7"),
    (["--memory=64m", "--oom-kill-disable"], "memory", "memory.oom_control", "oom_kill_disable 1"),
    (["--cpus=0.5"], "cpu", "cpu.cfs_quota_us", "50000"),
    (["--cpu-period=50000", "--cpu-quota=20000"], "cpu", "cpu.cfs_period_us", "50000"),
    (["--cpu-period=50000", "--cpu-quota=20000"], "cpu", "cpu.cfs_quota_us", "20000"),
    (["--cpu-shares=333"], "cpu", "cpu.shares", "333"),
    (["--cpuset-cpus=0"], "cpuset", "cpuset.cpus", "0"),
    (["--cpuset-mems=0"], "cpuset", "cpuset.mems", "0"),
    (["--pids-limit=77"], "pids", "pids.max", "77"),
    (["--pids-limit=-1"], "pids", "pids.max", "max"),
    ([], "pids", "pids.max", "2048"),
    ([f"--device-read-bps={DISK}:1mb"], "blkio", "blkio.throttle.read_bps_device", "1048576"),
    ([f"--device-write-bps={DISK}:2mb"], "blkio", "blkio.throttle.write_bps_device", "2097152"),
    ([f"--device-read-iops={DISK}:111"], "blkio", "blkio.throttle.read_iops_device", "111"),
    ([f"--device-write-iops={DISK}:222"], "blkio", "blkio.throttle.write_iops_device", "222"),
    (["--device-cgroup-rule=c 42:7 rm"], "devices", "devices.list", "c 42:7 rm"),
]


def limits_of(*options: str) -> list[Any]:
    """The rows of these options."""
    return [row for row in LIMITS if any(word.partition("=")[0] in options for word in row[0]) or not row[0]]


def seen(world: LiveWorld, row: Any) -> None:
    words, controller, name, expected = row
    if "/dev/" in "".join(words) and not DISK:
        pytest.skip("needs a block device")
    try:
        world.start("limited", *words)
        folder = group_of(world, "limited", controller)
        assert "libpod" in str(folder)
        found = (folder / name).read_text()
        assert re.search(rf"(^|\s){re.escape(expected)}$", found, re.MULTILINE), found
    finally:
        world.run("rm", "-f", "-t0", "limited")


@pytest.mark.rootful("control groups of version 1 are root's alone")
@on_v1
@pytest.mark.parametrize("row", LIMITS, ids=lambda row: " ".join([*row[0], row[2]]).replace("/", "_"))
def test_a_limit_is_in_the_kernels_file(world: LiveWorld, row: Any) -> None:
    seen(world, row)


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_processors_and_nodes_that_there_are_not_are_refused(world: LiveWorld) -> None:
    assert "requested CPUs are not available - requested 0,9999, available: " in refused(world, "--cpuset-cpus=0,9999")
    assert "requested memory nodes are not available - requested 0-9999" in refused(world, "--cpuset-mems=0-9999")


@on_v1
def test_real_time_is_asked_of_the_kernel_or_refused_by_it(world: LiveWorld) -> None:
    """Kernels without CONFIG_RT_GROUP_SCHED have no such file: nothing then says that the limit holds."""
    words = ["--cpu-rt-period=1000000", "--cpu-rt-runtime=0"]
    if (GROUPS / "cpu/cpu.rt_period_us").exists():
        world.start("limited", *words)
        assert (group_of(world, "limited", "cpu") / "cpu.rt_period_us").read_text() == "1000000\n"
        world.ok("rm", "-f", "-t0", "limited")
    else:
        done = world.run("run", "--rm", "--network=none", *words, "--rootfs", world.rootfs, "true")
        assert done.returncode in (125, 126, 127)
        assert "cpu.rt_period_us" in done.stderr


def numbers(disk: str) -> str:
    node = os.stat(disk).st_rdev
    return f"{os.major(node)}:{os.minor(node)}"


def weights_of_bfq(world: LiveWorld, words: list[str], *lines: str) -> None:
    world.start("limited", *words)
    said = (group_of(world, "limited", "blkio") / "blkio.bfq.weight_device").read_text().splitlines()
    world.ok("rm", "-f", "-t0", "limited")
    assert set(lines) <= set(said)


@pytest.mark.rootful("control groups of version 1 are root's alone")
@on_v1
@pytest.mark.skipif((GROUPS / "blkio/blkio.weight").exists(), reason="groups have the older weight")
@pytest.mark.skipif(not (GROUPS / "blkio/blkio.bfq.io_serviced").exists(), reason="needs the scheduler bfq")
@pytest.mark.parametrize("runtime", [name for name in ("crun", "runc") if shutil.which(name)])
def test_where_bfqs_is_the_only_block_weight_it_is_set(world: LiveWorld, runtime: str) -> None:
    """No spec has it, as crun knows the older file only; `update` and `inspect --effective` know where it is."""
    world.start("limited", f"--runtime={runtime}", "--blkio-weight=200")
    folder = group_of(world, "limited", "blkio")
    assert (folder / "blkio.bfq.weight").read_text().split()[-1] == "200"
    world.ok("update", "--blkio-weight=300", "limited")
    assert (folder / "blkio.bfq.weight").read_text().split()[-1] == "300"
    shown = json.loads(world.ok("inspect", "--effective", "limited"))[0]
    world.ok("rm", "-f", "-t0", "limited")
    limit = next(one for one in shown["Cgroup"]["Limits"] if one["Limit"] == "blockIO.weight")
    assert limit["File"].endswith("/blkio.bfq.weight")
    assert "blockIO.weight" not in [one["What"] for one in shown["Differences"]]


@on_v1
def test_block_weight_is_set_or_said_to_be_discarded(world: LiveWorld) -> None:
    if not DISK:
        pytest.skip("needs a block device")
    words = ["--blkio-weight=200", f"--blkio-weight-device={DISK}:300"]
    done = world.run("run", "--rm", "--network=none", *words, "--rootfs", world.rootfs, "true")
    if not (GROUPS / "blkio/blkio.weight").exists():
        assert done.returncode == 0
        if "does not support Block I/O weight" in done.stderr:
            return
        weights_of_bfq(world, words, "default 200", f"{numbers(DISK)} 300")
        return
    world.start("limited", *words)
    folder = group_of(world, "limited", "blkio")
    assert (folder / "blkio.weight").read_text().split()[-1] == "200"
    assert "300" in (folder / "blkio.weight_device").read_text()
    world.ok("rm", "-f", "-t0", "limited")


@pytest.mark.rootful("control groups of version 1 are root's alone")
@on_v1
def test_memory_is_really_bounded(world: LiveWorld) -> None:
    done = world.run(
        *("run", "--rm", "--network=none", "--memory=16m", "--memory-swap=16m", "--rootfs", world.rootfs),
        *("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"),
    )
    assert done.returncode == 137


@on_v1
def test_cgroup_conf_is_for_version_2(world: LiveWorld) -> None:
    assert "cgroup-conf is not supported on cgroup v1" in refused(world, "--cgroup-conf=memory.high=1")


def test_kernel_memory_is_said_to_do_nothing(world: LiveWorld) -> None:
    done = world.run("run", "--rm", "--network=none", "--kernel-memory=64m", "--rootfs", world.rootfs, "true")
    assert done.returncode == 0
    assert "The --kernel-memory flag is no longer supported. This flag is a noop." in done.stderr


def test_rdt_class_needs_resctrl(world: LiveWorld) -> None:
    if os.path.ismount("/sys/fs/resctrl"):
        pytest.skip("this host has resctrl")
    said = refused(world, "--rdt-class=gold")
    assert "/sys/fs/resctrl" in said
    assert "hint: mount -t resctrl" in said


@pytest.mark.rootful("control groups of version 1 are root's alone")
@on_v1
def test_the_parent_group_is_the_one_that_was_asked_for(world: LiveWorld) -> None:
    name = f"/sonata_test/parent{os.getpid()}"
    world.ok("run", "-d", "--network=none", f"--cgroup-parent={name}", "--name=child", "--rootfs", world.rootfs,
             "sleep", "100")  # fmt: skip
    ident = world.inspect("child")["Id"]
    for controller in ("memory", "cpu", "pids", "blkio", "devices"):
        assert group_of(world, "child", controller) == GROUPS / f"{controller}{name}/libpod-{ident}"
    world.ok("rm", "-f", "-t0", "child")
    assert not (GROUPS / f"memory{name}/libpod-{ident}").exists()


def groups_of(pid: int) -> set[str]:
    return {line.partition(":")[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()}


@on_v1
def test_without_cgroups_it_stays_in_the_callers(world: LiveWorld) -> None:
    world.ok("run", "-d", "--network=none", "--cgroups=disabled", "--name=none", "--rootfs", world.rootfs,
             "sleep", "100")  # fmt: skip
    found = world.inspect("none")
    assert not any("libpod" in line for line in groups_of(found["State"]["Pid"]))
    assert found["HostConfig"]["Cgroups"] == "disabled"
    world.ok("rm", "-f", "-t0", "none")


@pytest.mark.rootful("control groups of version 1 are root's alone")
@on_v1
@pytest.mark.parametrize(("mode", "moved"), [("enabled", True), ("no-conmon", False)])
def test_the_monitors_group(world: LiveWorld, mode: str, moved: bool) -> None:
    world.start("watched", f"--cgroups={mode}")
    state = world.inspect("watched")["State"]
    assert any("libpod-" in line for line in groups_of(state["Pid"]))
    monitor = groups_of(state["ConmonPid"])
    assert (monitor != groups_of(os.getpid())) is moved
    world.ok("rm", "-f", "-t0", "watched")


def test_split_is_refused_with_the_reason(world: LiveWorld) -> None:
    said = refused(world, "--cgroups=split")
    assert "--cgroups=split is not supported: it moves the caller" in said
    assert "--cgroup-parent" in said


def test_an_unknown_mode_of_cgroups_is_refused(world: LiveWorld) -> None:
    assert "invalid cgroup mode" in refused(world, "--cgroups=bogus")


# what a process may do


@pytest.mark.parametrize(
    ("option", "shown", "expected"),
    [
        ("nofile=333:444", "Max open files", "333 444"),
        ("nproc=50:60", "Max processes", "50 60"),
        ("core=0", "Max core file size", "0 0"),
        ("stack=1048576:2097152", "Max stack size", "1048576 2097152"),
    ],
)
def test_ulimits_hold_inside(world: LiveWorld, option: str, shown: str, expected: str) -> None:
    lines = inside(world, f"--ulimit={option}", run="cat /proc/self/limits").splitlines()
    (line,) = (line for line in lines if line.startswith(shown))
    assert expected in " ".join(line.split())


def test_ulimit_host_is_the_callers(world: LiveWorld) -> None:
    lines = inside(world, "--ulimit=host", run="cat /proc/self/limits").splitlines()
    own = Path("/proc/self/limits").read_text().splitlines()
    assert [line.split() for line in lines if "open files" in line] == [
        line.split() for line in own if "open files" in line
    ]


def test_a_ulimit_that_cannot_be_is_not_lowered_in_silence(world: LiveWorld) -> None:
    done = world.run("run", "--rm", "--network=none", "--ulimit=nofile=2000000000", "--rootfs", world.rootfs, "true")
    assert done.returncode == 126
    assert "RLIMIT_NOFILE" in done.stderr


def test_wrong_ulimits_are_refused(world: LiveWorld) -> None:
    assert "ulimit" in refused(world, "--ulimit=bogus=1:2")
    assert "ulimit" in refused(world, "--ulimit=nofile=5:4")


def test_sysctls_hold_inside_and_those_of_the_host_are_refused(world: LiveWorld) -> None:
    words = ["--sysctl=net.ipv4.ip_forward=1", "--sysctl=kernel.msgmax=9999"]
    assert inside(world, *words, run="cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax").split() == [
        "1",
        "9999",
    ]
    assert "sysctl 'kernel.panic' is not allowed" in refused(world, "--sysctl=kernel.panic=1")
    said = refused(world, "--ipc=host", "--sysctl=kernel.msgmax=1")
    assert "can't be set since IPC Namespace set to host" in said
    done = world.run("create", "--network=host", "--sysctl=net.ipv4.ip_forward=1", "--rootfs", world.rootfs, "true")
    assert "can't be set since Network Namespace set to host" in done.stderr
    assert "can't be set since UTS Namespace set to host" in refused(
        world, "--uts=host", "--sysctl=kernel.domainname=x"
    )


def status(text: str, field: str) -> int:
    return int(re.search(rf"^{field}:\s*(\w+)", text, re.MULTILINE)[1], 16)  # type: ignore[index]


def test_capabilities_added_and_dropped(world: LiveWorld) -> None:
    read = "cat /proc/self/status"
    plain = status(inside(world, run=read), "CapEff")
    more = status(inside(world, "--cap-add=NET_ADMIN,sys_time", run=read), "CapEff")
    assert more == plain | 1 << 12 | 1 << 25
    assert status(inside(world, "--cap-drop=CHOWN", run=read), "CapBnd") == plain & ~1
    assert status(inside(world, "--cap-drop=all", "--cap-add=KILL", run=read), "CapEff") == 1 << 5
    assert status(inside(world, "--cap-drop=all", run=read), "CapBnd") == 0
    assert "unknown capability" in refused(world, "--cap-add=BOGUS")


def test_an_added_capability_reaches_an_ordinary_user(world: LiveWorld) -> None:
    found = inside(world, "--user=1000", "--cap-add=NET_BIND_SERVICE", run="cat /proc/self/status")
    assert status(found, "CapEff") == status(found, "CapAmb") == 1 << 10


@pytest.mark.rootful("an ordinary user's engine has all capabilities of its namespace")
def test_privileged_has_all_that_the_engine_has(world: LiveWorld) -> None:
    found = inside(world, "--privileged", run="cat /proc/self/status; ls /dev; mount | grep ' /sys '")
    assert status(found, "CapEff") == status(Path("/proc/self/status").read_text(), "CapEff")
    assert status(found, "Seccomp") == 0
    assert "kmsg" in found.split()
    assert "(rw" in found.splitlines()[-1]


def test_no_new_privileges(world: LiveWorld) -> None:
    read = "cat /proc/self/status"
    assert status(inside(world, run=read), "NoNewPrivs") == 0
    assert status(inside(world, "--security-opt=no-new-privileges", run=read), "NoNewPrivs") == 1
    assert status(inside(world, "--security-opt=no-new-privileges:true", run=read), "NoNewPrivs") == 1


def test_seccomp_default_unconfined_and_a_file(world: LiveWorld, tmp_path: Path) -> None:
    read = "cat /proc/self/status"
    assert status(inside(world, run=read), "Seccomp") == 2
    assert status(inside(world, "--security-opt=seccomp=unconfined", run=read), "Seccomp") == 0
    profile = tmp_path / "no-mkdir.json"
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW",'
        ' "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}'
    )
    made = "busybox mkdir /tmp/x 2>&1 || true"
    assert "Function not implemented" in inside(world, f"--security-opt=seccomp={profile}", run=made)
    assert inside(world, run=made + "; busybox rmdir /tmp/x") == ""
    assert "opening seccomp profile failed" in refused(world, "--security-opt=seccomp=/nosuch")


def test_masked_paths_and_their_opening(world: LiveWorld) -> None:
    size = "wc -c < /proc/timer_list"
    assert inside(world, run=size) == "0"
    assert inside(world, "--security-opt=unmask=ALL", run="test -w /proc/sys/kernel/domainname && echo open") == "open"
    assert inside(world, "--security-opt=mask=/proc/version", run="wc -c < /proc/version") == "0"
    assert inside(world, run="wc -c < /proc/version") != "0"
    assert inside(world, "--security-opt=mask=/proc/version:/proc/uptime", run="cat /proc/uptime") == ""
    bus = "mount | grep -c ' /proc/bus '"
    assert inside(world, run=bus) == "1"
    assert inside(world, "--security-opt=unmask=/proc/bus", run=f"{bus} || true") == "0"


def test_proc_options_reach_the_mount(world: LiveWorld) -> None:
    found = inside(world, "--security-opt=proc-opts=hidepid=2", run="grep ' /proc proc' /proc/mounts")
    assert "hidepid=invisible" in found or "hidepid=2" in found


def test_labels_and_apparmor_on_hosts_without(world: LiveWorld) -> None:
    """As Podman: SELinux options are taken and do nothing where there is no SELinux; AppArmor's profile too."""
    assert inside(world, "--security-opt=label=disable", run="echo well") == "well"
    if not os.path.isdir("/sys/kernel/security/apparmor"):
        assert inside(world, "--security-opt=apparmor=unconfined", run="echo well") == "well"
        said = refused(world, "--security-opt=apparmor=mine")
        assert 'apparmor profile "mine" specified, but Apparmor is not enabled on this system' in said
    assert "invalid --security-opt" in refused(world, "--security-opt=bogus=1")


def test_oom_score_is_the_processs(world: LiveWorld) -> None:
    assert inside(world, "--oom-score-adj=500", run="cat /proc/self/oom_score_adj") == "500"
    assert "-1000" in refused(world, "--oom-score-adj=1001")


def test_the_size_of_shm(world: LiveWorld) -> None:
    size = "df -k /dev/shm | grep shm"
    assert inside(world, run=size).split()[1] == "64000"
    assert inside(world, "--shm-size=10m", run=size).split()[1] == "10240"
    assert "unable to translate --shm-size" in refused(world, "--shm-size=bogus")


def test_the_size_of_systemds_folders(world: LiveWorld) -> None:
    words = ["--systemd=always", "--shm-size-systemd=5m"]
    assert inside(world, *words, run="df -k /run | grep ' /run$'").split()[1] == "5120"


def test_a_read_only_root_with_folders_to_write_in(world: LiveWorld) -> None:
    tried = "touch /x 2>&1; touch /tmp/x && echo tmp; touch /run/x && echo run"
    found = inside(world, "--read-only", run=tried)
    assert "Read-only file system" in found
    assert found.splitlines()[-2:] == ["tmp", "run"]
    without = inside(world, "--read-only", "--read-only-tmpfs=false", run="touch /tmp/x 2>&1 || true")
    assert "Read-only file system" in without


# devices


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_device_with_its_permissions_and_place(world: LiveWorld) -> None:
    words = ["--device=/dev/zero:/dev/nothing:r", "--cap-add=MKNOD"]
    script = "head -c 3 /dev/nothing | wc -c; echo x > /dev/nothing 2>&1 || echo refused"
    assert inside(world, "--device=/dev/full:/dev/other", run="ls /dev").split().count("other") == 1
    assert inside(world, *words, run=script.replace("head -c 3", "busybox head -c 3")).split()[0] == "3"
    if V1:
        world.start("nodes", "--device=/dev/loop-control:/dev/lc:r")
        listed = (group_of(world, "nodes", "devices") / "devices.list").read_text()
        assert "c 10:237 r\n" in listed
        world.ok("rm", "-f", "-t0", "nodes")


def test_a_folder_of_devices(world: LiveWorld) -> None:
    folder = "/dev/net" if os.path.isdir("/dev/net") else "/dev/mapper"
    if not os.path.isdir(folder):
        pytest.skip("needs a folder of devices")
    names = sorted(os.listdir(folder))
    assert sorted(inside(world, f"--device={folder}:/dev/many", run="ls /dev/many").split()) == names


def test_what_is_no_device_is_refused(world: LiveWorld) -> None:
    assert "/etc/passwd" in refused(world, "--device=/etc/passwd")
    assert "no such file" in refused(world, "--device=/dev/nosuch")
    assert "invalid device mode" in refused(world, "--device=/dev/null:/dev/x:q")


@pytest.mark.rootful("control groups of version 1 are root's alone")
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--device-write-iops=/dev/nosuch:10", "could not parse device /dev/nosuch: no such file or directory"),
        ("--device-read-bps=/etc/passwd:1mb", "bad format for device path: /etc/passwd:1mb"),
        ("--device-read-bps=/dev/null:x", "<device-path>:<number>[<unit>]. Number must be a positive integer."),
        ("--device-read-iops=/dev/null:x", "<device-path>:<number>. Number must be a positive integer\n"),
        ("--blkio-weight-device=/dev/nosuch:100", "failed to inspect '/dev/nosuch' in --blkio-weight-device: no such"),
        ("--gpus=bogus!", "stat nvidia.com/gpu=bogus!: no such file or directory"),
        ("--device=vendor.com/class=", "stat vendor.com/class=: no such file or directory"),
        ("--device-cgroup-rule=bogus", 'requires type, major:Minor, and access rules: "bogus"'),
    ],
)
def test_wrong_devices_are_refused_in_podmans_words(world: LiveWorld, option: str, said: str) -> None:
    assert said in refused(world, option)


def test_options_that_are_refused_say_why(world: LiveWorld) -> None:
    assert "encrypted images" in refused(world, "--decryption-key=/k")
    assert "link-local" in refused(world, "--link-local-ip=169.254.1.1")


def test_the_policy_that_is_named_decides_about_imports(world: LiveWorld, tmp_path: Path) -> None:
    tar, policy = tmp_path / "root.tar", tmp_path / "policy.json"
    subprocess.run(["tar", "-C", world.rootfs, "-cf", tar, "bin/busybox"], check=True)
    policy.write_text('{"default": [{"type": "reject"}]}')
    done = world.run("import", "-q", f"--signature-policy={policy}", str(tar), "localhost/imported:1")
    assert done.returncode == 125
    assert f"Source image rejected: Running image tarball:{tar} is rejected by policy." in done.stderr
    assert "open /nosuch" in world.run("import", "--signature-policy=/nosuch", str(tar)).stderr
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    world.ok("import", "-q", f"--signature-policy={policy}", str(tar), "localhost/imported:1")
    world.ok("rmi", "localhost/imported:1")


def test_the_policy_that_is_named_decides_about_pulls(world: LiveWorld, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    policy = tmp_path / "policy.json"
    policy.write_text('{"default": [{"type": "reject"}]}')
    for words in (["pull"], ["run", "--rm", "--pull=always"], ["create", "--pull=always"]):
        done = world.run(*words, f"--signature-policy={policy}", f"oci:{layout}")
        assert done.returncode == 125
        assert "rejected by policy" in done.stderr, (words, done.stderr)
        done = world.run(*words, "--signature-policy=/nosuch", f"oci:{layout}")
        assert "open /nosuch" in done.stderr
