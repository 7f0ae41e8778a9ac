"""`ps`: which containers, in which order, and what is told of each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
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
PAUSED = pytest.mark.rootful("control groups of version 1 are root's alone, and only what is in one can be paused")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[PlainStore]:
    """Six containers, one of each state that matters."""
    made = PlainStore(tmp_path_factory.mktemp("ps"), who=who)
    made.sleeper("up", "-l", "a=1", "-l", "b=2", "--cidfile", f"{made.base}/cid")
    made.out("create", "--network=none", "--name=new", "-v", "data:/v", "-l", "a=2", IMAGE, "ls", "-l", "/tmp", "/bin")
    made("run", "--network=none", "--name=over", IMAGE, "sh", "-c", "echo 1234567890 >/f; exit 3")
    made.sleeper("frozen")
    made.out("kill" if who.ordinary else "pause", "frozen")
    made.out(
        "create",
        "--name=bridged",
        "--network=bridge",
        "-p",
        "18085:80",
        "--expose=443",
        "--restart=always",
        IMAGE,
        "sleep",
        "1",
    )
    made.out("create", "--network=none", "--name=checked", "--health-cmd=true", IMAGE, "sleep", "1")
    yield made
    made("unpause", "frozen")
    made.close()


def names(store: PlainStore, *words: str) -> list[str]:
    return store.out("ps", "--format={{.Names}}", *words).split()


def sizes(store: PlainStore, name: str) -> list[int]:
    return [int(one) for one in store.out("inspect", "-s", "--format={{.SizeRw}} {{.SizeRootFs}}", name).split()]


ALL = ["up", "new", "over", "frozen", "bridged", "checked"]


@pytest.mark.parametrize("command", [("ps",), ("container", "ps"), ("container", "list"), ("container", "ls")])
def test_only_what_runs_unless_all(store: PlainStore, command: tuple[str, ...]) -> None:
    assert store.out(*command, "--format={{.Names}}").split() == ["up"]
    assert store.out(*command, "-a", "--format={{.Names}}").split() == ALL


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("command", ["new", "over", "bridged", "checked", "up", "frozen"]),
        ("created", ALL),
        ("image", ALL),
        ("names", sorted(ALL)),
        ("runningfor", ["new", "bridged", "checked", "up", "over", "frozen"]),
        pytest.param("status", ["new", "bridged", "checked", "over", "frozen", "up"], marks=PAUSED),
    ],
)
def test_orders(store: PlainStore, key: str, order: list[str]) -> None:
    assert names(store, "-a", "--sort", key) == order


def test_order_of_ids_and_sizes(store: PlainStore) -> None:
    ids = store.out("ps", "-aq", "--no-trunc", "--sort=id").split()
    assert ids == sorted(ids)
    assert all(len(one) == 64 for one in ids)
    order = names(store, "-a", "--size", "--sort=size")
    assert order.index("new") < order.index("over")
    assert 'Choose from: "command, created' in store.refused("ps", "--sort=bogus")


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ("name=^up$", ["up"]),
        ("name=e", ["new", "over", "frozen", "bridged", "checked"]),
        ("label=a", ["up", "new"]),
        ("label=a=2", ["new"]),
        ("label!=a", ["over", "frozen", "bridged", "checked"]),
        ("exited=3", ["over"]),
        ("status=running", ["up"]),
        pytest.param("status=exited", ["over"], marks=PAUSED),
        pytest.param("status=stopped", ["over"], marks=PAUSED),
        pytest.param("status=paused", ["frozen"], marks=PAUSED),
        ("status=created", ["new", "bridged", "checked"]),
        pytest.param("status=paused status=running", ["up", "frozen"], marks=PAUSED),
        ("label=a status=running", ["up"]),
        ("ancestor=box", ALL),
        (f"ancestor={IMAGE}", ALL),
        ("ancestor=nosuch", []),
        ("before=over", ["up", "new"]),
        ("since=over", ["frozen", "bridged", "checked"]),
        ("volume=data", ["new"]),
        ("volume=data:/v", ["new"]),
        ("volume=other", []),
        ("network=podman", ["bridged"]),
        ("command=ls", ["new"]),
        ("pod=x", []),
        ("restart-policy=always", ["bridged"]),
        ("should-start-on-boot=true", ["bridged"]),
        ("until=1h", []),
        ("health=starting", []),
    ],
)
def test_filters(store: PlainStore, conditions: str, found: list[str]) -> None:
    words = [f"--filter={condition}" for condition in conditions.split()]
    assert names(store, "-a", *words) == found


def test_filter_by_id(store: PlainStore) -> None:
    ident = store.out("ps", "-aq", "--no-trunc", "--filter=name=new")
    assert names(store, "-a", f"--filter=id={ident[:10]}") == ["new"]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("exited=x", 'parsing "x": invalid syntax'),
        ("status=bogus", "unknown container state: bogus: invalid argument"),
        ("before=nosuch", 'no container with name or ID "nosuch" found: no such container'),
        ("until=bogus", 'failed to parse value as time or duration: "bogus"'),
        ("restart-policy=bogus", "bogus invalid restart policy"),
        ("should-start-on-boot=x", 'strconv.ParseBool: parsing "x": invalid syntax'),
        ("bogus=1", "bogus is an invalid filter"),
        ("bogus", 'invalid filter "bogus"'),
    ],
)
def test_filters_that_make_no_sense(store: PlainStore, condition: str, told: str) -> None:
    assert told in store.refused("ps", "--filter", condition)


def test_last_and_latest(store: PlainStore) -> None:
    assert names(store, "--latest") == ["checked"]
    assert sorted(names(store, "--last=2")) == ["bridged", "checked"]
    assert "mutually exclusive" in store.refused("ps", "-l", "-n", "2")


def test_columns(store: PlainStore) -> None:
    head, row = store.out("ps").splitlines()
    assert head.split("  ")[0] == "CONTAINER ID"
    assert head.endswith("NAMES")
    assert row.endswith("up")
    (alone,) = store.out("ps", "--noheading").splitlines()
    assert alone.endswith("up")
    assert store.out("ps", "--pod").splitlines()[0].split()[-4:] == ["NAMES", "POD", "ID", "PODNAME"]
    assert store.out("ps", "--pod", "--format", "{{.Pod}}|{{.PodName}}") == "|"
    assert sizes(store, "new")[0] == 0
    assert sizes(store, "new")[1] == int(store.out("image", "inspect", "--format={{.Size}}", IMAGE))
    before = sizes(store, "over")[0]
    upper = Path(store.out("inspect", "--format={{.GraphDriver.Data.UpperDir}}", "over").strip())
    (upper / "five").write_bytes(b"12345")
    (upper / "same").hardlink_to(upper / "five")
    (upper / "link").symlink_to("/five")
    with (upper / "sparse").open("wb") as made:
        made.truncate(10_000)
    assert sizes(store, "over")[0] - before == 5 + 5 + 10_000, "lengths count, as Podman's do, not blocks"
    head, row = store.out("ps", "--size").splitlines()
    assert head.endswith("SIZE")
    assert "(virtual " in row
    head, row = store.out("ps", "--ns").splitlines()
    assert head.split() == [
        "CONTAINER",
        "ID",
        "NAMES",
        "PID",
        "CGROUPNS",
        "IPC",
        "MNT",
        "NET",
        "PIDNS",
        "USERNS",
        "UTS",
    ]
    pid = store.out("inspect", "up", "--format={{.State.Pid}}")
    net = Path(f"/proc/{pid}/ns/net").readlink().name.partition("[")[2].rstrip("]")
    assert net in row.split()
    assert len(store.out("ps", "-q")) == 12
    assert len(store.out("ps", "-q", "--no-trunc")) == 64
    assert "size and namespace options conflict" in store.refused("ps", "--ns", "-s")


PLACES = json.loads((Path(__file__).parents[1] / "compat/data/podman-ps-placeholders.json").read_text())


@pytest.mark.parametrize("name", PLACES)
def test_every_placeholder_is_there(store: PlainStore, name: str) -> None:
    form = '{{.Label "a"}}' if name == "Label" else f"{{{{.{name}}}}}"
    assert store.raw("ps", "-a", "--format", form).count(b"\n") == len(ALL)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ('{{.Label "a"}}', "1"),
        ("{{.AutoRemove}} {{.Exited}} {{.ExitCode}} {{.IsInfra}}", "false false 0 false"),
        ("{{.Command}}", "sleep 1000"),
        ("{{.Image}}", IMAGE),
        ("{{.State}}", "running"),
        ("{{.Restarts}}", "0"),
        ("{{.Names}}", "up"),
    ],
)
def test_what_placeholders_say(store: PlainStore, form: str, value: str) -> None:
    assert store.out("ps", "--format", form) == value


def test_more_placeholders(store: PlainStore) -> None:
    assert store.out("ps", "--format={{.CIDFile}}") == f"{store.base}/cid"
    ident = Path(f"{store.base}/cid").read_text()
    assert store.out("ps", "--format={{.ID}}", "--no-trunc") == ident
    assert store.out("ps", "--format={{.Pid}}") == store.out("inspect", "up", "--format={{.State.Pid}}")
    assert store.out("ps", "-a", "--filter=name=bridged", "--format={{.Ports}} {{.Networks}}") == (
        "0.0.0.0:18085->80/tcp, 443/tcp podman"
    )
    assert store.out("ps", "-a", "--filter=name=new", "--format={{.Mounts}}") == "[/v]"
    assert store.out("ps", "-a", "--filter=name=over", "--format={{.Status}}").startswith("Exited (3) ")
    assert store.out("ps", "--format={{.Namespaces.NET}}", "--ns").isdigit()
    found = json.loads(store.out("ps", "-a", "--format=json"))
    assert [one["Names"] for one in found] == [[name] for name in ALL]


def test_watch_shows_again_and_again(store: PlainStore) -> None:
    with subprocess.Popen([*store.program, "ps", "-w", "1", "--format={{.Names}}"], stdout=-1, text=True) as running:
        time.sleep(3)
        running.terminate()
        shown, _ = running.communicate(timeout=10)
    assert shown.count("up\n") >= 2


def test_what_other_programs_made(store: PlainStore) -> None:
    if not shutil.which("buildah"):
        pytest.skip("needs buildah")
    build = ["buildah", "--root", f"{store.base}/root", "--runroot", f"{store.base}/run", "--storage-driver", "overlay"]
    for name in ("built", "built2"):
        command = store.who.peer(*build, "from", "--name", name, IMAGE)
        subprocess.run(command, check=True, capture_output=True, cwd="/")
    if not store.who.ordinary:
        subprocess.run(["umount", f"{store.base}/root/overlay"], check=False)  # the other program's own
    assert names(store, "-a") == ALL
    assert names(store, "--external") == ["up", "built", "built2"]
    form = "--format={{.Names}} {{.Status}} {{.Command}} {{.Image}}"
    assert f"built Storage buildah {IMAGE}" in store.out("ps", "-a", "--external", form).splitlines()
    assert store.out("rm", "--storage", "built") == "built"
    assert store.out("container", "rm", "built2") == "built2"
    assert names(store, "-a", "--external") == ALL
    assert store("rm", "built").returncode == 1
    # Whether they are external or not, names that nothing has are told.
    assert "no such container" in store.refused("rm", "--storage", "nosuch")


def test_sync_tells_what_the_runtime_knows(store: PlainStore) -> None:
    store.sleeper("killed")
    pids = store.out("inspect", "killed", "--format={{.State.ConmonPid}} {{.State.Pid}}").split()
    subprocess.run(["kill", "-9", *pids], check=True)
    assert names(store, "--sync") == ["up"]
    assert "killed" in names(store, "-a", "--sync", "--filter=status=exited")
    store.out("rm", "killed")
