"""What `system check` finds and mends, and that a crash at any step leaves nothing it cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonata.store.records import ContainerRecord, ImageRecord
from sonata.store.repair import whole_records
from sonata.store.store import Store
from sonata.store.usage import image_size
from sonata_core.sdk.stages import dead_stages
from sonata_core.sdk.trees import tree_usage

sys.path.insert(0, str(Path(__file__).parent))
from store_world import new_container, open_store, put_image, put_layer

BASE = {"etc/": b"", "etc/file": b"one"}
TOP = {"etc/": b"", "etc/other": b"two"}


class World:
    def __init__(self, top: Path, driver: str) -> None:
        self.store: Store = open_store(top, driver)
        self.image: ImageRecord = put_image(self.store, "localhost/x:1", [BASE, TOP])
        self.spare: ImageRecord = put_image(self.store, "localhost/spare:1", [BASE, {"spare": b"s"}])
        self.container: ContainerRecord = new_container(self.store, self.image, "c")
        self.home = top / "graph" / ("overlay" if driver == "overlay" else "vfs/dir")

    def folder(self, kind: str) -> Path:
        return Path(self.store.place.folder(kind, self.store.place.graph))

    def edit(self, kind: str, change: object) -> None:
        path = self.folder(kind) / f"{kind}.json"
        rows = json.loads(path.read_text())
        change(rows)  # type: ignore[operator]
        path.write_text(json.dumps(rows))


@pytest.fixture(params=["overlay", "vfs"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    return World(tmp_path, request.param)


def remove(path: Path) -> None:
    subprocess.run(["rm", "-rf", str(path)], check=True)


def test_a_good_store_is_clean(world: World) -> None:
    assert world.store.check().left == ()
    assert world.store.check(quick=True, repair=True).left == ()
    assert world.store.check(repair=True).mended == ()


def damage_orphan(world: World) -> None:
    (world.home / ("d" * 64)).mkdir()


def damage_data(world: World) -> None:
    (world.folder("images") / ("d" * 64)).mkdir()


def damage_split(world: World) -> None:
    (world.folder("layers") / f"{'d' * 64}.tar-split.gz").write_text("x")


def damage_temporary(world: World) -> None:
    (world.folder("layers") / ".tmp-layers.json12345").write_text("[")


def damage_incomplete(world: World) -> None:
    world.edit("layers", lambda rows: rows.append({"id": "d" * 64, "created": "x", "flags": {"incomplete": True}}))


def damage_lost_folder(world: World) -> None:
    remove(world.home / str(world.spare.layer))


def damage_ring(world: World) -> None:
    """Two that stand on each other, and one that stands on them; then one on itself."""
    below = put_layer(world.store, {"below": b"1"}, None)
    above = put_layer(world.store, {"above": b"1"}, below)
    put_layer(world.store, {"top": b"1"}, above)
    alone = put_layer(world.store, {"alone": b"1"}, None)
    parents = {below: above, alone: alone}

    def change(rows: list[dict[str, object]]) -> None:
        for row in rows:
            row["parent"] = parents.get(str(row["id"]), row.get("parent"))

    world.edit("layers", change)
    assert set(parents) | {above} == {below, alone, above} - set(world.store.layers())


def damage_no_tar_split(world: World) -> None:
    (world.folder("layers") / f"{world.spare.layer}.tar-split.gz").unlink()


def damage_short_tar_split(world: World) -> None:
    path = world.folder("layers") / f"{world.spare.layer}.tar-split.gz"
    path.write_bytes(path.read_bytes()[:-9])


def damage_no_manifest(world: World) -> None:
    (world.folder("images") / world.spare.id / "manifest").unlink()


def damage_short_manifest(world: World) -> None:
    (world.folder("images") / world.spare.id / "manifest").write_text("{}")


def damage_digest(world: World) -> None:
    path = world.folder("images") / world.spare.id / "manifest"
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))


def damage_unreferenced(world: World) -> None:
    put_layer(world.store, {"alone": b"1"}, put_layer(world.store, {"below": b"1"}, None))


def damage_container(world: World) -> None:
    row = {"id": "d" * 64, "names": ["lost"], "image": world.image.id, "layer": "e" * 64, "created": "x"}
    world.edit("containers", lambda rows: rows.append(row))


def damage_stage(world: World) -> None:
    script = (
        "import os, sys; from sonata_core.sdk.stages import Stage; s = Stage(sys.argv[1]);"
        "open(s.path + '/x', 'w').close(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(world.folder("layers") / "tmp")], check=False)


DAMAGES = {
    "orphan-layer": damage_orphan,
    "orphan-data": damage_data,
    "orphan-data 2": damage_split,
    "temporary": damage_temporary,
    "incomplete": damage_incomplete,
    "broken": damage_lost_folder,
    "ring": damage_ring,
    "tar-split": damage_no_tar_split,
    "tar-split 2": damage_short_tar_split,
    "image": damage_no_manifest,
    "image 2": damage_short_manifest,
    "image 3": damage_digest,
    "unreferenced": damage_unreferenced,
    "container": damage_container,
    "stage": damage_stage,
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_damage_is_found_and_mended(world: World, kind: str) -> None:
    DAMAGES[kind](world)
    found = world.store.check()
    assert kind.split(maxsplit=1)[0] in {one.kind for one in found.left}
    assert all(one.evidence and one.what for one in found.left)
    # Looking changes nothing.
    assert world.store.check() == found
    mended = world.store.check(repair=True)
    assert mended.left == (), mended
    assert kind.split(maxsplit=1)[0] in {one.kind for one in mended.mended}
    assert world.store.check().left == ()
    # What had no damage is there as before.
    assert world.store.find_image("localhost/x:1") == world.image
    assert world.store.find_container("c") == world.container
    assert world.store.mount_layer(world.container.layer, lambda record: "/nowhere") == "/nowhere"


def test_what_a_container_needs_is_never_removed(world: World) -> None:
    (world.folder("layers") / f"{world.image.layer}.tar-split.gz").unlink()
    (world.folder("images") / world.image.id / "manifest").unlink()
    result = world.store.check(repair=True)
    assert {one.kind for one in result.left} == {"tar-split", "image", "container-kept"}
    assert result.notes
    assert world.store.find_container("c") is not None
    assert world.container.layer in world.store.layers()


def test_a_young_layer_may_be_part_of_a_pull(world: World) -> None:
    layer = put_layer(world.store, {"alone": b"1"}, None)
    result = world.store.check(repair=True, grace=60)
    assert [(one.subject, one.repair) for one in result.left] == [(layer, "")]
    assert layer in world.store.layers()
    assert world.store.check(repair=True).left == ()
    assert layer not in world.store.layers()


@pytest.mark.parametrize("kind", ["layers", "images", "containers"])
def test_half_written_records_are_salvaged(world: World, kind: str) -> None:
    path = world.folder(kind) / f"{kind}.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert [one.kind for one in world.store.check().left] == ["records"]
    result = world.store.check(repair=True)
    assert "records" in {one.kind for one in result.mended}
    assert next(world.folder(kind).glob(f"{kind}.json.broken-*")).read_bytes() == whole[:-20]
    rows = json.loads(path.read_text())
    assert len(rows) < len(json.loads(whole))
    assert world.store.check(repair=True).mended == ()


def test_whole_records() -> None:
    text = b'[{"id":"a","created":"x"},{"id":"b","created":"x","big-data-sizes":{"id":1}},{"id":"c","cre'
    assert [row["id"] for row in whole_records(text)] == ["a", "b"]


def test_usage_accounts_for_every_byte(world: World) -> None:
    usage = world.store.usage()
    total, _ = tree_usage(world.store.place.graph)
    assert sum(usage.folders.values()) == total
    image = next(one for one in usage.images if one.id == world.image.id)
    assert image.containers == 1
    assert image.size == image_size(world.image, world.store.layers())
    assert 0 < image.shared < image.size
    assert [one.names for one in usage.containers] == [("c",)]


CRASH = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from store_world import open_store, put_image, new_container
store = open_store(Path(sys.argv[2]), sys.argv[3])
step, count = int(sys.argv[4]), 0
STEPS = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chown", "os.chmod"}
def hook(event, args):
    global count
    if event in STEPS or (event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT):
        count += 1
        if count == step:
            os.kill(os.getpid(), 9)
sys.addaudithook(hook)
what = sys.argv[5]
if what == "pull":
    put_image(store, "localhost/new:1", [{"etc/": b"", "etc/file": b"one"}, {"new": b"n"}])
elif what == "create":
    new_container(store, store.find_image("localhost/x:1"), "new", volatile=True)
elif what == "remove":
    store.delete_container(store.find_container("c").id)
elif what == "rmi":
    store.delete_image(store.find_image("localhost/spare:1"))
print(count)
"""


def crash(top: Path, driver: str, step: int, what: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-c", CRASH, str(Path(__file__).parent), str(top), driver, str(step), what]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["pull", "create", "remove", "rmi"])
@pytest.mark.parametrize("driver", ["overlay", "vfs"])
def test_a_kill_at_any_step_leaves_a_store_that_mends(tmp_path: Path, driver: str, what: str) -> None:
    steps = int(crash_count(tmp_path / "count", driver, what))
    assert steps > 5
    for step in range(1, steps + 1):
        top = tmp_path / f"step{step}"
        world = World(top, driver)
        assert crash(top, driver, step, what).returncode == -9
        check_after(world, what, step)


def crash_count(top: Path, driver: str, what: str) -> str:
    World(top, driver)
    done = crash(top, driver, 0, what)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_after(world: World, what: str, step: int) -> None:
    store = world.store
    # The acknowledged is there, without any repair.
    assert store.find_image("localhost/x:1") == world.image, step
    store.image_data(world.image, "manifest")
    if what != "remove":
        assert store.find_container("c") == world.container, step
    # The same command again does its work.
    if what == "pull":
        put_image(store, "localhost/new:1", [BASE, {"new": b"n"}])
        assert store.find_image("localhost/new:1") is not None
    elif what == "create":
        half = store.find_container("new")
        if half is not None:
            store.delete_container(half.id)
        store.delete_container(new_container(store, world.image, "new").id)
    elif what == "remove":
        store.delete_container(world.container.id)
        assert store.find_container("c") is None
    else:
        left = store.find_image("localhost/spare:1")
        if left is not None:
            store.delete_image(left)
    result = store.check(repair=True)
    assert result.left == (), (step, result)
    assert store.check().left == ()
    assert dead_stages(os.path.join(store.place.folder("layers", store.place.graph), "tmp")) == []
