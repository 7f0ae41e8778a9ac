"""Every kind of damage to a store that can be made by hand: `system check` finds it, mends it, and Podman reads on."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root
UPON = "localhost/upon:1"
NOBODY = "d" * 64


class Store:
    """A store with an image that nothing is wrong with, and one upon it that is damaged."""

    def __init__(self, folder: Path, made: PlainStore) -> None:
        self.plain = made
        self.root = folder / "root"
        self.home = self.root / "overlay"
        self.image: str = self.row("images", UPON)["id"]
        self.layer: str = self.row("images", UPON)["layer"]
        self.base: str = self.row("images", IMAGE)["layer"]

    def folder(self, kind: str) -> Path:
        return self.root / f"overlay-{kind}"

    def row(self, kind: str, name: str) -> dict[str, Any]:
        rows = json.loads((self.folder(kind) / f"{kind}.json").read_text())
        found: dict[str, Any] = next(row for row in rows if name in (row["id"], *(row.get("names") or ())))
        return found

    def edit(self, kind: str, name: str, **changes: object) -> None:
        path = self.folder(kind) / f"{kind}.json"
        rows = json.loads(path.read_text())
        next(row for row in rows if name in (row["id"], *(row.get("names") or ()))).update(changes)
        path.write_text(json.dumps(rows))

    def item(self, key: str) -> Path:
        return self.folder("images") / self.image / key

    @property
    def file(self) -> Path:
        return self.home / self.layer / "diff/file"

    @property
    def tar_split(self) -> Path:
        return self.folder("layers") / f"{self.layer}.tar-split.gz"


def missing_layer(store: Store) -> None:
    shutil.rmtree(store.home / store.layer)


def short_tar_split(store: Store) -> None:
    store.tar_split.write_bytes(store.tar_split.read_bytes()[:40])


def no_tar_split(store: Store) -> None:
    store.tar_split.unlink()


def orphan_folder(store: Store) -> None:
    (store.home / NOBODY / "diff").mkdir(parents=True)


def orphan_items(store: Store) -> None:
    (store.folder("images") / NOBODY).mkdir()


def changed_file(store: Store) -> None:
    store.file.write_text("some")


def short_file(store: Store) -> None:
    os.truncate(store.file, 1)


def lost_file(store: Store) -> None:
    store.file.unlink()


def changed_mode(store: Store) -> None:
    store.file.chmod(0o700)


def changed_owner(store: Store) -> None:
    os.chown(store.file, 5, 6)


def extra_file(store: Store) -> None:
    (store.file.parent / "extra").write_text("x")


def wrong_size(store: Store) -> None:
    store.edit("layers", store.layer, **{"diff-size": 7})


def wrong_diff_digest(store: Store) -> None:
    store.edit("layers", store.layer, **{"diff-digest": "sha256:" + "0" * 64})


def broken_link(store: Store) -> None:
    (store.home / "l" / ("A" * 26)).symlink_to(f"../{NOBODY}/diff")


def lost_short_name(store: Store) -> None:
    (store.home / "l" / (store.home / store.layer / "link").read_text()).unlink()


def lost_link(store: Store) -> None:
    (store.home / store.layer / "link").unlink()


def lost_lower(store: Store) -> None:
    for name in ("lower", "lower-layers"):
        (store.home / store.layer / name).unlink(missing_ok=True)


def dangling_parent(store: Store) -> None:
    store.edit("layers", store.layer, parent=NOBODY)


def no_manifest(store: Store) -> None:
    store.item("manifest").unlink()


def wrong_manifest(store: Store) -> None:
    store.item("manifest").write_bytes(store.item("manifest").read_bytes().replace(b"2", b"3", 1))


def no_config(store: Store) -> None:
    next(path for path in store.item("x").parent.iterdir() if path.name.startswith("=c2hh")).unlink()


def wrong_config(store: Store) -> None:
    path = next(path for path in store.item("x").parent.iterdir() if path.name.startswith("=c2hh"))
    path.write_bytes(path.read_bytes().replace(b"amd64", b"arm64"))


def half_written(kind: str) -> Callable[[Store], None]:
    def damage(store: Store) -> None:
        path = store.folder(kind) / f"{kind}.json"
        path.write_bytes(path.read_bytes()[:-9])

    return damage


def cut_short(store: Store) -> None:
    (store.folder("images") / ".tmp-images.json123").write_text("[")


def stale_stage(store: Store) -> None:
    (store.home / "tempdirs").mkdir(exist_ok=True)
    (store.home / "tempdirs/lock-77").touch()
    (store.home / "tempdirs/temp-dir-77").mkdir()


def volatile_mark(store: Store) -> None:
    (store.home / store.layer / "work/work/incompat/volatile").mkdir(parents=True)


def incomplete(store: Store) -> None:
    store.edit("layers", store.layer, flags={"incomplete": True})


def replaced(place: Callable[[Store], Path], make: Callable[[Path], object]) -> Callable[[Store], None]:
    """Something else lies in a file's place."""

    def damage(store: Store) -> None:
        path = place(store)
        path.unlink(missing_ok=True)
        make(path)

    return damage


def records(kind: str) -> Callable[[Store], Path]:
    return lambda store: store.folder(kind) / f"{kind}.json"


def link(store: Store) -> Path:
    return store.home / store.layer / "link"


def short_name(store: Store) -> Path:
    return store.home / "l" / link(store).read_text()


def written(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def changed_time(store: Store) -> None:
    os.utime(store.file, (7, 7))


def wrong_types(store: Store) -> None:
    store.edit("layers", store.layer, **{"diff-size": "many"})


def no_time(store: Store) -> None:
    store.edit("images", UPON, created="yesterday")


def stands_on_itself(store: Store) -> None:
    store.edit("layers", store.layer, parent=store.layer)


def bases_link(store: Store) -> None:
    link(store).write_text((store.home / store.base / "link").read_text())


def swapped_short_name(store: Store) -> None:
    path = short_name(store)
    path.unlink()
    path.symlink_to(f"../{store.base}/diff")


def lower_of_itself(store: Store) -> None:
    (store.home / store.layer / "lower").write_text(f"l/{link(store).read_text()}")


def no_short_names(store: Store) -> None:
    shutil.rmtree(store.home / "l")


UNLINKED = "layer without its link"
NO_TAR = "layer whose tar cannot be made again"
UNREAD = "the records of layers cannot be read"
NO_LOCK = "lock file that is no file"
RARE: dict[str, tuple[Callable[[Store], None], bool, str]] = {
    "changed time": (changed_time, False, "layer whose files are not what was unpacked"),
    "tar-split a fifo": (replaced(lambda store: store.tar_split, os.mkfifo), False, NO_TAR),
    "tar-split a folder": (replaced(lambda store: store.tar_split, Path.mkdir), False, NO_TAR),
    "manifest a fifo": (replaced(lambda store: store.item("manifest"), os.mkfifo), False, "broken image"),
    "size a text": (wrong_types, False, UNREAD),
    "time that is none": (no_time, True, "time that is none"),
    "parent itself": (stands_on_itself, False, "layer that stands on itself"),
    "lock a folder": (replaced(lambda s: s.folder("layers") / "layers.lock", Path.mkdir), True, NO_LOCK),
    "lock a fifo": (replaced(lambda s: s.folder("images") / "images.lock", os.mkfifo), True, NO_LOCK),
    "records a fifo": (replaced(records("containers"), os.mkfifo), True, "the records of containers cannot be read"),
    "link of another": (bases_link, True, UNLINKED),
    "link a fifo": (replaced(link, os.mkfifo), True, UNLINKED),
    "link leads out": (replaced(link, written("../../../etc")), True, UNLINKED),
    "short name of another": (swapped_short_name, True, UNLINKED),
    "short name a file": (replaced(short_name, written("x")), True, UNLINKED),
    "no short names": (no_short_names, True, UNLINKED),
    "lower itself": (lower_of_itself, True, "layer with a wrong `lower`"),
}
DAMAGES: dict[str, tuple[Callable[[Store], None], bool, str]] = {
    # what is done; whether it can be mended without losing the image; what is told
    "missing layer": (missing_layer, False, "broken layer"),
    "truncated tar-split": (short_tar_split, False, "layer whose tar cannot be made again"),
    "no tar-split": (no_tar_split, False, "layer whose tar cannot be made again"),
    "orphan folder": (orphan_folder, True, "layer folder without a record"),
    "orphan items": (orphan_items, True, "data of images without a record"),
    "changed file": (changed_file, False, "layer whose files are not what was unpacked"),
    "truncated file": (short_file, False, "layer whose files are not what was unpacked"),
    "lost file": (lost_file, False, "layer whose files are not what was unpacked"),
    "changed mode": (changed_mode, False, "layer whose files are not what was unpacked"),
    "changed owner": (changed_owner, False, "layer whose files are not what was unpacked"),
    "extra file": (extra_file, False, "layer whose files are not what was unpacked"),
    "wrong size": (wrong_size, True, "wrong size of a layer"),
    "wrong diff digest": (wrong_diff_digest, False, "layer whose files are not what was unpacked"),
    "broken link": (broken_link, True, "broken link"),
    "lost short name": (lost_short_name, True, "layer without its link"),
    "lost link": (lost_link, True, "layer without its link"),
    "lost lower": (lost_lower, False, "broken layer"),
    "dangling parent": (dangling_parent, False, "broken layer"),
    "no manifest": (no_manifest, False, "broken image"),
    "wrong manifest": (wrong_manifest, False, "broken image"),
    "no config": (no_config, False, "broken image"),
    "wrong config": (wrong_config, False, "broken image"),
    "half of the layers' records": (half_written("layers"), False, "the records of layers cannot be read"),
    "half of the images' records": (half_written("images"), False, "the records of images cannot be read"),
    "save cut short": (cut_short, True, "a save that was cut short"),
    "stale stage": (stale_stage, True, "stale staging folder"),
    "volatile mark": (volatile_mark, True, "mark of a volatile mount that was never taken away"),
    "incomplete layer": (incomplete, False, "incomplete layer"),
}


@contextlib.contextmanager
def place(who: Root) -> Iterator[Path]:
    """A folder with a short name: Podman takes no run root of more than 50 letters."""
    with TemporaryDirectory() as folder:
        yield who.folder(Path(folder))


@pytest.fixture(scope="module")
def template(who: Root) -> Iterator[PlainStore]:
    with place(who) as folder:
        made = PlainStore(folder, who=who)
        made.out("create", "--name", "c", IMAGE)
        (folder / "file").write_text("more")
        made.out("cp", f"{folder}/file", "c:/file")
        made.out("commit", "-q", "c", UPON)
        made.out("rm", "c")
        yield made
        made.close()


@pytest.fixture
def store(template: PlainStore) -> Iterator[Store]:
    with place(template.who) as folder:
        subprocess.run(["cp", "-a", f"{template.base}/root", f"{folder}/root"], check=True)
        yield Store(folder, template.at(folder))
        subprocess.run(template.who.within("umount", "-q", f"{folder}/root/overlay"), check=False)


@pytest.mark.parametrize("name", [*DAMAGES, *(pytest.param(name, marks=pytest.mark.slow) for name in RARE)])
def test_damage_is_found_and_mended(store: Store, name: str) -> None:
    damage, kept, told = {**DAMAGES, **RARE}[name]
    damage(store)
    store.plain.who.adopt(store.root)
    found = store.plain("system", "check", "--max", "0")
    assert found.returncode == 125, found.stdout.decode()
    assert found.stderr.decode().startswith("Error: damage detected in local storage")
    lines = found.stdout.decode().splitlines()
    assert told in {line.partition(": ")[0] for line in lines}, lines
    assert all("evidence: " in line for line in lines[1::2])
    store.plain.out("system", "check", "--max", "0", "--repair")
    assert store.plain.out("system", "check", "--max", "0") == ""
    images = {IMAGE, UPON} if kept else {IMAGE}
    if name == "half of the images' records":
        # Which record was cut, the order of the file says.
        images = set(store.plain.out("images", "--format", "{{.Repository}}:{{.Tag}}").split())
        assert len(images) == 1
    assert read_by_podman(store) == images


def read_by_podman(store: Store) -> set[str]:
    """The names of the images that Podman lists and whose files it shows."""
    if not shutil.which("podman"):
        return set(store.plain.out("images", "--format", "{{.Repository}}:{{.Tag}}").split())
    who = store.plain.who
    run = f"/run/user/{who.uid}/p" if who.ordinary else f"{store.plain.base}/run"
    where = ["--root", str(store.root), "--runroot", run, "--storage-driver", "overlay"]
    argv = who.within("podman", *where, "--cgroup-manager", "cgroupfs")
    done = subprocess.run([*argv, "image", "mount", "--all"], check=False, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    found = dict(line.split() for line in done.stdout.splitlines())
    assert all((who.seen(path) / "bin/busybox").exists() for path in found.values())
    subprocess.run([*argv, "image", "unmount", "--all"], check=True, capture_output=True, cwd="/")
    return set(found)


def test_what_another_user_left_in_a_store_is_named(store: Store) -> None:
    orphan_folder(store)
    done = store.plain("system", "check", "--max", "0", "--repair")
    if store.plain.who.ordinary:
        assert (done.returncode, "raised" in done.stderr.decode()) == (125, False)
        assert f"/{NOBODY}" in done.stderr.decode()
        assert "another user's" in done.stderr.decode()
    else:
        assert done.returncode == 0


def test_quick_reads_no_file(store: Store) -> None:
    changed_file(store)
    assert store.plain.out("system", "check", "--quick", "--max", "0") == ""
    assert store.plain("system", "check", "--max", "0").returncode == 125


def test_what_a_container_stands_on_stays_until_it_is_forced(store: Store) -> None:
    ident = store.plain.out("create", "--name=c", UPON)
    changed_file(store)
    done = store.plain("system", "check", "--repair")
    assert done.returncode == 125
    assert "a container needs it" in done.stderr.decode()
    assert store.plain.out("ps", "-aq", "--no-trunc") == ident
    store.plain.out("rm", "c")
    store.plain.out("system", "check", "--repair")
    assert store.plain.out("images", "--format", "{{.Repository}}:{{.Tag}}") == IMAGE


def test_cgroups_of_other_engines_are_not_spoken_of(store: Store) -> None:
    script = "from sonata.host import cgroups; print(*cgroups.trees())"
    trees = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    group = Path(trees[0], "libpod_parent", f"libpod-{NOBODY}")
    try:
        group.mkdir(parents=True)
    except OSError:
        pytest.skip("control groups cannot be made here")
    os.utime(trees[0])
    try:
        assert store.plain.out("system", "check") == ""
    finally:
        group.rmdir()


def test_tar_split_data_that_belong_to_other_files(store: Store) -> None:
    """Whole, and of another layer: only reading everything tells."""
    data = gzip.decompress((store.folder("layers") / f"{store.base}.tar-split.gz").read_bytes())
    store.tar_split.write_bytes(gzip.compress(data))
    assert store.plain("system", "check", "--max", "0").returncode == 125
    store.plain.out("system", "check", "--max", "0", "--repair")
    assert store.plain.out("images", "--format", "{{.Repository}}:{{.Tag}}") == IMAGE


@pytest.mark.slow
def test_force_removes_containers_of_what_is_broken(store: Store) -> None:
    """Without it they stay, and so does what they stand on."""
    store.plain.out("create", "--name=c", UPON)
    no_manifest(store)
    no_tar_split(store)
    done = store.plain("system", "check", "--repair", "--max", "0")
    assert (done.returncode, store.plain.out("ps", "-a", "--format", "{{.Names}}")) == (125, "c")
    store.plain.out("system", "check", "--repair", "--force", "--max", "0")
    assert store.plain.out("ps", "-aq") == ""
    assert store.plain.out("system", "check", "--max", "0") == ""
    assert read_by_podman(store) == {IMAGE}


@pytest.mark.slow
def test_a_container_whose_image_is_gone_is_named(store: Store) -> None:
    ident = store.plain.out("create", "--name=c", IMAGE)
    store.edit("containers", ident, image=NOBODY)
    done = store.plain("system", "check")
    assert (done.returncode, "container whose image is gone" in done.stdout.decode()) == (125, True)
    store.plain.out("system", "check", "--repair", "--force")
    assert store.plain.out("ps", "-aq") == ""


@pytest.mark.slow
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_database_that_is_no_file_is_set_aside(store: Store, make: Callable[[Path], object]) -> None:
    store.plain.out("create", "--name=c", IMAGE)
    (path,) = store.root.glob("**/state.db")
    for one in path.parent.glob("state.db*"):
        one.unlink()
    make(path)
    store.plain.who.adopt(store.root)
    assert "system check --repair" in store.plain("ps").stderr.decode()
    store.plain.out("system", "check", "--repair")
    assert store.plain.out("system", "check") == ""
    # Its record and its files are kept, as another engine's would be.
    assert store.plain.out("ps", "-a", "--external", "--format", "{{.Names}}") == "c"
