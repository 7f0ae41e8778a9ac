"""Every change of state has its event, by the name that Podman gives it, whatever keeps the events."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from live_world import LiveWorld, eventually

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]

EMITTED = {
    "container": {
        *(
            "attach",
            "checkpoint",
            "cleanup",
            "commit",
            "create",
            "exec",
            "exec_died",
            "died",
            "export",
            "health_status",
        ),
        *("init", "kill", "mount", "pause", "remove", "rename", "restart", "restore", "start", "stop", "sync"),
        *("unmount", "unpause", "update"),
    },
    "volume": {"create", "prune", "remove"},
    "network": {"create", "remove", "connect", "disconnect"},
    "secret": {"create", "remove"},
    "image": {
        *("pull", "pull-error", "push", "remove", "loadfromarchive", "save", "tag", "untag", "mount", "unmount"),
        "build",
    },
    "system": {"refresh", "renumber", "auto-update", "log-rotation"},
}
"""What Podman 6 emits, type by type."""

TO_COME = {
    "container": {"checkpoint", "restore", "sync"},
    "image": {"build"},
    "system": {"auto-update"},
}
"""Names of events that belong to commands, or options of `ps`, which are still to come."""

WALK: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("run -d --name=a --network=none --health-cmd=true --health-interval=disable --rootfs ROOT sleep 1000",
     ("container create", "container init", "container start")),
    ("pause a", ("container pause",)),
    ("unpause a", ("container unpause",)),
    ("exec a true", ("container exec", "container exec_died")),
    ("healthcheck run a", ("container health_status",)),
    ("export -o BASE/out.tar a", ("container export",)),
    ("update --restart=no a", ("container update",)),
    ("rename a b", ("container rename",)),
    ("restart -t 0 b", ("container restart", "container died", "container init", "container start")),
    ("stop -t 0 b", ("container stop", "container died", "container cleanup")),
    ("start b", ("container init", "container start")),
    ("kill b", ("container kill",)),
    ("wait b", ()),
    ("init b", ("container init",)),
    ("rm -f b", ("container remove",)),
    ("run --rm --network=none --rootfs ROOT true",
     ("container create", "container init", "container attach", "container start", "container died",
      "container remove")),
    ("import BASE/image.tar localhost/one:1", ("image tag",)),
    ("tag localhost/one:1 localhost/two:1", ("image tag",)),
    ("untag localhost/two:1 localhost/two:1", ("image untag",)),
    ("create --name=c localhost/one:1 true", ("container create",)),
    ("image mount localhost/one:1", ("image mount",)),
    ("image umount localhost/one:1", ("image unmount",)),
    ("mount c", ("container mount",)),
    ("umount c", ("container unmount",)),
    ("commit -q c localhost/made:1", ("container commit",)),
    ("save -q -o BASE/saved.tar localhost/made:1", ("image save",)),
    ("rm c", ("container remove",)),
    ("rmi localhost/made:1", ("image untag", "image remove")),
    ("load -q -i BASE/saved.tar", ("image loadfromarchive",)),
    ("push -q localhost/made:1 dir:BASE/pushed", ("image push",)),
    ("pull -q dir:BASE/pushed", ("image pull",)),
    ("!pull -q --retry=0 127.0.0.1:1/none:1", ("image pull-error",)),
    ("volume create v", ("volume create",)),
    ("volume rm v", ("volume remove",)),
    ("volume create w", ("volume create",)),
    ("volume prune -a -f", ("volume remove", "volume prune")),
    ("network create --subnet=10.213.78.0/24 n", ("network create",)),
    ("network create --subnet=10.213.79.0/24 m", ("network create",)),
    ("create --name=d --network=n --rootfs ROOT true", ("container create",)),
    ("network connect m d", ("network connect",)),
    ("network disconnect m d", ("network disconnect",)),
    ("rm d", ("container remove",)),
    ("network prune -f", ("network remove", "network remove")),
    ("secret create s BASE/image.tar", ("secret create",)),
    ("secret rm s", ("secret remove",)),
    ("system renumber", ("system renumber",)),
)  # fmt: skip
"""Commands, and the events of each in any order; `!`: one that fails."""


@pytest.fixture
def world(tmp_path: Path, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path), who)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = 1000
        tar.addfile(entry, io.BytesIO(bytes(1000)))
    (tmp_path / "image.tar").write_bytes(data.getvalue())
    yield made
    made.end()


def events_of(world: LiveWorld) -> list[str]:
    return [f"{event['Type']} {event['Status']}" for event in world.events()]


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_every_command_emits_what_podman_does(world: LiveWorld) -> None:
    seen = 0
    for line, wanted in WALK:
        words = line.lstrip("!").replace("BASE", world.base).replace("ROOT", world.rootfs).split()
        done = world.run(*words)
        assert (done.returncode != 0) == line.startswith("!"), (line, done.stderr)

        def told(start: int = seen, wanted: tuple[str, ...] = wanted) -> bool:
            return set(wanted) <= set(events_of(world)[start:])

        assert eventually(told), (line, events_of(world)[seen:])
        found = events_of(world)
        for name in set(wanted):
            assert found[seen:].count(name) == wanted.count(name), (line, found[seen:])
        if words[0] == "kill":
            assert eventually(lambda: events_of(world)[-1] == "container cleanup")
        seen = len(events_of(world))
    for name in events_of(world):
        kind, _, status = name.partition(" ")
        assert status in EMITTED[kind], name


def test_the_walk_knows_all_names() -> None:
    walked = {name for _, names in WALK for name in names}
    elsewhere = {"system refresh", "system log-rotation"}
    for kind, statuses in EMITTED.items():
        for status in statuses - TO_COME.get(kind, set()):
            assert f"{kind} {status}" in walked | elsewhere


def test_what_inspect_shows_is_in_the_event_where_asked_for(world: LiveWorld, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.write_text("[engine]\nevents_container_create_inspect_data = true\n")
    env = {**os.environ, "CONTAINERS_CONF": str(conf)}
    world.ok("create", "--name=a", "--label=x=y", "--rootfs", world.rootfs, "true", env=env)
    (event,) = world.events("--filter=event=create")
    held = json.loads(event["ContainerInspectData"])
    assert (held["Name"], held["Config"]["Labels"]) == ("a", {"x": "y"})
    form = "--format={{.ContainerInspectData}}"
    assert json.loads(world.ok("events", "--stream=false", form)) == held
    world.ok("create", "--name=plain", "--rootfs", world.rootfs, "true")
    assert "ContainerInspectData" not in world.events("--filter=container=plain")[0]


def test_health_checks_are_no_events_where_not_wanted(world: LiveWorld, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.write_text("[engine]\nhealthcheck_events = false\n")
    world.start("a", "--health-cmd=true", "--health-interval=disable")
    world.ok("healthcheck", "run", "a", env={**os.environ, "CONTAINERS_CONF": str(conf)})
    assert world.events("--filter=event=health_status") == []
    world.ok("healthcheck", "run", "a")
    assert len(world.events("--filter=event=health_status")) == 1


def test_a_restart_of_the_host_is_an_event(world: LiveWorld) -> None:
    world.ok("create", "--name=a", "--rootfs", world.rootfs, "true")
    world.ok("run", "--rm", "--network=none", "--rootfs", world.rootfs, "true")
    with sqlite3.connect(f"{world.base}/graph/sonata/state.db") as database:
        database.execute("UPDATE container_state SET boot = 'before'")
    database.close()
    shutil.rmtree(f"{world.base}/tmp/sonata")
    world.ok("volume", "create", "v")
    assert events_of(world) == ["system refresh", "volume create"]
    world.ok("volume", "rm", "v")
    assert events_of(world) == ["system refresh", "volume create", "volume remove"]


def test_the_file_is_cut_between_two_events(world: LiveWorld, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.write_text("[engine]\nevents_logfile_max_size = 1000\n")
    env = {**os.environ, "CONTAINERS_CONF": str(conf)}
    for number in range(11):
        world.ok("volume", "create", f"w{number}", env=env)
    found = world.events()
    statuses = [event["Status"] for event in found]
    assert statuses[0] == "log-rotation"
    assert statuses.count("log-rotation") >= 2
    assert found[0]["Name"].endswith("/events/events.log")
    kept = [event["Name"] for event in found if event["Type"] == "volume"]
    assert kept == [f"w{number}" for number in range(11)][-len(kept) :]
    assert len(kept) < 11
    assert os.path.getsize(found[0]["Name"]) < 2000


JOURNAL = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
/lib/systemd/systemd-journald 2>/dev/null & journal=$!
for i in $(seq 50); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
sonata() { "$PYTHON" -m sonata $OPTIONS --events-backend=journald "$@"; }
"$PYTHON" -m sonata $OPTIONS --events-backend=journald events --filter type=volume \\
    --format '{{.Status}} {{.Name}}' >$BASE/followed & follower=$!
sonata --root=$BASE/other volume create elsewhere
for i in $(seq 50); do grep -q create $BASE/followed && break; sonata volume create v$i; sleep 0.2; done
sonata volume create v
sonata create --name c --label a=b --label 'two=x
y' --rootfs $ROOT true >/dev/null
sonata volume rm v >/dev/null
for i in $(seq 50); do grep -q remove $BASE/followed && break; sleep 0.2; done
kill $follower
journalctl --sync 2>/dev/null || sleep 1
sonata events --stream=false --format json --filter type=container >$BASE/container
sonata events --stream=false --format '{{.Type}} {{.Status}} {{.Name}}' >$BASE/all
journalctl -o json SYSLOG_IDENTIFIER=sonata PODMAN_EVENT=remove >$BASE/raw
kill $journal
wait $journal || true
"""


@pytest.mark.skipif(not os.path.exists("/lib/systemd/systemd-journald"), reason="needs systemd-journald")
@pytest.mark.skipif(not shutil.which("journalctl"), reason="needs journalctl")
def test_events_go_to_the_journal_and_come_back(world: LiveWorld) -> None:
    env = {**os.environ, "PYTHON": sys.executable, "OPTIONS": " ".join(world.options)}
    env |= {"BASE": world.base, "ROOT": world.rootfs}
    argv = ["unshare", "--mount", "--propagation=private", "bash", "-c", JOURNAL]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    lines = Path(world.base, "all").read_text().splitlines()
    assert lines[0] == "volume create v1"
    assert lines[-3:] == ["volume create v", "container create c", "volume remove v"]
    assert "elsewhere" not in "".join(lines)
    (made,) = map(json.loads, Path(world.base, "container").read_text().splitlines())
    assert made["Attributes"] == {"a": "b", "two": "x\ny"}
    followed = Path(world.base, "followed").read_text().splitlines()
    assert followed[-2:] == ["create v", "remove v"]
    (raw,) = map(json.loads, Path(world.base, "raw").read_text().splitlines())
    assert (raw["PODMAN_TYPE"], raw["PODMAN_NAME"], raw["MESSAGE"]) == ("volume", "v", "volume remove v")
    assert time.time() - int(raw["__REALTIME_TIMESTAMP"]) / 1e6 < 100


def test_a_journal_that_is_not_there_is_refused_by_name(world: LiveWorld) -> None:
    if os.path.exists("/run/systemd/journal/socket"):
        pytest.skip("needs a host without a journal")
    done = world.run("--events-backend=journald", "volume", "ls")
    assert done.returncode == 125
    assert "the events backend journald needs systemd's journal" in done.stderr
    done = world.run("--events-backend=other", "volume", "ls")
    assert (done.returncode, '"other" is not a valid events backend: invalid argument' in done.stderr) == (125, True)


def test_nothing_is_kept_where_nothing_is_wanted(world: LiveWorld) -> None:
    world.ok("--events-backend=none", "volume", "create", "v")
    assert not os.path.exists(f"{world.base}/tmp/sonata/events/events.log")
    done = world.run("--events-backend=none", "events", "--stream=false")
    assert done.stderr.splitlines()[0] == 'Error: cannot read events with the "none" backend'


FIELDS = ("Attributes", "ContainerExitCode", "ContainerInspectData", "Error", "HealthStatus", "ID", "Image", "Name")
FIELDS += ("Network", "PodID", "Status", "Time", "TimeNano", "Type")


def test_filters_times_and_placeholders(world: LiveWorld) -> None:
    ident = world.ok("create", "--name=a", "--label=x=y", "--rootfs", world.rootfs, "true")
    world.ok("volume", "create", "v")
    world.ok("import", f"{world.base}/image.tar", "localhost/one:1")
    middle = time.time()
    time.sleep(0.05)
    world.ok("rm", "a")

    def names(*words: str) -> list[str]:
        form = "--format={{.Type}} {{.Status}}"
        return world.ok("events", "--stream=false", form, *words).splitlines()

    both = ["container create", "container remove"]
    assert names("--filter=container=a") == names(f"--filter=container={ident[:12]}") == both
    assert names("--filter=label=x=y") == names("--filter=label=x") == both
    assert names("--filter=label=x=z") == []
    assert names("--filter=volume=v") == ["volume create"]
    assert names("--filter=image=localhost/one:1") == ["image tag"]
    assert names("--filter=type=volume", "--filter=type=image") == ["volume create", "image tag"]
    assert names("--filter=event=create", "--filter=type=container") == ["container create"]
    assert names("--filter=status=remove") == ["container remove"]
    assert names("--filter=pod=p") == names("--filter=artifact=p") == []
    assert names(f"--since={middle}") == ["container remove"]
    assert names(f"--until={middle}") == ["container create", "volume create", "image tag"]
    assert names("--since=1h", "--until=1s")[0] == "container create"
    assert names("--since=2020-01-01", "--until=2020-01-02T00:00:00Z") == []
    for wrong, text in (
        ("--filter=colour=red", "failed to parse event filters: colour is an invalid filter"),
        ("--since=xx", "unable to convert since time of xx: unable to interpret time value"),
        ("--format={{.Bogus}}", "can't evaluate field Bogus in type system.Event"),
    ):
        done = world.run("events", "--stream=false", wrong)
        assert (done.returncode, text in done.stderr) == (125, True), done.stderr
    for field in FIELDS:
        world.ok("events", "--stream=false", f"--format={{{{.{field}}}}}")
    shown = world.ok("events", "--stream=false", "--no-trunc=false", "--filter=container=a").splitlines()
    assert f" container create {ident[:12]} (image=, name=a, x=y)" in shown[0]
    assert f" container create {ident} " in world.ok("events", "--stream=false", "--filter=container=a").splitlines()[0]
