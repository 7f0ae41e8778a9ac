"""`container clone` and `generate spec`: a container like another one, and how a container was made."""

from __future__ import annotations

import json
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


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def names(store: PlainStore) -> list[str]:
    return store.out("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines()


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_clone_runs_as_the_original_with_a_root_of_its_own(store: PlainStore) -> None:
    options = ("-e", "A=1", "-l", "l=1", "-v", "data:/data", "-v", "/anon", "--pids-limit=44", "--hostname=h")
    store.sleeper("a", *options)
    store.out("exec", "a", "sh", "-c", "echo named >/data/f; echo anonymous >/anon/f; echo own >/own")
    ident = store.out("container", "clone", "--run", "a")
    assert names(store) == ["a running", "a-clone running"]
    seen = "cat /data/f /anon/f; hostname; echo $A; test -e /own || echo fresh"
    assert store.out("exec", "a-clone", "sh", "-c", seen).split() == ["named", "anonymous", "h", "1", "fresh"]
    form = "{{.Id}} {{.HostConfig.PidsLimit}} {{.Config.Labels.l}} {{.Config.Cmd}}"
    assert store.out("inspect", "a-clone", "--format", form) == f"{ident} 44 1 [sleep 1000]"
    store.out("rm", "-f", "-t0", "-v", "a")
    assert store.out("exec", "a-clone", "cat", "/anon/f") == "anonymous"
    log = store.out("inspect", "a-clone", "--format", "{{.HostConfig.LogConfig.Path}}")
    assert ident in log


def test_names_of_clones(store: PlainStore) -> None:
    store.out("create", "--name=a", "--network=none", IMAGE, "true")
    for words in (("a",), ("a",), ("--name=own", "a"), ("a", "given"), ("a-clone",), ("own", "third", IMAGE)):
        store.out("container", "clone", *words)
    made = {line.split()[0] for line in names(store)}
    assert made == {"a", "a-clone", "a-clone1", "a-clone2", "own", "given", "third"}
    assert "is already in use" in store.refused("container", "clone", "--name=own", "a")
    assert "names must match" in store.refused("container", "clone", "--name=bad name", "a")
    assert "no such container" in store.refused("container", "clone", "nosuch")
    assert "accepts between 1 and 3 arg(s), received 0" in store.refused("container", "clone")
    assert "given twice" in store.refused("container", "clone", "--name=x", "a", "y")


def test_destroy_takes_the_original_away_and_by_force_what_runs(store: PlainStore) -> None:
    store.sleeper("a", "--stop-timeout=0")
    assert "cannot set --force without --destroy" in store.refused("container", "clone", "--force", "a")
    assert "cannot be removed without force" in store.refused("container", "clone", "--destroy", "a")
    assert names(store) == ["a running"]
    store.out("container", "clone", "--destroy", "--force", "--run", "a", "b")
    assert names(store) == ["b running"]
    store.out("stop", "-t0", "b")
    store.out("container", "clone", "--destroy", "b", "c")
    assert names(store) == ["c created"]


def test_another_image(store: PlainStore) -> None:
    store.out("create", "--name=a", "--network=none", IMAGE, "cat", "/mark")
    store.out("run", "--name=maker", "--network=none", IMAGE, "sh", "-c", "echo second >/mark")
    store.out("commit", "-q", "maker", "localhost/other:1")
    store.out("container", "clone", "a", "b", "localhost/other:1")
    assert store.out("start", "-a", "b") == "second"
    assert store.out("ps", "-a", "--filter=name=^b$", "--format={{.Image}}") == "localhost/other:1"


@pytest.mark.rootful("control groups of version 1 are root's alone")
@pytest.mark.parametrize(
    ("options", "form", "value"),
    [
        (("--memory=50m",), "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}", f"{50 << 20} {100 << 20}"),
        (("--memory=50m", "--memory-swap=60m"), "{{.HostConfig.MemorySwap}}", str(60 << 20)),
        (("--memory=50m", "--memory-reservation=20m"), "{{.HostConfig.MemoryReservation}}", str(20 << 20)),
        (("--memory-swappiness=30",), "{{.HostConfig.MemorySwappiness}}", "30"),
        (("--cpus=0.5",), "{{.HostConfig.NanoCpus}}", "500000000"),
        (("--cpu-shares=512",), "{{.HostConfig.CpuShares}}", "512"),
        (("--cpu-period=50000",), "{{.HostConfig.CpuPeriod}}", "50000"),
        (("--cpu-quota=20000",), "{{.HostConfig.CpuQuota}}", "20000"),
        (("--cpu-rt-period=900000",), "{{.HostConfig.CpuRealtimePeriod}}", "900000"),
        (("--cpu-rt-runtime=1000",), "{{.HostConfig.CpuRealtimeRuntime}}", "1000"),
        (("--cpuset-cpus=0",), "{{.HostConfig.CpusetCpus}}", "0"),
        (("--cpuset-mems=0",), "{{.HostConfig.CpusetMems}}", "0"),
        (
            ("--device-read-bps=/dev/loop0:1mb",),
            "{{range .HostConfig.BlkioDeviceReadBps}}{{.Path}} {{.Rate}}{{end}}",
            "/dev/loop0 1048576",
        ),
        (
            ("--device-write-bps=/dev/loop0:2mb",),
            "{{range .HostConfig.BlkioDeviceWriteBps}}{{.Path}} {{.Rate}}{{end}}",
            "/dev/loop0 2097152",
        ),
    ],
    ids=lambda one: one[-1].split("=")[0] if isinstance(one, tuple) else "",
)
def test_limits_of_a_clone(store: PlainStore, options: tuple[str, ...], form: str, value: str) -> None:
    if "/dev/loop0" in options[0] and not Path("/dev/loop0").exists():
        pytest.skip("needs /dev/loop0")
    store.out("create", "--name=a", "--network=none", "--pids-limit=9", IMAGE, "true")
    store.out("container", "clone", *options, "a", "b")
    assert store.out("inspect", "b", "--format", form) == value
    assert store.out("inspect", "b", "--format", "{{.HostConfig.PidsLimit}}") == "9"
    assert store.out("inspect", "a", "--format", form) != value


def test_a_clone_is_not_removed_by_itself_and_writes_no_file_of_the_original(store: PlainStore) -> None:
    store.out("create", "--name=a", "--rm", f"--cidfile={store.base}/cid", "--network=none", IMAGE, "true")
    store.out("container", "clone", "--run", "a")
    assert names(store)[0] == "a created"
    assert store.out("wait", "a-clone") == "0"
    assert names(store)[1].startswith("a-clone ")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_generate_spec(store: PlainStore) -> None:
    options = (
        "-e",
        "A=1",
        "-v",
        "data:/v",
        "-v",
        "/tmp:/host:ro",
        "-m",
        "100m",
        "--restart=on-failure:2",
        "-u",
        "1000",
    )
    more = ("--cap-add=NET_ADMIN", "-w", "/tmp", "-p", "18080:80", "--health-cmd=true", "--stop-signal=USR1", "-t")
    store.out("create", "--name=g", *options, *more, IMAGE, "sleep", "5")
    text = store.out("generate", "spec", "g")
    found = json.loads(text)
    assert (found["name"], found["command"], found["env"]["A"]) == ("g-clone", ["sleep", "5"], "1")
    assert (found["restart_policy"], found["restart_tries"], found["user"]) == ("on-failure", 2, "1000")
    assert found["resource_limits"]["memory"] == {"limit": 100 << 20, "swap": 200 << 20}
    assert (found["cap_add"], found["work_dir"], found["terminal"]) == (["CAP_NET_ADMIN"], "/tmp", True)
    assert [(one["Name"], one["Dest"]) for one in found["volumes"]] == [("data", "/v")]
    assert [(one["source"], one["destination"], "ro" in one["options"]) for one in found["mounts"]] == [
        ("/tmp", "/host", True)
    ]
    assert found["portmappings"][0] == {
        "host_ip": "", "container_port": 80, "host_port": 18080, "range": 1, "protocol": "tcp",
    }  # fmt: skip
    assert (found["netns"], found["stop_signal"]) == ({"nsmode": "bridge"}, 10)
    assert found["healthconfig"]["Test"] == ["CMD-SHELL", "true"]
    assert found["image"] == store.out("inspect", "g", "--format={{.Image}}").removeprefix("sha256:")
    assert text.startswith('{\n "name"')
    compact = store.out("generate", "spec", "--compact", "--name=false", "g")
    assert compact.startswith('{"name":"g",')
    assert json.loads(compact) == {**found, "name": "g"}
    path = f"{store.base}/spec.json"
    assert store.out("generate", "spec", "-f", path, "g") == path
    assert json.loads(Path(path).read_text()) == found
    assert "could not find a pod or container with the id nosuch" in store.refused("generate", "spec", "nosuch")


def test_what_generate_refuses_by_name(store: PlainStore) -> None:
    assert "generate kube is not supported yet" in store.refused("generate", "kube", "x")
    told = store.refused("generate", "systemd", "--new", "x")
    assert "deprecated in favour of quadlets" in told
    assert "sonata-restart.service" in told
