"""Additional image stores: images of another store are seen, run and built upon, and that store is never written to."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root


def snapshot(folder: Path) -> dict[str, tuple[int, ...]]:
    """Everything in a store, with what a write would change."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = f"{where}/{name}"
            seen = os.lstat(path)
            found[path] = (seen.st_ino, seen.st_mode, seen.st_size, seen.st_mtime_ns)
    return found


def beside(base: Path, *others: PlainStore, driver: str = "overlay") -> PlainStore:
    """An empty store that sees the images of others."""
    base.mkdir(exist_ok=True)
    made = others[0].at(base)
    made.options[made.options.index("--storage-driver") + 1 :] = [driver]
    for other in others:
        made.options += ["--storage-opt", f"{driver}.imagestore={other.base}/root"]
    return made


@pytest.fixture(params=["overlay", "vfs"])
def stores(request: pytest.FixtureRequest, tmp_path: Path, who: Root) -> Iterator[tuple[PlainStore, PlainStore]]:
    (tmp_path / "a").mkdir()
    theirs = PlainStore(tmp_path / "a", request.param, who)
    theirs.out("rm", "-fa")
    mine = beside(tmp_path / "b", theirs, driver=request.param)
    before = snapshot(tmp_path / "a/root")
    yield theirs, mine
    mine.close()
    assert snapshot(tmp_path / "a/root") == before


def test_images_are_listed_read_only_and_run(stores: tuple[PlainStore, PlainStore]) -> None:
    theirs, mine = stores
    head, row = mine.out("images").splitlines()
    assert head.split()[-1] == "R/O"
    assert row.split()[-1] == "true"
    assert mine.out("images", "-q", "-f", "readonly=true") == theirs.out("images", "-q")
    assert mine.out("images", "-q", "-f", "readonly=false") == ""
    script = "echo more >/file; cat /file; cat /etc/hostname >/dev/null"
    assert mine.out("run", "--rm", "--network=none", IMAGE, "sh", "-c", script) == "more"
    mine.sleeper("one")
    assert mine.out("exec", "one", "cat", "/proc/1/comm") == "sleep"
    assert mine.out("ps", "--format", "{{.Image}} {{.Names}}") == f"{IMAGE} one"


def test_they_are_not_removed(stores: tuple[PlainStore, PlainStore]) -> None:
    _, mine = stores
    ident = mine.out("images", "-q", "--no-trunc").removeprefix("sha256:")
    for words in (("rmi", IMAGE), ("rmi", "--force", ident)):
        assert f'Error: cannot remove read-only image "{ident}"' in mine.refused(*words)
    for words in (("rmi", "--all"), ("rmi", "--all", "--force"), ("image", "prune", "--all", "--force")):
        assert mine.out(*words) == ""
    assert mine.out("system", "df", "--format", "{{.Type}} {{.Reclaimable}}").splitlines()[0] == "Images 0B (0%)"
    assert mine.out("images", "-q", "--no-trunc").removeprefix("sha256:") == ident


def test_a_name_of_ones_own_is_a_record_of_ones_own(stores: tuple[PlainStore, PlainStore]) -> None:
    theirs, mine = stores
    mine.out("tag", IMAGE, "localhost/mine:1")
    words = ("inspect", "--type=image", "--format={{.Id}} {{.Size}} {{.Digest}}")
    assert mine.out(*words, "localhost/mine:1") == theirs.out(*words, IMAGE)
    assert mine.out("images", "-q", "localhost/mine:1") == theirs.out("images", "-q")
    assert mine.out("rmi", "-f", "localhost/mine:1", IMAGE)
    assert mine.out("images", "--format", "{{.Repository}}:{{.Tag}} {{.ReadOnly}}") == f"{IMAGE} true"


def test_what_is_there_is_not_brought_again(stores: tuple[PlainStore, PlainStore]) -> None:
    theirs, mine = stores
    done = mine("load", "--progress", "json", "-i", f"{theirs.base}/box.tar")
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [one["state"] for one in told if one["event"] == "end" and one["kind"] == "blob"] == ["exists"]
    driver = mine.program[mine.program.index("--storage-driver") + 1]
    own = Path(mine.base, "root", f"{driver}-layers/layers.json")
    assert not own.exists() or json.loads(own.read_text() or "[]") in ([], None)
    assert mine.out("images", "--format", "{{.ReadOnly}}").split() == ["false", "true"]
    assert mine.out("run", "--rm", "--network=none", IMAGE, "echo", "run") == "run"
    assert "Deleted" in mine.out("rmi", IMAGE)


def test_the_nearest_store_has_a_name_and_each_is_listed(tmp_path: Path, who: Root) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    first, second = PlainStore(tmp_path / "a", who=who), PlainStore(tmp_path / "b", who=who)
    with tarfile.open(tmp_path / "web.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("web"))
    second.out("import", "-q", str(tmp_path / "web.tar"), "localhost/web:1")
    first.out("tag", IMAGE, "localhost/web:1")
    box, web = (second.out("images", "-q", name) for name in (IMAGE, "localhost/web:1"))
    mine = beside(tmp_path / "c", first, second)
    shown = "images", "--sort", "id", "--format", "{{.ID}} {{.Repository}} {{.ReadOnly}}"

    def rows(*filters: str) -> list[str]:
        return sorted(mine.out(*shown, *filters).splitlines())

    there = [f"{box} localhost/box true"] * 2 + [f"{box} localhost/web true", f"{web} localhost/web true"]
    assert rows() == sorted(there)
    assert set(mine.out("images", "-q", "web:1").split()) == {box, web}
    assert mine.out("inspect", "--format", "{{.Id}}", "web:1").startswith(box)
    # A name that is taken away here is there again when the store that has it is asked.
    mine.out("untag", IMAGE)
    assert rows() == sorted([*there, f"{box} <none> false"])
    assert mine.out("run", "--rm", "--network=none", IMAGE, "echo", "run") == "run"
    assert "cannot remove read-only image" in mine.refused("rmi", IMAGE)
    assert mine.out("image", "prune", "-f")
    assert rows() == sorted(there)
    # The store's own image goes before others.
    mine.out("create", "--name", "c", IMAGE, "sh")
    mine.out("commit", "-q", "c", "localhost/web:1")
    mine.out("rm", "c")
    own = mine.out("inspect", "--format", "{{.Id}}", "web:1")
    assert not own.startswith((box, web))
    assert own in mine.out("rmi", "web:1")
    assert rows() == sorted(there)
    mine.close()


def test_a_store_that_is_not_there(tmp_path: Path, who: Root) -> None:
    (tmp_path / "a").mkdir()
    theirs = PlainStore(tmp_path / "a", who=who)
    mine = beside(tmp_path / "b", theirs)
    mine.sleeper("one")
    mine.out("create", "--name", "two", IMAGE, "sh")
    mine.out("commit", "-q", "two", "localhost/upon:1")
    upon = mine.out("inspect", "--format", "{{.Id}}", "upon:1")
    (tmp_path / "a/root").rename(tmp_path / "a/away")
    gone = f"additional image store {tmp_path}/a/root is not there"
    assert gone in mine.refused("image", "inspect", IMAGE)
    # What stands on its layers is not damage.
    for words in (("check",), ("check", "--repair"), ("check", "--force")):
        assert gone in mine.refused("system", *words)
    assert "is in no store" in mine.refused("start", "two")
    assert mine.out("exec", "one", "echo", "runs") == "runs"
    assert mine.out("stop", "-t0", "one") == "one"
    assert mine.out("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines() == ["one exited", "two created"]
    (tmp_path / "a/away").rename(tmp_path / "a/root")
    mine.out("system", "check")
    assert mine.out("inspect", "--format", "{{.Id}}", "upon:1") == upon
    assert mine.out("start", "one") == "one"
    records = tmp_path / "a/root/overlay-images/images.json"
    whole = records.read_bytes()
    records.write_bytes(whole[:-20])
    assert str(records) in mine.refused("system", "check", "--repair")
    records.write_bytes(whole)
    mine.close()
    theirs.close()


def test_a_chain_through_three_stores(tmp_path: Path, who: Root) -> None:
    (tmp_path / "a").mkdir()
    base = PlainStore(tmp_path / "a")
    middle = beside(tmp_path / "b", base)
    middle.out("run", "--network=none", "--name=c", IMAGE, "sh", "-c", "echo middle >/middle")
    middle.out("commit", "-q", "c", "localhost/middle:1")
    middle.out("rm", "c")
    top = beside(tmp_path / "c", middle, base)
    before = snapshot(tmp_path / "a/root"), snapshot(tmp_path / "b/root")
    assert top.out("run", "--rm", "--network=none", "middle:1", "cat", "/middle") == "middle"
    top.out("run", "--network=none", "--name=c", "middle:1", "sh", "-c", "echo top >/top")
    assert top.out("diff", "c") == "A /top"
    top.out("commit", "-q", "c", "localhost/top:1")
    top.out("rm", "c")
    assert top.out("run", "--rm", "--network=none", "top:1", "cat", "/middle", "/top").split() == ["middle", "top"]
    top.out("save", "-q", "-o", str(tmp_path / "top.tar"), "top:1")
    alone = beside(tmp_path / "d", base)
    alone.options = alone.options[:-2]
    alone.out("load", "-q", "-i", str(tmp_path / "top.tar"))
    assert alone.out("run", "--rm", "--network=none", "top:1", "cat", "/middle", "/top").split() == ["middle", "top"]
    assert (snapshot(tmp_path / "a/root"), snapshot(tmp_path / "b/root")) == before


@pytest.mark.needs_peer("podman")
def test_podman_reads_what_was_built_upon_another_store() -> None:
    # Podman takes no run root of more than 50 letters.
    with TemporaryDirectory() as folder:
        tmp_path = Path(folder)
        (tmp_path / "a").mkdir()
        base = PlainStore(tmp_path / "a")
        mine = beside(tmp_path / "b", base)
        mine.out("tag", IMAGE, "localhost/mine:1")
        mine.out("create", "--name=c", IMAGE)
        mine.out("commit", "-q", "c", "localhost/more:1")
        mine.out("rm", "c")
        argv = ["podman", *mine.program[3:], "--cgroup-manager", "cgroupfs"]
        try:
            done = subprocess.run([*argv, "images", "--format", "json"], check=False, capture_output=True)
            assert done.returncode == 0, done.stderr
            shown = {name: one for one in json.loads(done.stdout) for name in one.get("Names") or ()}
            assert set(shown) == {IMAGE, "localhost/mine:1", "localhost/more:1"}
            assert shown["localhost/mine:1"]["Size"] == shown[IMAGE]["Size"]
            path = subprocess.run([*argv, "image", "mount", "more:1"], check=True, capture_output=True, text=True)
            assert Path(path.stdout.strip(), "bin/busybox").exists()
            subprocess.run([*argv, "image", "unmount", "more:1"], check=True, capture_output=True)
        finally:
            subprocess.run(["umount", "-q", f"{folder}/b/root/overlay"], check=False)
