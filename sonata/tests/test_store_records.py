"""The store's own behaviour: records, names, deletion, mounts, additional and split stores."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from sonata.store.bigdata import read_item
from sonata.store.names import big_data_file, dump_json, format_time, layer_id, parse_time
from sonata.store.pulled import pulled_image
from sonata.store.records import NewImage
from sonata.store.store import Store
from sonata.store.table import replaces_safely
from sonata_core.border import Border
from sonata_core.errors import AlreadyExists, Conflict, Damaged, Denied, InUse, NotFound, Unavailable
from sonata_core.groups import STORAGE
from sonata_core.hookspecs.storage import StorageHooks
from sonata_core.models.ids import ContainerId, Digest, ImageId, LayerId
from sonata_core.models.image import ManifestBytes
from sonata_core.models.storage import UnpackTarget
from sonata_core.sdk import syscalls
from sonata_core.sdk.locks import try_lock_file
from sonata_core.slot import seat

sys.path.insert(0, str(Path(__file__).parent))
from store_world import Quiet, digest_of, new_container, open_store, put_image, put_layer

BASE = {"etc/": b"", "etc/file": b"one"}
TOP = {"etc/": b"", "etc/other": b"two"}


@pytest.fixture(params=["overlay", "vfs"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    return open_store(tmp_path, request.param)


def rows(store: Store, kind: str) -> list[dict[str, object]]:
    path = Path(store.place.folder(kind, store.place.graph)) / f"{kind}.json"
    found: list[dict[str, object]] = json.loads(path.read_text())
    return found


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("manifest", "manifest"),
        ("instances.json", "instances.json"),
        ("manifest-sha256:46ff", "=bWFuaWZlc3Qtc2hhMjU2OjQ2ZmY="),
        ("abc-", "abc-"),
        ("?", "?"),
    ],
)
def test_big_data_file_names(key: str, name: str) -> None:
    assert big_data_file(key) == name


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-11-21T20:57:02.3Z", 1795294622_300000000),
        ("2026-11-21T20:57:02.285625795Z", 1795294622_285625795),
        ("2026-11-21T22:57:02+02:00", 1795294622_000000000),
        ("0001-01-01T00:00:00Z", 0),
        ("1960-01-01T00:00:00.5Z", -315619200_000000000 + 500000000),
        ("nonsense", 0),
    ],
)
def test_times(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds
    if text.endswith("Z") and nanoseconds:
        assert format_time(nanoseconds) == text


def test_json_is_escaped_as_peers_do() -> None:
    assert dump_json({"a": "<é&>"}) == '{"a":"\\u003cé\\u0026\\u003e"}'.encode()


def test_layer_ids() -> None:
    base = layer_id(None, Digest("sha256:" + "a" * 64))
    assert base == "a" * 64
    # printf '%s' "$(printf 'a%.0s' {1..64})+$(printf 'b%.0s' {1..64})" | sha256sum
    child = layer_id(base, Digest("sha256:" + "b" * 64))
    import hashlib

    assert child == hashlib.sha256(("a" * 64 + "+" + "b" * 64).encode()).hexdigest()


def test_an_image_is_recorded(store: Store) -> None:
    image = put_image(store, "docker.io/library/x:1", [BASE, TOP])
    found = store.find_image("docker.io/library/x:1")
    assert found == image
    assert found is not None
    assert store.find_image(image.id[:5]) == image
    assert store.find_image(f"sha256:{image.id}") == image
    assert store.find_image(f"docker.io/library/x@{image.digest}") == image
    assert store.find_image(f"docker.io/library/y@{image.digest}") is None
    assert store.find_image("x:1") is None
    assert image.big_data[-1] == "manifest"
    assert image.digests == (image.digest,)
    assert json.loads(store.image_data(image, "manifest"))["schemaVersion"] == 2
    assert image.created == parse_time("2024-01-02T03:04:05.5Z")
    layers = store.layers()
    top = layers[image.layer]  # type: ignore[index]
    assert top.parent in layers
    assert store.tar_split(top.id)
    row = next(row for row in rows(store, "layers") if row["id"] == top.id)
    assert list(row) == [
        "id",
        "parent",
        "created",
        "compressed-diff-digest",
        "compressed-size",
        "diff-digest",
        "diff-size",
        "uidset",
        "gidset",
    ]
    with pytest.raises(NotFound):
        store.image_data(image, "nothing")


def test_putting_again_changes_nothing(store: Store) -> None:
    first = put_image(store, "docker.io/library/x:1", [BASE, TOP])
    before = rows(store, "layers")
    second = put_image(store, "docker.io/library/x:2", [BASE, TOP])
    assert second.id == first.id
    assert second.names == ("docker.io/library/x:2", "docker.io/library/x:1")
    assert rows(store, "layers") == before
    assert second.names_history == ("docker.io/library/x:1", "docker.io/library/x:2")
    with pytest.raises(AlreadyExists, match="different top layer"):
        store.put_image(NewImage(id=first.id, layer=None, big_data=()))
    with pytest.raises(NotFound):
        store.put_image(NewImage(id=ImageId("f" * 64), layer=LayerId("e" * 64), big_data=()))


def test_names_move(store: Store) -> None:
    one = put_image(store, "localhost/x:1", [BASE], mark="one")
    two = put_image(store, "localhost/x:1", [BASE], mark="two")
    images = {image.id: image for image in store.images()}
    assert images[one.id].names == ()
    assert images[one.id].names_history == ("localhost/x:1",)
    assert images[two.id].names == ("localhost/x:1",)
    assert store.add_names(images[one.id], ["localhost/y:1"]).names == ("localhost/y:1",)
    assert store.remove_names(images[two.id], ["localhost/x:1"]).names == ()
    assert store.set_names(images[two.id], ["a:1", "b:1", "a:1"]).names == ("a:1", "b:1")
    ambiguous = open_store(Path(store.place.graph).parent, store.place.driver)
    assert len(ambiguous.images()) == 2


def test_deleting_an_image_keeps_what_others_need(store: Store) -> None:
    one = put_image(store, "localhost/one:1", [BASE, TOP])
    two = put_image(store, "localhost/two:1", [BASE, {"etc/": b"", "etc/third": b"3"}])
    base = store.layers()[one.layer].parent  # type: ignore[index]
    assert store.delete_image(one) == (one.layer,)
    assert base in store.layers()
    assert store.delete_image(one) == ()
    assert store.delete_image(two) == (two.layer, base)
    assert store.layers() == {}
    left = {path.name for path in Path(store.place.folder("layers", store.place.graph)).iterdir()}
    assert left == {"layers.json", "layers.lock", "tmp"}
    assert list(Path(store.place.folder("images", store.place.graph)).glob("?" * 64)) == []


def test_a_container(store: Store) -> None:
    image = put_image(store, "localhost/x:1", [BASE, TOP])
    record = new_container(store, image, "web")
    assert store.find_container("web") == record
    assert store.find_container(record.layer) == record
    assert store.find_container(record.id[:6]) == record
    assert store.layers()[record.layer].names == ("web-layer",)
    assert record.flags == {"MountLabel": "", "ProcessLabel": ""}
    assert os.path.isdir(os.path.join(store.container_folder(record.id), "userdata"))
    with pytest.raises(AlreadyExists, match='the container name "web" is already in use'):
        new_container(store, image, "web")
    with pytest.raises(InUse, match=f"image used by {record.id}: image is in use by a container"):
        store.delete_image(image)
    assert store.rename_container(record.id, "www").names == ("www",)
    assert store.delete_container(record.id)
    assert not store.delete_container(record.id)
    assert record.layer not in store.layers()
    assert not os.path.exists(store.container_folder(record.id))
    assert not os.path.exists(store.container_run_folder(record.id))
    assert store.delete_image(image)


def test_volatile_containers_lie_where_old_peers_look(store: Store) -> None:
    image = put_image(store, "localhost/x:1", [BASE])
    record = new_container(store, image, "gone", volatile=True)
    assert [row["id"] for row in rows(store, "containers")] == [record.id]
    assert rows(store, "containers")[0]["flags"]["Volatile"] is True  # type: ignore[index]


def test_volatile_files_of_newer_peers_are_read_and_kept(store: Store) -> None:
    image = put_image(store, "localhost/x:1", [BASE])
    folder = Path(store.place.folder("containers", store.place.graph))
    folder.mkdir(exist_ok=True)
    other = {"id": "d" * 64, "names": ["other"], "image": image.id, "layer": "e" * 64, "created": "x", "flags": {}}
    (folder / "volatile-containers.json").write_text(json.dumps([other]))
    record = new_container(store, image, "mine")
    assert [one.id for one in store.containers()] == [record.id, "d" * 64]
    assert json.loads((folder / "volatile-containers.json").read_text())[0]["id"] == "d" * 64
    with pytest.raises(AlreadyExists):
        new_container(store, image, "other")
    with pytest.raises(InUse):
        store.delete_image(image)
    assert store.delete_container(ContainerId("d" * 64))
    assert json.loads((folder / "volatile-containers.json").read_text()) == []


def test_every_save_leaves_a_fresh_token(store: Store) -> None:
    lock = Path(store.place.folder("layers", store.place.graph)) / "layers.lock"
    put_layer(store, BASE, None)
    first = lock.read_bytes()
    put_layer(store, TOP, None)
    assert len(first) == len(lock.read_bytes()) == 64
    assert first != lock.read_bytes()


def test_an_incomplete_layer_is_deleted_by_the_next_write(store: Store) -> None:
    layer = put_layer(store, BASE, None)
    path = Path(store.place.folder("layers", store.place.graph)) / "layers.json"
    found = json.loads(path.read_text())
    found[0]["flags"] = {"incomplete": True}
    path.write_text(json.dumps(found))
    assert store.layers() == {}
    put_layer(store, TOP, None)
    assert layer not in {row["id"] for row in rows(store, "layers")}
    assert store.tar_split(layer) is None
    # It may be put again afterwards.
    assert put_layer(store, BASE, None) == layer


def test_the_disk_is_waited_for_when_the_locks_are_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path)
    image = put_image(store, "localhost/one:1", [BASE])
    if not replaces_safely(store.place.graph):
        pytest.skip("files of this file system must be waited for before they are renamed")
    waited: list[tuple[str, bool]] = []
    real = os.fdatasync

    def fdatasync(fd: int) -> None:
        folder = store.place.folder("layers", store.place.graph)
        free = try_lock_file(os.path.join(folder, "layers.lock"))
        waited.append((os.path.basename(os.readlink(f"/proc/self/fd/{fd}")), free is not None))
        if free is not None:
            free.close()
        real(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    made = new_container(store, image, "one")
    both = {("layers.json", True), ("containers.json", True)}
    assert set(waited) == both
    waited.clear()
    assert store.delete_container(made.id)
    assert set(waited) == both
    waited.clear()
    new_container(store, image, "two", volatile=True)
    assert not waited


@pytest.mark.parametrize("driver", ["overlay", "vfs"])
def test_files_are_waited_for_before_the_record_where_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    """storage.conf's `sync`: a power cut leaves no layer that is said to be there and has empty files."""
    store = open_store(tmp_path, driver)
    records = Path(store.place.folder("layers", store.place.graph)) / "layers.json"
    seen: list[tuple[str, int, bool]] = []
    real = syscalls.sync_file_system

    def watched(folder: str) -> None:
        kept = list(Path(folder).rglob("other"))
        last = json.loads(records.read_text())[-1]
        seen.append((os.path.basename(folder), len(kept), last["flags"].get("incomplete", False)))
        real(folder)

    monkeypatch.setattr(syscalls, "sync_file_system", watched)
    put_image(store, "localhost/plain:1", [BASE])
    assert seen == []
    store.place = store.place.replace(sync=True)
    put_image(store, "localhost/x:1", [TOP])
    assert seen == [(driver, 1, True)]
    monkeypatch.setattr(syscalls, "call", lambda *_words, path: raise_full(path))
    with pytest.raises(Unavailable, match="No space left"):
        put_image(store, "localhost/y:1", [{"etc/": b"", "third": b"3"}])
    assert len(json.loads(records.read_text())) == 2, "what does not lie on the disk is not said to be there"


def raise_full(path: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def test_files_are_deleted_when_the_locks_are_free_again(store: Store) -> None:
    hooks = store._driver()
    deleted: list[str] = []

    class Watching:
        """The driver; looks at what others would see while files are deleted."""

        def __getattr__(self, name: str) -> Any:
            return getattr(hooks, name)

        def storage_unstage(self, staged: UnpackTarget) -> None:
            assert os.listdir(staged.path)
            for kind in ("layers", "images", "containers"):
                free = try_lock_file(store.place.lock_path(kind, store.place.graph))
                assert free is not None, f"{kind}.lock is held while files are deleted"
                free.close()
            assert len(hooks.storage_list()) == len(rows(store, "layers")) == left
            hooks.storage_unstage(staged=staged)
            assert not os.path.exists(staged.path)
            deleted.append(staged.path)

    image = put_image(store, "localhost/x:1", [BASE, TOP])
    watched = Store(store.place, lambda: cast(StorageHooks, Watching()))
    made = new_container(store, image, "c")
    left = 2
    assert watched.delete_container(made.id)
    assert len(deleted) == 1
    left = 0
    assert len(watched.delete_image(image)) == 2
    assert len(deleted) == 3


def test_a_full_disk_does_not_keep_a_layer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    image = put_image(store, "localhost/x:1", [BASE])

    real = os.mkdir

    def full(path: str, mode: int = 0o777) -> None:
        if "tempdirs" in path:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        real(path, mode)

    monkeypatch.setattr(os, "mkdir", full)
    store.delete_image(image)
    monkeypatch.undo()
    assert store._driver().storage_list() == ()
    assert store.check().left == ()


def test_mounts_are_counted(store: Store) -> None:
    layer = put_layer(store, BASE, None)
    calls: list[str] = []
    live: set[str] = set()

    def mount(record: object) -> str:
        calls.append("mount")
        live.add("/m")
        return "/m"

    def unmount(path: str) -> None:
        calls.append("unmount")
        live.discard(path)

    mounted = live.__contains__
    for _ in range(2):
        assert store.mount_layer(layer, mount, mounted) == "/m"
    path = Path(store.place.folder("layers", store.place.run)) / "mountpoints.json"
    assert json.loads(path.read_text()) == [{"id": layer, "path": "/m", "count": 2}]
    assert not store.unmount_layer(layer, unmount, mounted=mounted)
    assert store.unmount_layer(layer, unmount, mounted=mounted)
    assert store.unmount_layer(layer, unmount, mounted=mounted)
    assert calls == ["mount", "unmount"]
    # After a reboot, or a stray umount, the count says nothing.
    store.mount_layer(layer, mount, mounted)
    live.clear()
    store.mount_layer(layer, mount, mounted)
    assert json.loads(path.read_text())[0]["count"] == 1
    assert store.unmount_layer(layer, unmount, force=True, mounted=mounted)
    assert json.loads(path.read_text()) == []


def test_a_mount_that_cannot_be_counted_is_taken_away(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = put_layer(store, BASE, None)
    taken: list[str] = []
    monkeypatch.setattr("sonata.store.mountpoints.write_file", lambda path, *_words, **_more: raise_full(path))
    with pytest.raises(Unavailable, match="No space left"):
        store.mount_layer(layer, lambda _record: "/m", lambda _path: False, taken.append)
    assert taken == ["/m"]


def test_additional_store(tmp_path: Path) -> None:
    foreign = open_store(tmp_path / "foreign")
    image = put_image(foreign, "localhost/far:1", [BASE, TOP])
    store = open_store(tmp_path, extra=(tmp_path / "foreign" / "graph",))
    found = store.find_image("localhost/far:1")
    assert found is not None
    assert found.read_only
    record = new_container(store, found, "c")
    assert (Path(store.place.graph) / "overlay" / record.layer / "lower").exists()
    tagged = store.add_names(found, ["localhost/near:1"])
    assert tagged.names == ("localhost/near:1", "localhost/far:1")
    assert not tagged.read_only
    assert tagged.big_data == found.big_data
    assert json.loads(store.image_data(tagged, "manifest"))
    assert store.delete_container(record.id)
    assert store.delete_image(tagged) == ()
    again = store.find_image("localhost/far:1")
    assert again is not None
    with pytest.raises(Denied, match="read-only image"):
        store.delete_image(again)
    assert foreign.find_image(image.id) is not None


def test_split_store(tmp_path: Path) -> None:
    store = open_store(tmp_path, images=tmp_path / "imagestore")
    image = put_image(store, "localhost/x:1", [BASE, TOP])
    split = tmp_path / "imagestore"
    assert (split / "overlay-images" / "images.json").exists()
    assert (split / "overlay" / str(image.layer) / "diff" / "etc" / "other").exists()
    assert (tmp_path / "graph" / "overlay-layers" / f"{image.layer}.tar-split.gz").exists()
    record = new_container(store, image, "c")
    assert (tmp_path / "graph" / "overlay" / record.layer / "diff").exists()
    for root in ("graph", "imagestore"):
        assert (tmp_path / root / "overlay-layers" / "layers.lock").exists()
    store.delete_container(record.id)
    assert len(store.delete_image(image)) == 2


@pytest.mark.parametrize("damage", ["{", '{"a":1}', '[{"names":[]}]', "[1]"])
def test_a_damaged_file_is_named(store: Store, damage: str) -> None:
    put_image(store, "localhost/x:1", [BASE])
    path = Path(store.place.folder("images", store.place.graph)) / "images.json"
    path.write_text(damage)
    with pytest.raises(Damaged, match=r"images\.json"):
        store.images()


def test_an_empty_file_is_an_empty_list(store: Store) -> None:
    folder = Path(store.place.folder("images", store.place.graph))
    folder.mkdir(parents=True)
    (folder / "images.json").write_text("")
    assert store.images() == []


def test_ids_are_never_paths(store: Store) -> None:
    with pytest.raises(Damaged):
        read_item(store.place.folder("images", store.place.graph), "../../etc", "passwd")


def test_a_full_disk_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    image = put_image(store, "localhost/x:1", [BASE])
    folder = Path(store.place.folder("images", store.place.graph))
    before = (folder / "images.json").read_bytes()
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if ".tmp-images.json" in os.readlink(f"/proc/self/fd/{fd}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Unavailable, match="No space left"):
        store.add_names(image, ["localhost/y:1"])
    assert (folder / "images.json").read_bytes() == before
    assert list(folder.glob(".tmp-*")) == []


def test_two_prefixes(store: Store) -> None:
    folder = Path(store.place.folder("images", store.place.graph))
    folder.mkdir(parents=True)
    both = [{"id": "abc" + "0" * 61, "created": ""}, {"id": "abc" + "1" * 61, "created": ""}]
    (folder / "images.json").write_text(json.dumps(both))
    with pytest.raises(Conflict, match="ambiguous"):
        store.find_image("abc")


def test_items_of_a_pulled_image(store: Store) -> None:
    manifest = ManifestBytes(media_type="m", digest=digest_of(b"manifest"), content=b"manifest")
    index = ManifestBytes(media_type="i", digest=digest_of(b"index"), content=b"index")
    config = (digest_of(b"config"), b"config")
    new = pulled_image(
        ImageId("a" * 64), None, manifest=manifest, index=index, config=config, signatures=(b"one", b"four")
    )
    image = store.put_image(new)
    hexes = manifest.digest[7:]
    assert image.big_data == (
        config[0],
        f"manifest-{index.digest}",
        f"manifest-{manifest.digest}",
        "manifest",
        "signatures",
        f"signature-{hexes}",
    )
    assert image.digest == index.digest
    assert image.digests == (index.digest, manifest.digest)
    assert json.loads(image.metadata) == {
        "signature-sizes": [3, 4],
        "signatures-sizes": {manifest.digest: [3, 4]},
    }
    assert store.image_data(image, "signatures") == b"onefour"
    plain = pulled_image(ImageId("b" * 64), None, manifest=manifest)
    assert plain.metadata == "{}"
    assert plain.digest == manifest.digest


def test_the_drivers_take_their_seats(tmp_path: Path) -> None:
    for driver, more in (("overlay", {"StorageChanges"}), ("vfs", set())):
        store = open_store(tmp_path / driver, driver)
        slot = seat(STORAGE, driver, store._driver(), Border("storage", Quiet()))
        assert slot.offered == {"StorageCheck", "StorageWithdraw", *more}
        seated = Store(store.place, lambda hook=slot.hook: hook)  # type: ignore[misc]
        image = put_image(seated, "localhost/x:1", [BASE, TOP])
        new_container(seated, image, "c")
        assert seated.check(repair=True).left == ()


def test_reading_loads_nothing_heavy() -> None:
    script = (
        "import sys; before = set(sys.modules); import sonata.store.store;"
        "heavy = {'typing','dataclasses','inspect','subprocess','pathlib','tempfile','shutil','logging','contextlib',"
        "'threading','hashlib','base64','pluggy'} & (set(sys.modules) - before); print(sorted(heavy))"
    )
    path = os.pathsep.join(part for part in sys.path if part)
    argv = [sys.executable, "-S", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"PYTHONPATH": path})
    assert done.stdout.strip() == "[]"


def test_what_is_listed_is_what_lies_on_the_disk_now(tmp_path: Path) -> None:
    from sonata.store.recent import Recent

    path = tmp_path / "images.json"
    recent, times = Recent(), []

    def read() -> str:
        times.append(1)
        return path.read_text() if path.exists() else ""

    assert recent.get("images", [str(path)], read) == ""
    path.write_text("one")
    assert [recent.get("images", [str(path)], read) for _ in range(3)] == ["one"] * 3
    assert len(times) == 2
    # Replaced by a file of the same size, as peers do it.
    other = tmp_path / "new"
    other.write_text("two")
    other.rename(path)
    assert recent.get("images", [str(path)], read) == "two"
