"""What options of `pod create` and `pod clone` come to, in the containers of the pod."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from live_world import LiveWorld, eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
    pytest.mark.skipif(not shutil.which("catatonit"), reason="needs catatonit"),
]

_NETWORKED = pytest.mark.skipif(not os.path.exists("/usr/lib/podman/netavark"), reason="needs netavark")


class PodWorld(LiveWorld):
    """Pods with one member each."""

    def pod(self, *words: str, network: str = "none", verb: tuple[str, ...] = ("create",)) -> str:
        given = (f"--network={network}",) if verb == ("create",) else ()
        return self.ok("pod", *verb, *given, "--cgroup-parent=/sonata_test", *words)

    def member(self, pod: str, *words: str) -> str:
        ident = self.ok("run", "-d", "--pod", pod, *words, "--rootfs", self.rootfs, "sleep", "1000")
        return ident[:12]

    def show(self, pod: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.ok("pod", "inspect", pod))
        return found[0]

    def end(self) -> None:
        self.run("pod", "rm", "-f", "-a", "-t", "0")
        super().end()


@pytest.fixture
def world(tmp_path: Path, who: Root) -> Iterator[PodWorld]:
    made = PodWorld(str(tmp_path), who)
    yield made
    made.end()
    made.run("network", "rm", "podtest")


@pytest.mark.rootful("bridge networks of ordinary users have tests of their own")
@_NETWORKED
def test_the_network_of_a_pod(world: PodWorld) -> None:
    world.ok("network", "create", "--subnet=10.213.77.0/24", "podtest")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pod = world.pod(
        *("--ip=10.213.77.9", "--mac-address=92:d0:c6:0a:29:33", "--network-alias=al", f"-p127.0.0.1:{port}:80"),
        *("--add-host=other:1.2.3.4", "--dns=9.9.9.9", "--dns-search=ex.test", "--dns-option=ndots:2", "web"),
        network="podtest",
    )
    member = world.member("web")
    hosts = world.ok("exec", member, "cat", "/etc/hosts")
    assert "1.2.3.4\tother" in hosts
    assert f"10.213.77.9\tweb {pod[:12]}-infra" in hosts
    resolv = world.ok("exec", member, "cat", "/etc/resolv.conf")
    assert "ndots:2" in resolv and "ex.test" in resolv
    # The network of a member, as it is shown, is that of its pod.
    settings = world.inspect(member)["NetworkSettings"]
    mine = settings["Networks"]["podtest"]
    assert (mine["IPAddress"], mine["MacAddress"]) == ("10.213.77.9", "92:d0:c6:0a:29:33")
    assert settings["IPAddress"] == ""  # that of the default network alone stands there
    assert "al" in settings["Networks"]["podtest"]["Aliases"]
    assert settings["Ports"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    assert world.ok("port", member) == f"80/tcp -> 127.0.0.1:{port}"
    assert f"127.0.0.1:{port}->80/tcp" in world.ok("ps", "--filter", f"id={member}")
    infra = world.show("web")["InfraConfig"]
    assert infra["Networks"] == ["podtest"]
    assert infra["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    assert (infra["DNSServer"], infra["DNSSearch"], infra["DNSOption"]) == (["9.9.9.9"], ["ex.test"], ["ndots:2"])
    assert infra["HostAdd"] == ["other:1.2.3.4"]
    assert world.ok("pod", "ps", "--filter", "network=podtest", "--format", "{{.Name}} {{.Networks}}") == "web podtest"
    taken = world.run("network", "connect", "podtest", member)
    assert (taken.returncode, "invalid network mode" in taken.stderr) == (125, True)


@pytest.mark.rootful("bridge networks of ordinary users have tests of their own")
@_NETWORKED
def test_the_second_address_of_a_pod(world: PodWorld) -> None:
    world.ok("network", "create", "--subnet=10.213.77.0/24", "--ipv6", "--subnet=fd00:77::/64", "podtest")
    world.pod("--ip6=fd00:77::9", "six", network="podtest")
    member = world.member("six")
    shown = world.inspect(member)["NetworkSettings"]["Networks"]["podtest"]
    assert shown["GlobalIPv6Address"] == "fd00:77::9"


def test_files_of_hosts_and_names(world: PodWorld, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("5.6.7.8 base\n")
    world.pod("--hosts-file", str(tmp_path / "hosts"), "based")
    assert "5.6.7.8\tbase" in world.ok("exec", world.member("based"), "cat", "/etc/hosts")
    Path(world.rootfs, "etc/hosts").write_text("own\n")
    Path(world.rootfs, "etc/hostname").write_text("own\n")
    world.pod("--no-hosts", "--no-hostname", "own")
    member = world.member("own")
    assert world.ok("exec", member, "cat", "/etc/hosts") == "own"
    infra = world.show("own")["InfraConfig"]
    assert (infra["NoManageHosts"], infra["NoManageHostname"]) == (True, True)


def test_namespaces_of_the_host(world: PodWorld) -> None:
    world.pod("--pid=host", "--uts=host", "--share=+pid", "near")
    member = world.member("near")
    pid = world.inspect(member)["State"]["Pid"]
    for kind in ("pid", "uts"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") == os.readlink(f"/proc/self/ns/{kind}")
    infra = world.show("near")["InfraConfig"]
    assert (infra["pid_ns"], infra["uts_ns"]) == ("host", "host")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_group_of_its_own_only_where_it_is_shared(world: PodWorld) -> None:
    pod = world.pod("--share-parent=false", "apart")
    member = world.member("apart")
    shown = world.show("apart")
    assert (shown["CreateCgroup"], "CgroupPath" in shown) == (False, False)
    assert pod not in world.inspect(member)["State"]["CgroupPath"]
    refused = world.run("pod", "create", "--share-parent=false", "--memory=10m")
    assert refused.returncode == 125
    world.pod("--share-parent=false", "--share=cgroup,ipc", "joined")
    member = world.member("joined", "--network=none")
    infra = world.inspect(world.show("joined")["InfraContainerID"])["State"]["Pid"]
    assert os.readlink(f"/proc/{world.inspect(member)['State']['Pid']}/ns/cgroup") == os.readlink(
        f"/proc/{infra}/ns/cgroup"
    )


def test_sizes_settings_and_volumes(world: PodWorld) -> None:
    world.ok("create", "--name=giver", "--network=none", "-v", "/given", "--rootfs", world.rootfs, "true")
    world.pod("--sysctl=kernel.msgmax=4242", "--shm-size=3m", "--volumes-from=giver", "-v", "/own", "sized")
    member, other = world.member("sized"), world.member("sized")
    assert world.ok("exec", member, "cat", "/proc/sys/kernel/msgmax") == "4242"
    assert os.statvfs(f"/proc/{world.inspect(member)['State']['Pid']}/root/dev/shm").f_blocks * 4096 == 3 << 20
    world.ok("exec", member, "touch", "/given/file", "/own/file")
    assert world.ok("exec", other, "ls", "/given", "/own").split() == ["/given:", "file", "/own:", "file"]
    world.ok("pod", "rm", "-f", "-t0", "sized")
    # The pod's anonymous volume is gone with it, the other container's is not.
    assert len(world.ok("volume", "ls", "-q").split()) == 1


def test_the_size_of_systemds_folders(world: PodWorld) -> None:
    world.pod("--shm-size-systemd=7m", "systemd")
    member = world.member("systemd", "--systemd=always")
    assert os.statvfs(f"/proc/{world.inspect(member)['State']['Pid']}/root/run").f_blocks * 4096 == 7 << 20


def test_labels_from_files(world: PodWorld, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("one=1\ntwo=2\n")
    world.pod("--label-file", str(tmp_path / "labels"), "--label=two=3", "marked")
    assert world.show("marked")["Labels"] == {"one": "1", "two": "3"}


def _disk() -> str:
    for name in sorted(os.listdir("/sys/block")):
        if os.path.exists(f"/dev/{name}") and int(Path(f"/sys/block/{name}/size").read_text()):
            return f"/dev/{name}"
    pytest.skip("needs a disk")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_rates_and_weights_of_disks(world: PodWorld) -> None:
    disk = _disk()
    pod = world.pod(f"--device-read-bps={disk}:1mb", f"--device-write-bps={disk}:2mb", "slow")
    world.member("slow")
    node = os.stat(disk).st_rdev
    head = f"{os.major(node)}:{os.minor(node)}"
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        text = Path(f"/sys/fs/cgroup/sonata_test/{pod}/io.max").read_text()
        assert f"{head} rbps=1048576 wbps=2097152" in text
    else:
        folder = f"/sys/fs/cgroup/blkio/sonata_test/{pod}/blkio.throttle"
        assert Path(f"{folder}.read_bps_device").read_text().split() == [head, "1048576"]
        assert Path(f"{folder}.write_bps_device").read_text().split() == [head, "2097152"]
    weighed = world.run("pod", "create", "--blkio-weight=300", "--cgroup-parent=/sonata_test", "heavy")
    files = [path for pattern in (".weight", ".bfq.weight") if (path := _weight(weighed.stdout.strip(), pattern))]
    if weighed.returncode == 0 and "discarded" not in weighed.stderr:
        assert world.show("heavy")["blkio_weight"] == 300
        assert [path.read_text().split()[-1] for path in files] == ["300"] * len(files) != []
    else:
        assert "Weight discarded" in weighed.stderr
    # A device has a weight only where BFQ schedules it: else the kernel's refusal is told, and nothing is made.
    device = world.run("pod", "create", f"--blkio-weight-device={disk}:200", "--name=one-disk")
    if device.returncode:
        assert ("blkio" in device.stderr and "weight_device" in device.stderr) or "io.bfq.weight" in device.stderr
        assert world.run("pod", "exists", "one-disk").returncode == 1
    elif "discarded" not in device.stderr:
        assert world.show("one-disk")["blkio_weight_device"][0]["Weight"] == 200


def _weight(pod: str, kind: str) -> Path | None:
    """The file of a pod's weight, where there is one."""
    for folder, head in (("blkio/", "blkio"), ("", "io")):
        path = Path(f"/sys/fs/cgroup/{folder}sonata_test/{pod}/{head}{kind}")
        if path.exists():
            return path
    return None


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_nodes_of_memory(world: PodWorld) -> None:
    pod = world.pod("--cpuset-mems=0", "--memory=50m", "bound")
    path = Path(f"/sys/fs/cgroup/cpuset/sonata_test/{pod}/cpuset.mems")
    if not path.exists():
        path = Path(f"/sys/fs/cgroup/sonata_test/{pod}/cpuset.mems")
    assert path.read_text().strip() == "0"
    assert world.show("bound")["cpuset_mems"] == "0"


def test_devices_of_nvidias_kind(world: PodWorld, tmp_path: Path) -> None:
    edits = {"containerEdits": {"env": ["GPU=yes"]}}
    made = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all", **edits}]}
    folder = tmp_path / "cdi"
    folder.mkdir()
    (folder / "nvidia.json").write_text(json.dumps(made))
    world.options.append(f"--cdi-spec-dir={folder}")
    world.pod("--gpus=all", "fast")
    member = world.member("fast")
    assert b"GPU=yes" in Path(f"/proc/{world.inspect(member)['State']['Pid']}/environ").read_bytes().split(b"\0")


def test_an_infra_container_of_an_image_with_another_command(world: PodWorld, tmp_path: Path) -> None:
    world.ok("import", "-q", _archive(world), "localhost/box:1")
    pid_file = tmp_path / "conmon.pid"
    world.pod(
        *("--infra-image=localhost/box:1", "--infra-command=sleep 1000", "--infra-name=holder"),
        *("--infra-conmon-pidfile", str(pid_file), "imaged"),
    )
    world.ok("pod", "start", "imaged")
    shown = world.inspect("holder")
    assert (shown["ImageName"], shown["Path"], shown["Args"]) == ("localhost/box:1", "sleep", ["1000"])
    assert int(pid_file.read_text()) == shown["State"]["ConmonPid"]
    assert eventually(lambda: shown["State"]["Running"])
    # As podman 5.8.6 has it, an infra container's command is not listed.
    assert world.ok("ps", "--format", "{{.Image}}|{{.Command}}|{{.IsInfra}}") == "localhost/box:1||true"
    world.ok("pod", "rm", "-f", "-t0", "imaged")


def _archive(world: PodWorld) -> str:
    path = f"{world.base}/rootfs.tar"
    shutil.make_archive(path.removesuffix(".tar"), "tar", world.rootfs)
    return path


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_clone_with_other_options(world: PodWorld, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("two=2\n")
    world.pod("--label=one=1", "--cpu-shares=512", "--memory=50m", "first")
    world.ok("create", "--pod=first", "--name=m", "--rootfs", world.rootfs, "sleep", "1000")
    world.pod(
        *("--cpus=0.5", "--cpu-shares=256", "--cpuset-cpus=0", "--cpuset-mems=0", "--memory=80m", "--memory-swap=90m"),
        *("--label-file", str(tmp_path / "labels"), "--hostname=other", "--name=second", "--infra-name=holder"),
        *("-v", f"{tmp_path}:/vol", "--sysctl=kernel.msgmax=4243", "--shm-size=2m", "--device=/dev/null:/dev/nn"),
        *("--restart=on-failure:2", "--security-opt=no-new-privileges", "--start", "first"),
        verb=("clone",),
    )
    shown = world.show("second")
    assert (shown["memory_limit"], shown["memory_swap"], shown["cpu_shares"]) == (80 << 20, 90 << 20, 256)
    assert (shown["cpu_quota"], shown["cpuset_cpus"], shown["cpuset_mems"]) == (50000, "0", "0")
    assert (shown["Labels"], shown["Hostname"], shown["State"]) == ({"one": "1", "two": "2"}, "other", "Running")
    assert [one["Name"] for one in shown["Containers"]] == ["holder", "m-clone"]
    assert (shown["RestartPolicy"], shown["security_opt"]) == ("on-failure", ["no-new-privileges"])
    assert world.ok("exec", "m-clone", "ls", "/vol/labels", "/dev/nn").split() == ["/dev/nn", "/vol/labels"]
    assert world.ok("exec", "m-clone", "cat", "/proc/sys/kernel/msgmax") == "4243"
    pid = world.inspect("m-clone")["State"]["Pid"]
    assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
    assert os.statvfs(f"/proc/{pid}/root/dev/shm").f_blocks * 4096 == 2 << 20
    assert world.show("first")["memory_limit"] == 50 << 20


@pytest.mark.rootful("ids of the host's")
def test_a_clone_in_other_namespaces(world: PodWorld) -> None:
    world.pod("first")
    world.pod("--pid=host", "--uts=host", "--name=near", "first", verb=("clone",))
    infra = world.show("near")["InfraConfig"]
    assert (infra["pid_ns"], infra["uts_ns"]) == ("host", "host")
    world.pod("--uidmap=0:100000:5000", "--gidmap=0:200000:5000", "--name=mapped", "first", verb=("clone",))
    world.ok("pod", "start", "mapped")
    pid = world.inspect(world.show("mapped")["InfraContainerID"])["State"]["Pid"]
    assert Path(f"/proc/{pid}/uid_map").read_text().split() == ["0", "100000", "5000"]
    assert Path(f"/proc/{pid}/gid_map").read_text().split() == ["0", "200000", "5000"]


_FEW = Path("/etc/subuid")


def _ranges() -> tuple[str, str]:
    """A user with ranges of ids on this host, and the first id of its range."""
    for line in _FEW.read_text().splitlines() if _FEW.exists() else ():
        name, first, _ = line.split(":")
        if any(other.startswith(f"{name}:") for other in Path("/etc/subgid").read_text().splitlines()):
            return name, first
    pytest.skip("needs a user with subordinate ids")


def _uid_map(world: PodWorld, pod: str) -> list[str]:
    world.ok("pod", "start", pod)
    pid = world.inspect(world.show(pod)["InfraContainerID"])["State"]["Pid"]
    return Path(f"/proc/{pid}/uid_map").read_text().split()


@pytest.mark.rootful("ranges of the host's, by names that it has")
def test_user_namespaces_by_mode_and_by_name(world: PodWorld) -> None:
    world.pod("--userns=keep-id:uid=5,gid=6", "kept")
    assert _uid_map(world, "kept")[0] == "0"
    own = os.readlink("/proc/self/ns/user")
    pid = world.inspect(world.show("kept")["InfraContainerID"])["State"]["Pid"]
    assert os.readlink(f"/proc/{pid}/ns/user") != own
    name, first = _ranges()
    world.pod(f"--subuidname={name}", f"--subgidname={name}", "named")
    assert _uid_map(world, "named")[:2] == ["0", first]
    world.pod(f"--subuidname={name}", f"--subgidname={name}", "--name=cloned", "kept", verb=("clone",))


def test_pods_by_template_and_by_age(world: PodWorld) -> None:
    world.pod("--label=a=b", "--hostname=hh", "old")
    made = world.pod("new")
    assert world.ok("pod", "inspect", "--format", "{{.Name}} {{.State}} {{.Hostname}}", "old") == "old Created hh"
    assert world.ok("pod", "inspect", "--format", "{{.Labels.a}} {{.NumContainers}} {{.ExitPolicy}}", "old") == (
        "b 1 continue"
    )
    assert world.ok("pod", "inspect", "--latest", "--format", "{{.ID}} {{.SharedNamespaces}}") == (
        f"{made} [ipc net uts]"
    )
    assert world.ok("pod", "inspect", "--format", "{{.InfraConfig.HostNetwork}} {{.MemoryLimit}}", "old") == "false 0"
    gone = world.run("pod", "inspect", "nope")
    assert (gone.returncode, gone.stdout, gone.stderr) == (125, "[]\n", "Error: no such pod nope\n")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_verbs_on_all_pods_and_on_the_latest(world: PodWorld) -> None:
    old, new = world.pod("old"), world.pod("new")
    both = [old, new]

    def states() -> list[str]:
        return world.ok("pod", "ps", "--sort=name", "--format", "{{.Status}}").split()

    assert world.ok("pod", "start", "--latest") == "new"
    assert states() == ["Running", "Created"]
    assert world.ok("pod", "start", "--all").split() == ["old", "new"]
    assert world.ok("pod", "pause", "--latest") == new
    assert world.ok("pod", "unpause", "--latest") == new
    assert world.ok("pod", "pause", "--all").split() == both
    assert states() == ["Paused", "Paused"]
    assert world.ok("pod", "unpause", "--all").split() == both
    assert world.ok("pod", "restart", "--latest") == new
    assert world.ok("pod", "restart", "--all").split() == both
    assert world.ok("pod", "kill", "--signal=TERM", "--latest") == new
    assert eventually(lambda: states() == ["Exited", "Running"])
    assert world.ok("pod", "stop", "--time=0", "--all", "--ignore").split() == ["old", "new"]
    assert states() == ["Exited", "Exited"]
    assert world.ok("pod", "start", "--all").split() == ["old", "new"]
    assert world.ok("pod", "kill", "--all").split() == both
    assert world.ok("pod", "stop", "--latest") == "new"
    assert world.ok("pod", "rm", "--latest") == new
    assert world.ok("pod", "rm", "--all", "--force", "--time=0") == old
    for words, told in (
        (("start",), "you must provide at least one name or id"),
        (("start", "--all", "x"), "no arguments are needed with --all"),
        (("stop", "--all", "--latest"), "--all and --latest cannot be used together"),
        (("top",), "you must provide the name or id of a running pod"),
        (("logs",), "specify at least one pod name or ID to log"),
        (("logs", "a", "b"), "requires exactly 1 arg"),
        (("kill", "nope"), "no pod with name or ID nope found: no such pod"),
        (("top", "nope"), "unable to look up requested container: no pod with name or ID nope found: no such pod"),
        (("stats", "nope"), "unable to get list of pods: no pod with name or ID nope found: no such pod"),
    ):
        refused = world.run("pod", *words)
        assert (refused.returncode, refused.stderr) == (125, f"Error: {told}\n")


def test_logs_of_a_pod_are_followed(world: PodWorld) -> None:
    world.pod("one")
    for number in "12":
        words = ("--log-opt=tag=t", f"--name=m{number}", "--rootfs", world.rootfs)
        world.ok("create", "--pod=one", *words, "sh", "-c", f"echo begun{number}; sleep 1; echo ended{number}")
    world.ok("pod", "start", "one")
    followed = world.ok("pod", "logs", "--follow", "--names", "one").splitlines()
    assert sorted(followed) == ["m1 begun1", "m1 ended1", "m2 begun2", "m2 ended2"]
    assert "tag=t begun1" in world.ok("pod", "logs", "--details", "-c", "m1", "one")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_clone_of_disks_devices_and_users(world: PodWorld, tmp_path: Path) -> None:
    disk = _disk()
    edits = {"containerEdits": {"env": ["GPU=yes"]}}
    folder = tmp_path / "cdi"
    folder.mkdir()
    made = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "all", **edits}]}
    (folder / "nvidia.json").write_text(json.dumps(made))
    world.options.append(f"--cdi-spec-dir={folder}")
    world.ok("create", "--name=giver", "--network=none", "-v", "/given", "--rootfs", world.rootfs, "true")
    world.pod("first")
    world.ok("create", "--pod=first", "--name=m", "--systemd=always", "--rootfs", world.rootfs, "sleep", "1000")
    pod = world.pod(
        *("--blkio-weight=0", f"--device-read-bps={disk}:1mb", f"--device-write-bps={disk}:2mb", "--gpus=all"),
        *("--infra-command=/catatonit -P", "--infra-conmon-pidfile", f"{tmp_path}/pid", "--shm-size-systemd=7m"),
        *("--volumes-from=giver", f"--blkio-weight-device={disk}:0", "--start", "--name=second", "first"),
        verb=("clone",),
    )
    shown = world.show("second")
    assert [one["Rate"] for one in shown["device_read_bps"]] == [1048576]
    assert [one["Rate"] for one in shown["device_write_bps"]] == [2097152]
    assert shown["CgroupPath"] == f"/sonata_test/{pod}"
    copy = world.inspect("m-clone")
    assert world.ok("exec", "m-clone", "ls", "-d", "/given") == "/given"
    assert os.statvfs(f"/proc/{copy['State']['Pid']}/root/run").f_blocks * 4096 == 7 << 20
    assert b"GPU=yes" in Path(f"/proc/{copy['State']['Pid']}/environ").read_bytes().split(b"\0")
    infra = world.inspect(shown["InfraContainerID"])
    assert int(Path(f"{tmp_path}/pid").read_text()) == infra["State"]["ConmonPid"]


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_container_is_cloned_into_a_pod(world: PodWorld) -> None:
    pod = world.pod("--hostname=shared", "one")
    world.start("alone")
    clone = world.ok("container", "clone", "--pod=one", "--run", "alone", "inside")
    shown = world.inspect("inside")
    infra = world.show("one")["InfraContainerID"]
    assert (shown["Id"], shown["Pod"]) == (clone, pod)
    assert shown["HostConfig"]["NetworkMode"] == shown["HostConfig"]["UTSMode"] == f"container:{infra}"
    assert shown["State"]["CgroupPath"].startswith(f"/sonata_test/{pod}/")
    assert world.ok("exec", "inside", "cat", "/etc/hostname") == "shared"
    # A member's clone is in the same pod, or in the one that is named.
    world.ok("container", "clone", "inside", "again")
    assert world.inspect("again")["Pod"] == pod
    other = world.pod("two")
    world.ok("container", "clone", "--pod=two", "inside", "moved")
    moved = world.inspect("moved")
    assert (moved["Pod"], moved["Dependencies"]) == (other, [world.show("two")["InfraContainerID"]])
    gone = world.run("container", "clone", "--pod=nope", "alone")
    assert (gone.returncode, gone.stderr) == (125, "Error: no pod with name or ID nope found: no such pod\n")


def test_what_a_pod_holds_goes_with_the_pod(world: PodWorld) -> None:
    """Removing by force what an infra container uses removes the pod; `rm --all` takes pods too."""
    world.ok("volume", "create", "held")
    world.pod("-v", "held:/vol", "one")
    world.member("one", "--name=m1")
    world.ok("volume", "rm", "-f", "-t0", "held")
    assert world.ok("pod", "ps", "-q") == world.ok("ps", "-aq") == ""
    world.pod("two")
    member = world.member("two", "--name=m2")
    refused = world.run("rm", "--all")
    assert refused.returncode != 0
    assert f"cannot remove container {member}" in refused.stderr
    world.ok("rm", "--all", "--force", "-t0")
    assert world.ok("pod", "ps", "-q") == ""
    assert os.listdir(f"{world.base}/tmp/sonata/locks") == []


def test_members_find_each_other_by_name(world: PodWorld) -> None:
    world.pod("one")
    world.member("one", "--name=m1")
    world.member("one", "--name=m2")
    assert "127.0.0.1\tm1\n127.0.0.1\tm2" in world.ok("exec", "m1", "cat", "/etc/hosts")
    world.ok("rm", "-f", "-t0", "m2")
    text = world.ok("exec", "m1", "cat", "/etc/hosts")
    assert "m1" in text and "m2" not in text


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_pods_are_explained_and_completed(world: PodWorld) -> None:
    pod = world.pod("--hostname=shared", "one")
    infra = world.show("one")["InfraContainerID"]
    world.ok("pod", "start", "one")
    words = ("create", "--explain=json", "--pod=one", "--rootfs", world.rootfs, "true")
    told = json.loads(world.ok(*words))
    assert told["Spec"]["annotations"]["io.kubernetes.cri-o.SandboxID"] == infra
    assert told["Spec"]["linux"]["cgroupsPath"].startswith(f"/sonata_test/{pod}/")
    words, root = ("create", "--explain=json", "--network=none"), ("--rootfs", world.rootfs, "true")
    new = json.loads(world.ok(*words, "--pod=new:x", "--hostname=hh", *root))
    spaces = {one["type"]: one.get("path", "") for one in new["Spec"]["linux"]["namespaces"]}
    assert spaces["uts"] == "/proc/‹process of the infra container›/ns/uts"
    assert "‹pod id›" in new["Spec"]["linux"]["cgroupsPath"]
    assert any("‹infra container id›" in one["Source"] for one in new["Mounts"])
    assert world.run("pod", "exists", "x").returncode == 1
    taken = world.run(*words, "--pod=new:one", *root)
    assert taken.stderr.splitlines()[0] == 'Error: adding pod to state: name "one" is in use: pod already exists'
    # One that is there and does not run is explained too.
    world.ok("pod", "create", "--network=none", "late")
    assert "‹process of " in world.ok(*words[:2], "--pod=late", *root)
    spec = json.loads(world.ok("generate", "spec", "one"))
    assert (spec["name"], spec["hostname"], spec["netns"]) == ("one-clone", "shared", {"nsmode": "none"})
    assert (spec["utsns"], spec["pidns"], spec["cgroup_parent"]) == (
        {"nsmode": "private"},
        {"nsmode": "default"},
        "/sonata_test",
    )
    assert spec["idmappings"]["HostUIDMapping"] is True and "mounts" not in spec
    assert json.loads(world.ok("generate", "spec", "-c", "--name=false", "one"))["name"] == "one"
    renumbered = world.ok("system", "renumber")
    assert pod not in renumbered


@pytest.mark.rootful("bridge networks of ordinary users have tests of their own")
@_NETWORKED
def test_a_pod_is_found_by_its_name(world: PodWorld) -> None:
    world.ok("network", "create", "--subnet=10.213.77.0/24", "podtest")
    world.pod("web", network="podtest")
    world.ok("pod", "start", "web")
    words = ("run", "--rm", "--network=podtest", "--rootfs", world.rootfs, "busybox", "nslookup", "web.dns.podman")
    assert eventually(lambda: "Address: 10.213.77." in world.run(*words).stdout)
