"""Pods: containers that share namespaces, a control group and a fate; as podman 5.8.6 has them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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


class PodWorld(LiveWorld):
    """Pods without a network of their own, below a control group for tests."""

    def pod(self, name: str, *words: str) -> str:
        return self.ok("pod", "create", "--network=none", "--cgroup-parent=/sonata_test", "--name", name, *words)

    def member(self, pod: str, name: str, *words: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        return self.ok("run", "-d", "--pod", pod, "--name", name, *words, "--rootfs", self.rootfs, *command)

    def made(self, pod: str, name: str, *words: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        return self.ok("create", "--pod", pod, "--name", name, *words, "--rootfs", self.rootfs, *command)

    def show(self, pod: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.ok("pod", "inspect", pod))
        return found[0]

    def states(self, pod: str) -> tuple[str, dict[str, str]]:
        shown = self.show(pod)
        return shown["State"], {one["Name"]: one["State"] for one in shown.get("Containers", ())}

    def end(self) -> None:
        self.run("pod", "rm", "-f", "-a", "-t", "0")
        super().end()


@pytest.fixture
def world(tmp_path: Path, who: Root) -> Iterator[PodWorld]:
    made = PodWorld(str(tmp_path), who)
    yield made
    made.end()


def groups(ident: str) -> list[str]:
    found = subprocess.run(
        ["find", "/sys/fs/cgroup", "-name", f"*{ident}*"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_pod_from_its_making_to_its_removal(world: PodWorld) -> None:
    ident = world.pod("one", "--label", "a=b")
    infra = f"{ident[:12]}-infra"
    assert world.states("one") == ("Created", {infra: "created"})
    assert world.run("pod", "exists", "one").returncode == 0
    assert world.run("pod", "exists", "nope").returncode == 1
    assert world.ok("pod", "start", "one") == "one"
    world.member("one", "m1", "--stop-signal=KILL")
    assert world.states("one") == ("Running", {infra: "running", "m1": "running"})
    assert world.ok("pod", "stop", ident[:8]) == ident[:8]
    assert world.states("one") == ("Exited", {infra: "exited", "m1": "exited"})
    assert world.ok("pod", "stop", "one") == "one"
    assert world.ok("start", "m1") == "m1"
    assert world.states("one")[0] == "Running"
    assert world.ok("pod", "restart", "one") == ident
    assert world.states("one")[0] == "Running"
    assert world.ok("pod", "pause", "one") == ident
    assert world.states("one")[0] == "Paused"
    assert world.ok("pod", "unpause", "one") == ident
    assert world.ok("pod", "unpause", "one") == ""
    assert world.ok("pod", "kill", "one") == ident
    assert world.states("one")[0] == "Exited"
    assert world.ok("pod", "rm", "one") == ident
    assert world.run("pod", "rm", "one").returncode == 1
    assert world.ok("ps", "-aq") == ""
    assert not groups(ident)
    told = [event["Status"] for event in world.events("--filter", "pod=one")]
    assert told == ["create", "start", "stop", "stop", "stop", "start", "pause", "unpause", "kill", "remove"]


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_members_share_namespaces_names_and_group(world: PodWorld) -> None:
    ident = world.pod("one", "--hostname", "shared", "--shm-size=1m", "--share", "+pid")
    world.member("one", "m1")
    world.member("one", "m2", command=("sh", "-c", "echo $HOSTNAME > /dev/shm/file; exec sleep 1000"))
    shown = {name: world.inspect(name) for name in ("m1", "m2")}
    infra = world.show("one")["InfraContainerID"]
    for kind in ("ipc", "net", "uts", "pid"):
        links = {os.readlink(f"/proc/{one['State']['Pid']}/ns/{kind}") for one in shown.values()}
        assert len(links) == 1, kind
    assert eventually(lambda: world.run("exec", "m1", "cat", "/dev/shm/file").stdout == "shared\n")
    assert world.ok("exec", "m1", "cat", "/etc/hostname") == "shared"
    one = shown["m1"]
    assert one["Pod"] == ident
    assert one["HostConfig"]["IpcMode"] == f"container:{infra}"
    assert one["HostConfig"]["UTSMode"] == one["HostConfig"]["PidMode"] == f"container:{infra}"
    assert one["HostConfig"]["CgroupParent"] == f"/sonata_test/{ident}"
    assert one["State"]["CgroupPath"] == f"/sonata_test/{ident}/libpod-{one['Id']}"
    assert one["Config"]["Annotations"]["io.kubernetes.cri-o.SandboxID"] == infra
    assert one["Config"]["Hostname"] == "shared"
    assert one["Dependencies"] == [infra]
    assert world.inspect(infra)["IsInfra"] is True
    assert world.show("one")["SharedNamespaces"] == ["ipc", "net", "pid", "uts"]


def test_what_runs_keeps_a_pod_and_an_infra_container_goes_with_it_only(world: PodWorld) -> None:
    ident = world.pod("one")
    member = world.member("one", "m1")
    infra = world.show("one")["InfraContainerID"]
    refused = world.run("pod", "rm", "one")
    assert refused.returncode == 125
    assert refused.stderr.startswith(
        f"Error: not all containers could be removed from pod {ident}: removing pod containers\n"
    )
    assert (
        f"Error: error removing container {member} from pod {ident}: "
        f"cannot remove container {member} as it is running - "
        "running or paused containers cannot be removed without force: container state improper\n"
    ) in refused.stderr
    alone = world.run("rm", "-f", infra)
    assert alone.returncode == 125
    assert alone.stderr.startswith(
        f"Error: container {infra} is the infra container of pod {ident} "
        "and cannot be removed without removing the pod\n"
    )
    assert world.ok("stop", "-t0", "m1", infra) == f"m1\n{infra}"
    assert world.ok("container", "prune", "-f") == ""
    assert world.ok("rm", "m1") == "m1"
    assert world.ok("pod", "start", "one") == "one"
    assert world.ok("pod", "rm", "one") == ident
    assert world.ok("pod", "rm", "-f", "one") == world.ok("pod", "rm", "-i", "one") == ""


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_limits_hold_for_the_whole_pod(world: PodWorld) -> None:
    limits = ("--memory=100m", "--cpus=0.5", "--cpu-shares=512", "--cpuset-cpus=0", "--memory-swap=150m")
    ident = world.pod("one", *limits)
    world.member("one", "m1")
    group = f"/sonata_test/{ident}"
    files = {
        "memory": (("memory.limit_in_bytes", "104857600"), ("memory.memsw.limit_in_bytes", "157286400")),
        "cpu": (("cpu.cfs_quota_us", "50000"), ("cpu.shares", "512")),
        "cpuset": (("cpuset.cpus", "0"),),
    }
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        assert Path(f"/sys/fs/cgroup{group}/memory.max").read_text().strip() == "104857600"
        assert Path(f"/sys/fs/cgroup{group}/cpu.max").read_text().split() == ["50000", "100000"]
    else:
        for controller, pairs in files.items():
            for name, value in pairs:
                assert Path(f"/sys/fs/cgroup/{controller}{group}/{name}").read_text().strip() == value, name
    shown = world.show("one")
    assert (shown["memory_limit"], shown["memory_swap"], shown["cpu_shares"]) == (104857600, 157286400, 512)
    assert (shown["cpu_period"], shown["cpu_quota"], shown["cpuset_cpus"]) == (100000, 50000, "0")
    assert world.ok("pod", "rm", "-f", "-t0", "one") == ident
    assert not groups(ident)


def test_members_inherit_volumes_devices_security_and_policy(world: PodWorld, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("seen")
    world.pod(
        *("one", "-v", f"{tmp_path}/folder:/vol:ro", "--device", "/dev/null:/dev/other", "--restart=on-failure:3"),
        *("--security-opt", "seccomp=unconfined"),
    )
    world.member("one", "m1")
    assert world.ok("exec", "m1", "cat", "/vol/file") == "seen"
    assert world.ok("exec", "m1", "ls", "/dev/other") == "/dev/other"
    shown = world.inspect("m1")
    assert shown["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert shown["HostConfig"]["SecurityOpt"] == ["seccomp=unconfined"]
    assert "Seccomp:\t0" in Path(f"/proc/{shown['State']['Pid']}/status").read_text()
    pod = world.show("one")
    assert [one["Destination"] for one in pod["mounts"]] == ["/vol"]
    assert (pod["security_opt"], pod["RestartPolicy"]) == (["seccomp=unconfined"], "on-failure")
    world.member("one", "m2", "--restart=always")
    assert world.inspect("m2")["HostConfig"]["RestartPolicy"]["Name"] == "always"


_SHARED = "network cannot be configured when it is shared with a pod"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-p", "80:80"), f"published or exposed ports must be defined when the pod is created: {_SHARED}"),
        (("-P",), f"published or exposed ports must be defined when the pod is created: {_SHARED}"),
        (("--add-host", "b:1.1.1.1"), f"extra host entries must be specified on the pod: {_SHARED}"),
        (("--ip", "10.1.2.3"), f"networks must be defined when the pod is created: {_SHARED}"),
        (("--network-alias", "q"), f"networks must be defined when the pod is created: {_SHARED}"),
        (("--hostname", "foo"), "cannot set hostname when joining the pod UTS namespace: invalid configuration"),
    ],
)
def test_what_is_the_pods_is_refused_to_members(world: PodWorld, options: tuple[str, ...], told: str) -> None:
    world.pod("one")
    refused = world.run("create", "--pod", "one", *options, "--rootfs", world.rootfs, "true")
    assert refused.returncode == 125
    assert refused.stderr.splitlines()[0] == f"Error: invalid config provided: {told}"


def test_a_user_namespace_is_the_pods(world: PodWorld) -> None:
    for folder in ("", "/etc", "/run"):
        os.chown(f"{world.rootfs}{folder}", world.who.owner(1000), world.who.owner(1000))
    world.pod("one", "--uidmap=0:1000:5000", "--gidmap=0:1000:5000")
    world.member("one", "m1")
    seen = Path(f"/proc/{world.inspect('m1')['State']['Pid']}/uid_map").read_text().split()
    assert seen == ["0", str(world.who.owner(1000)), "5000"]
    refused = world.run("create", "--pod", "one", "--userns=auto", "--rootfs", world.rootfs, "true")
    told = "Error: cannot set user namespace mode when joining pod with infra container: invalid argument\n"
    assert (refused.returncode, refused.stderr) == (125, told)


def test_a_pod_without_an_infra_container(world: PodWorld) -> None:
    ident = world.ok("pod", "create", "--infra=false", "--cgroup-parent=/sonata_test", "bare")
    assert "InfraContainerID" not in world.show("bare")
    empty = world.run("pod", "start", "bare")
    told = f"no containers in pod {ident} have no dependencies, cannot start pod: no such container"
    assert (empty.returncode, empty.stderr) == (125, f"Error: {told}\n")
    world.made("bare", "n1", "--network=none")
    assert world.ok("pod", "start", "bare") == "bare"
    assert world.states("bare") == ("Running", {"n1": "running"})
    world.member("bare", "n2", "--network=none", command=("false",))
    assert eventually(lambda: world.states("bare") == ("Degraded", {"n1": "running", "n2": "exited"}))
    for words, told in (
        (("--share", "net"), "cannot set share(net) namespaces without an infra container"),
        (("-p", "80:80"), "you must have an infra container to publish port bindings to the host"),
        (("--network", "none"), "NoInfra and network modes cannot be used together"),
        (("--dns", "1.1.1.1"), "NoInfra and DNSServer are mutually exclusive pod options: invalid pod spec"),
        (("--ip", "10.0.0.9"), "cannot set --ip without infra container: invalid argument"),
        (("--hostname", "foo"), "--hostname has no effect without an infra container"),
    ):
        refused = world.run("pod", "create", "--infra=false", *words, "more")
        assert (refused.returncode, refused.stderr.splitlines()[0]) == (125, f"Error: {told}")
    # With nothing shared there is no infra container either.
    world.ok("pod", "create", "--share", "none", "loose")
    assert world.show("loose")["CreateInfra"] is False


def test_init_containers_run_before_the_others(world: PodWorld, tmp_path: Path) -> None:
    world.pod("one", "-v", f"{tmp_path}:/vol")
    world.made("one", "once", "--init-ctr=once", command=("sh", "-c", "echo once >> /vol/log"))
    world.made("one", "always", "--init-ctr=always", command=("sh", "-c", "echo always >> /vol/log"))
    world.made("one", "main", command=("sh", "-c", "echo main >> /vol/log; exec sleep 1000"))
    log = tmp_path / "log"
    assert world.ok("pod", "start", "one") == "one"
    assert eventually(lambda: log.read_text() == "once\nalways\nmain\n")
    state, states = world.states("one")
    assert (state, states["always"], "once" in states) == ("Running", "exited", False)
    world.ok("pod", "stop", "-t0", "one")
    world.ok("pod", "start", "one")
    assert eventually(lambda: log.read_text() == "once\nalways\nmain\nalways\nmain\n")
    running = world.run("create", "--pod=one", "--init-ctr=once", "--rootfs", world.rootfs, "true")
    assert (running.returncode, running.stderr) == (125, "Error: cannot add init-ctr to a running pod\n")
    for words, told in (
        (("--init-ctr=once",), "must specify pod value with init-ctr"),
        (("--init-ctr=foo", "--pod=one"), "init-ctr value must be 'always' or 'once'"),
    ):
        refused = world.run("create", *words, "--rootfs", world.rootfs, "true")
        assert (refused.returncode, refused.stderr) == (125, f"Error: {told}\n")


def test_a_pod_whose_init_container_fails_does_not_start(world: PodWorld) -> None:
    ident = world.pod("one")
    first = world.made("one", "first", "--init-ctr=always", command=("false",))
    world.made("one", "main")
    failed = world.run("pod", "start", "one")
    assert (failed.returncode, failed.stderr) == (125, f"Error: init container {first} exited with code 1\n")
    assert world.states("one") == (
        "Degraded",
        {f"{ident[:12]}-infra": "running", "first": "exited", "main": "created"},
    )


def test_the_exit_policy_stops_the_pod_with_its_last_container(world: PodWorld) -> None:
    world.pod("one", "--exit-policy=stop")
    world.member("one", "m1")
    world.member("one", "m2", command=("true",))
    assert eventually(lambda: world.states("one")[0] == "Degraded")
    world.ok("stop", "-t0", "m1")
    assert world.states("one")[0] == "Exited"
    # Nobody waits for this one: its clean-up does it.
    world.ok("pod", "start", "one")
    os.kill(world.inspect("m1")["State"]["Pid"], 9)
    assert eventually(lambda: world.states("one")[0] == "Exited")
    bad = world.run("pod", "create", "--exit-policy=foo")
    assert (bad.returncode, bad.stderr) == (125, 'Error: running pod create option: invalid pod exit policy: "foo"\n')


def test_requirements_come_first_and_failures_are_told_one_by_one(world: PodWorld) -> None:
    world.pod("one")
    bad = world.made("one", "bad", command=("/nope",))
    needs = world.made("one", "needs", "--requires=bad")
    outside = world.run("create", "--requires=bad", "--rootfs", world.rootfs, "true")
    told = f"container dependency {bad} is part of a pod, but container is not: invalid argument"
    assert outside.stderr == f"Error: running container create option: {told}\n"
    failed = world.run("pod", "start", "one")
    assert failed.returncode == 125
    first, second = failed.stderr.splitlines()[:2]
    assert first.startswith(f"Error: starting container {bad}: ")
    told = f"a dependency of container {needs} failed to start: container state improper"
    assert second == f"Error: starting container {needs}: {told}"
    assert world.states("one")[1]["needs"] == "created"


def test_run_makes_the_pod_that_it_asks_for(world: PodWorld, tmp_path: Path) -> None:
    words = ("--hostname=xx", "--network=none", "--name=g1", "--rootfs", world.rootfs)
    world.ok("run", "-d", "--pod=new:fresh", *words, "sleep", "1000")
    assert world.show("fresh")["Hostname"] == "xx"
    assert world.ok("exec", "g1", "cat", "/etc/hostname") == "xx"
    # What cannot be made takes its pod with it.
    bad = world.run("run", "--pod=new:other", "--network=none", "--name=g1", "--rootfs", world.rootfs, "true")
    assert bad.returncode == 125
    assert world.run("pod", "exists", "other").returncode == 1
    for name, told in (
        ("new:", "new pod name must be at least one character"),
        ("new:fresh", 'adding pod to state: name "fresh" is in use: pod already exists'),
        ("nope", "no pod with name or ID nope found: no such pod"),
    ):
        refused = world.run("run", "--rm", "--pod", name, "--rootfs", world.rootfs, "true")
        assert (refused.returncode, refused.stderr.splitlines()[0]) == (125, f"Error: {told}")
    file = tmp_path / "id"
    ident = world.pod("filed", "--pod-id-file", str(file))
    assert file.read_text() == ident
    assert world.ok("pod", "start", "--pod-id-file", str(file)) == "filed"
    assert (
        world.ok("run", "--rm", "--pod-id-file", str(file), "--rootfs", world.rootfs, "cat", "/etc/hostname") == "filed"
    )
    assert world.ok("pod", "stop", "--pod-id-file", str(file)) == "filed"
    assert world.ok("pod", "rm", "--pod-id-file", str(file)) == ident


def test_lists_of_pods_and_of_containers_in_them(world: PodWorld) -> None:
    one = world.pod("aa", "--label", "x=y")
    two = world.pod("bb")
    member = world.member("bb", "m1")
    world.member("aa", "m2", command=("true",))
    assert eventually(lambda: world.states("aa")[0] == "Degraded")

    def names(*words: str) -> list[str]:
        return world.ok("pod", "ps", "--format", "{{.Name}}", *words).split()

    assert names() == names("--sort", "created") == ["bb", "aa"]
    assert names("--sort", "name") == names("--sort", "status") == ["aa", "bb"]
    assert names("--latest") == ["bb"]
    for text, found in {
        "name=a": ["aa"],
        f"id={one[:10]}": ["aa"],
        "label=x": ["aa"],
        "label=x=z": [],
        "label!=x": ["bb"],
        "status=running": ["bb"],
        "status=degraded": ["aa"],
        "ctr-names=m1": ["bb"],
        f"ctr-ids={member[:12]}": ["bb"],
        "ctr-status=exited": ["aa"],
        "ctr-number=2": ["bb", "aa"],
        "until=1m": [],
        "network=nope": [],
    }.items():
        assert names("--filter", text) == found, text
    _refused_lists(world)
    assert world.ok("pod", "ps", "-q") == f"{two}\n{one}"
    _shown_lists(world, one, two)


def _shown_lists(world: PodWorld, one: str, two: str) -> None:
    table = world.ok(
        "pod", "ps", "--ctr-names", "--ctr-status", "--ctr-ids", "--ns", "--filter", "name=bb"
    ).splitlines()
    assert table[0].split() == [
        "POD",
        "ID",
        "NAME",
        "STATUS",
        "CREATED",
        "INFRA",
        "ID",
        "IDS",
        "NAMES",
        "STATUS",
        "CGROUP",
        "NAMESPACES",
    ]
    assert f"{two[:12]}-infra,m1" in table[1] and "running,running" in table[1]
    assert world.ok("pod", "ps", "-n", "--no-trunc", "--filter", "name=bb").startswith(two)
    shown = json.loads(world.ok("pod", "ps", "--format=json", "--filter", "name=aa"))
    assert shown[0]["Containers"][1] == {
        "Id": shown[0]["Containers"][1]["Id"],
        "Names": "m2",
        "Status": "exited",
        "RestartCount": 0,
    }
    assert world.ok(
        "ps", "-a", "--filter", "pod=bb", "--format", "{{.Names}} {{.PodName}} {{.IsInfra}}"
    ).splitlines() == [
        f"{two[:12]}-infra bb true",
        "m1 bb false",
    ]
    assert world.ok("ps", "--pod", "--filter", "name=m1").splitlines()[1].split()[-2:] == [two[:12], "bb"]
    assert json.loads(world.ok("inspect", "--type=pod", "bb"))[0]["Id"] == json.loads(world.ok("inspect", two))[0]["Id"]


def _refused_lists(world: PodWorld) -> None:
    for words, told in (
        (("--filter", "status=foo"), "foo is not a valid pod status"),
        (("--filter", "ctr-status=foo"), "foo is not a valid status"),
        (("--filter", "foo=bar"), "foo is an invalid filter"),
        (("--sort", "foo"), "invalid option for --sort, options are: created, id, name, number, or status"),
        (("--format", "json", "-q"), "quiet and format cannot be used together"),
    ):
        refused = world.run("pod", "ps", *words)
        assert (refused.returncode, refused.stderr) == (125, f"Error: {told}\n")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_processes_figures_and_logs_of_a_pod(world: PodWorld) -> None:
    world.pod("one")
    assert world.ok("pod", "top", "one") == ""
    first = world.member("one", "m1", command=("sh", "-c", "echo one; exec sleep 1000"))[:12]
    second = world.member("one", "m2", command=("sh", "-c", "echo two; exec sleep 1000"))[:12]
    assert eventually(lambda: world.run("pod", "logs", "one").stdout == f"{first} one\n{second} two\n")
    assert world.ok("pod", "logs", "--names", "one").splitlines() == ["m1 one", "m2 two"]
    assert world.ok("pod", "logs", "-c", "m1", "--latest") == "one"
    assert world.ok("pod", "logs", "--color", "one").count("\x1b[") == 4
    assert len(world.ok("pod", "logs", "-t", "-c", "m1", "one").split()) == 2
    assert world.ok("pod", "logs", "--tail=0", "one") == ""
    assert world.ok("pod", "logs", "--until=2000-01-01", "one") == ""
    assert world.ok("pod", "logs", "--since=1h", "one") != ""
    other = world.run("pod", "logs", "-c", "nope", "one")
    assert (other.returncode, other.stderr) == (125, "Error: container nope is not in pod one: no such container\n")
    top = world.ok("pod", "top", "one", "pid", "comm").splitlines()
    assert [line.split() for line in top] == [["PID", "COMMAND"], ["1", "catatonit"], ["1", "sleep"], ["1", "sleep"]]
    assert world.ok("pod", "top", "--latest", "hpid").splitlines()[0] == "HPID"
    stats = json.loads(world.ok("pod", "stats", "--no-stream", "--format=json", "one"))
    assert [one["Name"] for one in stats][1:] == ["m1", "m2"]
    assert [one["PIDS"] for one in stats] == ["1", "1", "1"]
    assert world.ok("pod", "stats", "--no-stream", "--format={{.Name}} {{.PIDS}}", "one").splitlines()[0] == "NAME PIDS"
    lines = world.ok("pod", "ps", "--format={{json .}}").splitlines()
    assert [json.loads(line)["Name"] for line in lines] == ["one"]
    assert list(stats[0]) == [
        "CPU",
        "MemUsage",
        "MemUsageBytes",
        "Mem",
        "NetIO",
        "BlockIO",
        "PIDS",
        "Pod",
        "CID",
        "Name",
    ]
    world.ok("pod", "kill", "one")
    assert world.ok("pod", "stats", "--no-stream").splitlines()[1:] == []
    ended = world.ok("pod", "stats", "--no-stream", "--all").splitlines()
    assert ended[0].startswith("POD           CID           NAME") and ended[1].endswith("--")


def test_what_is_over_is_pruned(world: PodWorld) -> None:
    over, new, runs = world.pod("over"), world.pod("new"), world.pod("runs")
    for name in (over, runs):
        world.ok("pod", "start", name)
    world.ok("pod", "kill", "over")
    ended = world.run("pod", "prune", input="")
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (125, "Error: EOF")
    timed = world.run("pod", "rm", "-t1", "over")
    told = "Error: --force option must be specified to use the --time option"
    assert (timed.returncode, timed.stderr.splitlines()[0]) == (125, told)
    asked = world.run("pod", "prune", input="n\n")
    assert (
        asked.stdout == "WARNING! This will remove all stopped/exited pods..\nAre you sure you want to continue? [y/N] "
    )
    assert world.ok("pod", "prune", "-f") == over
    world.ok("pod", "kill", "runs")
    assert world.ok("system", "prune", "-f").splitlines()[:2] == ["Deleted Pods", runs]
    assert world.ok("pod", "ps", "-q") == new


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_clone_has_copies_of_all_containers(world: PodWorld, tmp_path: Path) -> None:
    world.pod("one", "--label", "a=b", "--share", "+pid", "-v", f"{tmp_path}:/vol", "--memory=100m")
    first = world.member("one", "m1")
    world.member("one", "m2", "--requires=m1")
    infra = world.show("one")["InfraContainerID"]
    made = world.ok("pod", "clone", "--start", "one")
    shown = world.show("one-clone")
    assert (shown["Id"], shown["Labels"], shown["State"]) == (made, {"a": "b"}, "Running")
    assert (shown["memory_limit"], shown["CgroupParent"]) == (104857600, "/sonata_test")
    assert [one["Name"] for one in shown["Containers"]][1:] == ["m1-clone", "m2-clone"]
    copy = world.inspect("m2-clone")
    assert copy["HostConfig"]["PidMode"] == f"container:{shown['InfraContainerID']}"
    assert infra not in json.dumps(copy) and first not in json.dumps(copy["Dependencies"])
    assert world.ok("exec", "m1-clone", "cat", "/etc/hostname") == "one-clone"
    changed = world.ok("pod", "clone", "--destroy", "--hostname=new", "--label=c=d", "one", "two")
    assert (world.show("two")["Id"], world.show("two")["Hostname"]) == (changed, "new")
    assert world.show("two")["Labels"] == {"a": "b", "c": "d"}
    assert world.run("pod", "exists", "one").returncode == 1


def test_a_killed_command_leaves_no_half_pod(world: PodWorld) -> None:
    """An intent is written before anything is made, and dealt with by the next command."""
    ident = world.pod("one")
    world.member("one", "m1")
    mark = "UPDATE pod SET name = name"
    insert = f"INSERT INTO intent VALUES ('{ident}', 'pod', '{{}}', '')"
    code = (
        f"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute({mark!r}); c.execute({insert!r}); c.commit()"
    )
    database = next(Path(world.base).glob("graph/**/state.db"))
    subprocess.run([sys.executable, "-c", code, str(database)], check=True)
    assert world.ok("pod", "ps", "-q") == world.ok("ps", "-aq") == ""
    assert not groups(ident)


def test_a_name_is_taken_once_and_replaced_when_asked(world: PodWorld) -> None:
    one = world.pod("one")
    again = world.run("pod", "create", "one")
    assert again.returncode == 125
    assert again.stderr.splitlines()[0] == 'Error: adding pod to state: name "one" is in use: pod already exists'
    other = world.pod("one", "--replace", "--infra-name=holder")
    assert world.ok("pod", "ps", "-q") == other != one
    assert world.states("one")[1] == {"holder": "created"}
    for words, told in (
        (("--network=none", "-p80:80"), "PortMappings can only be used with Bridge, slirp4netns, or pasta networking"),
        (("--network=container:x",), "pods presently do not support network mode container"),
        (
            ("--uts=host", "--hostname=x"),
            "invalid config provided: cannot set hostname when running in the host UTS namespace: "
            "invalid configuration",
        ),
        (("--name", "a", "b"), "cannot specify --name and NAME at the same time"),
        (("--replace",), "cannot replace pod without --name being set"),
        (("--share", "foo"), "invalid kernel namespace to share: foo. Options are: cgroup, ipc, net, pid, uts or none"),
        (("--restart", "foo"), 'running pod create option: "foo" is not a valid restart policy: invalid argument'),
        (("--memory", "foo"), "invalid value for memory: invalid size: 'foo'"),
        (
            ("--share", "cgroup"),
            "cannot define the pod as the cgroup parent at the same time as joining the infra container's cgroupNS: "
            "invalid argument",
        ),
    ):
        refused = world.run("pod", "create", *words)
        assert (refused.returncode, refused.stderr.splitlines()[0]) == (125, f"Error: {told}")
