"""`system check`: what nothing accounts for is found, told, and mended; what others own stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from sonata.assemble import open_engine
from sonata.engine.engine import Engine
from sonata.engine.paths import store_tag
from sonata.engine.system.check import CheckRequest, check
from sonata.host import cgroups, netns, process
from sonata.host.linux import LinuxKernel
from sonata.state import containers as rows
from sonata.state import intents, leases, objects, pods

pytestmark = [pytest.mark.needs_root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]
GONE = "ab" * 32


class Store:
    def __init__(self, base: str) -> None:
        self.base = base

    def engine(self) -> Engine:
        return open_engine({"storage.graphroot": f"{self.base}/graph", "storage.runroot": f"{self.base}/run"})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        options = [f"--root={self.base}/graph", f"--runroot={self.base}/run"]
        argv = [sys.executable, "-m", "sonata", *options, *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def rootfs(self) -> str:
        path = f"{self.base}/rootfs"
        for folder in ("bin", "proc", "dev", "sys", "etc", "tmp"):
            os.makedirs(f"{path}/{folder}")
        shutil.copy("/bin/busybox", f"{path}/bin/busybox")
        os.symlink("busybox", f"{path}/bin/sleep")
        return path


@pytest.fixture
def store(tmp_path: Any) -> Store:
    return Store(str(tmp_path))


def kinds(findings: Any) -> set[str]:
    return {one.kind for one in findings}


def write(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("x")


def make_mess(store: Store, engine: Engine) -> None:
    """One leftover of every kind."""
    run, graph = engine.config.paths.run_dir, engine.config.storage.graph_root
    write(f"{run}/exits/{GONE}")
    write(f"{run}/persist/{GONE}/exit")
    write(f"{graph}/overlay-containers/{'cd' * 32}/userdata/config.json")
    write(f"{engine.config.storage.run_root}/overlay-containers/{GONE}/userdata/pidfile")
    write(f"{engine.locks.folder}/{'ef' * 32}")
    write(f"{graph}/sonata/partial/rubbish")
    from sonata.image.transfer import partial_folder

    write(f"{partial_folder(graph)}/rubbish")
    netns.create(LinuxKernel(), netns.new_path("/run/netns", store_tag(graph)))
    with engine.database.transaction():
        leases.hold(engine.database, leases.Lease(network="n", address="10.1.1.1", container=GONE), "boot", "")
        engine.database.execute("INSERT INTO name VALUES ('lost', 'container', ?)", (GONE,))
    leases.hold_ports(engine.database, GONE, "boot", [("tcp", "", 8080)])
    intents.put(engine.database, intents.Intent(id="volume-half", kind="volume", detail={"name": "half"}))
    os.makedirs(f"{engine.config.paths.volume_path}/half/_data")
    objects.add_volume(engine.database, objects.Volume(name="v", mountpoint=f"{store.base}/absent", created=1))


def test_every_leftover_is_found_and_mended(store: Store) -> None:
    engine = store.engine()
    assert check(engine, CheckRequest()).left == ()
    make_mess(store, engine)
    wanted = {"half-done", "namespace", "lease", "port", "name", "file", "lock", "partial", "volume", "orphan-data"}
    found = check(engine, CheckRequest())
    assert kinds(found.left) == wanted
    assert all(one.evidence and one.subject and one.repair for one in found.left)
    assert kinds(check(engine, CheckRequest(quick=True)).left) == wanted
    mended = check(engine, CheckRequest(repair=True))
    assert mended.left == ()
    assert mended.notes == ()
    assert kinds(mended.mended) == wanted
    assert check(engine, CheckRequest()) == type(mended)()
    tag = store_tag(engine.config.storage.graph_root)
    assert [name for name in os.listdir("/run/netns") if name.startswith(f"netns-{tag}")] == []


def test_what_runs_and_what_others_own_stays(store: Store) -> None:
    made = store.run("run", "-d", "--network=none", "--rootfs", store.rootfs(), "sleep", "100")
    assert made.returncode == 0, made.stderr
    os.makedirs(f"{store.base}/graph/volumes/theirs/_data")
    stranger = netns.new_path("/run/netns")
    netns.create(LinuxKernel(), stranger)
    try:
        done = store.run("system", "check", "--repair")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert os.path.isdir(f"{store.base}/graph/volumes/theirs")
        assert netns.exists(stranger)
        shown = json.loads(store.run("ps", "--format", "json").stdout)
        assert [one["State"] for one in shown] == ["running"]
    finally:
        netns.remove(LinuxKernel(), stranger)
        store.run("rm", "-f", "-t", "0", made.stdout.strip())


def test_the_command_says_so_and_fails_until_mended(store: Store) -> None:
    engine = store.engine()
    write(f"{engine.config.paths.run_dir}/exits/{GONE}")
    done = store.run("system", "check")
    assert done.returncode == 125
    assert f"exit file of a container that is no more: {engine.config.paths.run_dir}/exits/{GONE}" in done.stdout
    assert "Error: damage detected in local storage\n" in done.stderr
    done = store.run("system", "check", "-r")
    assert (done.returncode, done.stderr) == (0, "")
    assert "mended: remove it" in done.stdout
    assert store.run("system", "check").stdout == ""


def test_a_damaged_database_keeps_what_can_be_read(store: Store) -> None:
    engine = store.engine()
    for number in range(200):
        objects.add_volume(
            engine.database,
            objects.Volume(name=f"v{number:03}", mountpoint=store.base, created=1, labels={"x": "y" * 80}),
        )
    engine.database.query("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.close()
    path = engine.database.path
    with open(path, "r+b") as file:
        file.seek(-3 * 4096, os.SEEK_END)
        file.write(b"\xff" * 4096)
    engine = store.engine()
    assert kinds(check(engine, CheckRequest()).left) == {"database"}
    mended = check(engine, CheckRequest(repair=True))
    assert "database" in kinds(mended.mended)
    assert 0 < len(objects.volumes(engine.database)) < 200
    assert check(engine, CheckRequest()).left == ()
    assert [name for name in os.listdir(os.path.dirname(path)) if ".broken-" in name]


def test_a_database_that_is_none_is_set_aside(store: Store) -> None:
    engine = store.engine()
    rows.ids(engine.database)
    engine.close()
    for suffix in ("-wal", "-shm"):
        if os.path.exists(engine.database.path + suffix):
            os.unlink(engine.database.path + suffix)
    with open(engine.database.path, "wb") as file:
        file.write(b"no database at all. " * 500)
    engine = store.engine()
    assert kinds(check(engine, CheckRequest()).left) == {"database"}
    check(engine, CheckRequest(repair=True))
    assert rows.ids(engine.database) == []


def test_the_state_is_shown_as_json(store: Store) -> None:
    engine = store.engine()
    objects.add_volume(engine.database, objects.Volume(name="v", mountpoint="/x", created=1))
    shown = json.loads(store.run("system", "state", "--json").stdout)
    assert shown["volume"][0]["definition"]["name"] == "v"
    assert shown["container"] == []


def test_a_container_without_its_record_goes_by_force_only(store: Store, tmp_path: Any) -> None:
    from pathlib import Path

    sys.path.insert(0, os.path.dirname(__file__))
    from store_world import busybox_layers, open_store, put_image

    from sonata.engine.containers.create import create
    from sonata.model.request import RunRequest
    from sonata_core.models.ids import ContainerId

    peer = open_store(Path(store.base))
    put_image(peer, "localhost/x:1", busybox_layers())
    engine = store.engine()
    row = create(engine, RunRequest(image="localhost/x:1", command=("sh",)))
    records = Path(store.base) / "graph/overlay-containers/containers.json"
    whole = records.read_bytes()
    records.write_bytes(whole[:-20])
    assert kinds(check(engine, CheckRequest()).left) == {"records"}
    assert kinds(check(engine, CheckRequest(repair=True)).mended) == {"records"}
    records.write_bytes(whole)
    peer.delete_container(ContainerId(row.config.id))
    found = check(engine, CheckRequest(repair=True))
    (left,) = [one for one in found.left if one.kind == "removed-from-storage"]
    assert (left.subject, left.repair) == (row.config.id, "")
    forced = check(engine, CheckRequest(force=True))
    assert "removed-from-storage" in kinds(forced.mended)
    assert rows.ids(engine.database) == []
    assert check(engine, CheckRequest()).left == ()
    # A container whose image lost a layer holds the others until it is forced away.
    put_image(peer, "localhost/x:1", busybox_layers())
    row = create(engine, RunRequest(image="localhost/x:1", command=("sh",)))
    shutil.rmtree(next(Path(store.base).glob("graph/overlay/*/diff/bin/busybox")).parents[2])
    found = check(engine, CheckRequest(repair=True))
    assert row.config.id in [one.subject for one in found.left if one.kind == "container-kept"]
    forced = check(engine, CheckRequest(force=True))
    assert row.config.id in [one.subject for one in forced.mended]
    assert rows.ids(engine.database) == []
    assert not [one for one in forced.left if one.repair]


def test_a_container_that_is_being_removed_is_not_damaged(store: Store) -> None:
    from pathlib import Path

    sys.path.insert(0, os.path.dirname(__file__))
    from store_world import busybox_layers, open_store, put_image

    from sonata.engine.containers.create import create
    from sonata.engine.storage import delete_container_layer
    from sonata.model.request import RunRequest

    put_image(open_store(Path(store.base)), "localhost/x:1", busybox_layers())
    engine = store.engine()
    ident = create(engine, RunRequest(image="localhost/x:1", command=("sh",))).config.id
    with engine.locks.hold(ident):  # whoever removes it has this, and removes the layer ahead of the rest
        delete_container_layer(engine, ident)
        assert "container" not in kinds(check(engine, CheckRequest()).left)
    assert ident in [one.subject for one in check(engine, CheckRequest()).left if one.kind == "container"]


def test_a_monitor_of_nothing_is_ended(store: Store) -> None:
    """What is left when the row of a running container is lost, as with a salvaged database."""
    made = store.run("run", "-d", "--network=none", "--rootfs", store.rootfs(), "sleep", "1000")
    ident = made.stdout.strip()
    engine = store.engine()
    pid = rows.get(engine.database, ident).state.pid
    rows.remove(engine.database, ident, None)
    found = check(engine, CheckRequest(repair=True))
    assert "monitor" in kinds(found.mended)
    assert not process.alive(pid, 0)
    assert not cgroups.exists(f"/libpod_parent/libpod-{ident}")
    assert check(engine, CheckRequest(repair=True)).left == ()
    assert check(engine, CheckRequest()).left == ()


def test_a_pod_without_its_infra_container_goes_by_force(store: Store) -> None:
    made = store.run("pod", "create", "--name", "band", "--network", "none")
    assert made.returncode == 0, made.stderr
    engine = store.engine()
    pod = pods.get(engine.database, made.stdout.strip())
    assert "pod" not in kinds(check(engine, CheckRequest()).left)
    rows.remove(engine.database, pod.infra, None)
    found = check(engine, CheckRequest(repair=True))
    (left,) = [one for one in found.left if one.kind == "pod"]
    assert (left.subject, left.repair) == (pod.id, "")
    forced = check(engine, CheckRequest(force=True))
    assert "pod" in kinds(forced.mended), forced
    assert pods.listed(engine.database) == []
