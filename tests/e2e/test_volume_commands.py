"""`volume` and its commands: options with their effect, counts of mounts, archives, and what is refused."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from volume_world import FULL, VolumeWorld, entry, packed

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[VolumeWorld]:
    made = VolumeWorld(tmp_path_factory.mktemp("v"), who=who)
    yield made
    made.close()


def shown(world: VolumeWorld, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(world.out("volume", "inspect", name))
    return found[0]


def folder(world: VolumeWorld, name: str) -> Path:
    return Path(shown(world, name)["Mountpoint"])


def is_mount(world: VolumeWorld, place: Path) -> bool:
    return str(place) in (words[4] for words in world.who.mountinfo())


def owner(path: Path) -> tuple[int, int, int]:
    seen = path.stat()
    return seen.st_uid, seen.st_gid, seen.st_mode & 0o7777


def settled(condition: Any) -> bool:
    """Whether it holds within some seconds: the clean-up of a container goes on after its end."""
    deadline = time.monotonic() + 15
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# -- the first use ---------------------------------------------------------------------------------


def test_an_empty_volume_takes_what_the_image_has(world: VolumeWorld) -> None:
    assert (
        world.inside("--user", "7:8", "-v", "fill:/data", "cat /data/file 2>/dev/null; ls /data") == "file\nlink\nsub"
    )
    place = folder(world, "fill")
    uids = [world.who.owner(number) for number in (7, 8, 5, 6)]
    assert (owner(place), owner(place / "file")) == ((*uids[:2], 0o750), (*uids[2:], 0o640))
    assert (place / "link").readlink() == Path("file")
    found = shown(world, "fill")
    assert "NeedsCopyUp" not in found
    assert "NeedsChown" not in found
    world.inside("-v", "fill:/data", "rm -r /data/*")
    assert world.inside("-v", "fill:/data", "ls /data") == ""  # once is once


def test_a_volume_that_has_something_keeps_it(world: VolumeWorld) -> None:
    world.out("volume", "create", "kept")
    (folder(world, "kept") / "mine").write_text("")
    world.who.give(str(folder(world, "kept")))
    assert world.inside("--user", "5:6", "-v", "kept:/data", "ls /data") == "mine"
    assert owner(folder(world, "kept")) == (world.who.uid, world.who.uid, 0o755)
    found = shown(world, "kept")
    assert (found.get("NeedsCopyUp"), found.get("NeedsChown")) == (True, None)


def test_nocopy_and_later(world: VolumeWorld) -> None:
    assert world.inside("-v", "late:/data:nocopy", "ls /data") == ""
    assert shown(world, "late")["NeedsCopyUp"] is True
    assert world.inside("-v", "late:/nothing", "ls /nothing") == ""
    assert world.inside("-v", "late:/data", "cat /data/file") == "hello"
    for option in ("nocopy", "o=nocopy"):
        world.out("volume", "create", "-o", option, "never")
        assert world.inside("-v", "never:/data", "ls /data") == ""
        world.out("volume", "rm", "never")


def test_owner_of_an_empty_volume(world: VolumeWorld) -> None:
    assert world.inside("--user", "5:6", "-v", "own:/absent", "stat -c %u:%g /absent") == "5:6"
    assert (shown(world, "own")["UID"], shown(world, "own")["NeedsChown"]) == (5, True)
    assert world.inside("--user", "9:9", "-v", "own:/absent", "stat -c %u:%g /absent") == "9:9"
    for words in (("-o", "o=uid=11,gid=12"), ("--uid", "11", "--gid", "12")):
        world.out("volume", "create", *words, "said")
        assert world.inside("--user", "5:6", "-v", "said:/data", "stat -c %u:%g:%a /data") == "11:12:755"
        assert "NeedsChown" not in shown(world, "said")
        world.out("volume", "rm", "said")


def test_options_of_a_volume_that_run_makes(world: VolumeWorld) -> None:
    spec = "type=volume,src=byrun,dst=/d,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=1M"
    assert "tmpfs tmpfs rw,size=1024k" in world.mounted("/d", "--mount", spec)
    code, text = world.run_refused("--mount", "type=volume,src=no,dst=/d,volume-opt=foo=x")
    assert (code, text) == (
        125,
        "Error: creating named volume \"no\": invalid mount option foo for driver 'local': invalid argument",
    )
    assert "no" not in world.out("volume", "ls", "-q").split()


# -- volumes that are mounted ----------------------------------------------------------------------


def test_a_tmpfs_is_mounted_while_somebody_uses_it(world: VolumeWorld) -> None:
    world.out(
        "volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=2M,uid=5,gid=6,mode=751", "ram"
    )
    line = world.mounted("/data", "-v", "ram:/data")
    assert line.split()[1:2] == ["rw,nosuid,nodev,relatime"]
    uid, gid = world.who.owner(5), world.who.owner(6)
    assert line.endswith(f"tmpfs tmpfs rw,size=2048k,mode=751,uid={uid},gid={gid}")
    place = folder(world, "ram")
    assert settled(lambda: not is_mount(world, place))
    world.sleeper("h1", "-v", "ram:/x")
    world.sleeper("h2", "-v", "ram:/x", "-v", "ram:/z")
    assert shown(world, "ram")["MountCount"] == 3
    world.out("exec", "h1", "busybox", "touch", "/x/f")
    assert world.out("exec", "h2", "ls", "/z") == "f"
    assert "is being used by the following container(s)" in world.refused("volume", "rm", "ram")
    world.out("rm", "-ft0", "h1")
    assert shown(world, "ram")["MountCount"] == 2
    world.out("rm", "-ft0", "h2")
    assert (shown(world, "ram")["MountCount"], is_mount(world, place)) == (0, False)


def test_counts_survive_what_is_killed(world: VolumeWorld) -> None:
    world.out("volume", "create", "-o", "type=tmpfs", "hit")
    place = folder(world, "hit")
    world.sleeper("victim", "-v", "hit:/x")
    found = json.loads(world.out("inspect", "victim"))[0]
    for pid in (int(Path(found["ConmonPidFile"]).read_text()), found["State"]["Pid"]):
        os.kill(pid, signal.SIGKILL)
    assert settled(lambda: world.out("ps", "-q", "--filter", "name=victim") == "")
    world.out("rm", "-f", "victim")
    assert (shown(world, "hit")["MountCount"], is_mount(world, place)) == (0, False)


def test_a_reboot_ends_all_mounts(world: VolumeWorld) -> None:
    """What the database says is of another boot, and nothing is mounted any more."""
    world.out("volume", "create", "-o", "type=tmpfs", "boot")
    place = folder(world, "boot")
    world.mounting("volume", "mount", "boot")
    subprocess.run(world.who.within("umount", str(place)), check=True)
    with sqlite3.connect(f"{world.base}/root/sonata/state.db") as database:
        text = database.execute("SELECT definition FROM volume WHERE name = 'boot'").fetchone()[0]
        row = {**json.loads(text), "boot": "another"}
        database.execute("UPDATE volume SET definition = ? WHERE name = 'boot'", (json.dumps(row),))
    assert shown(world, "boot")["MountCount"] == 0
    assert "tmpfs" in world.mounted("/x", "-v", "boot:/x")
    assert settled(lambda: not is_mount(world, place))


def test_a_mount_that_was_never_counted_is_not_stacked(world: VolumeWorld) -> None:
    world.out("volume", "create", "-o", "type=tmpfs", "stack")
    place = folder(world, "stack")
    subprocess.run(world.who.within("mount", "-t", "tmpfs", "left", str(place)), check=True)
    world.mounting("volume", "mount", "stack")
    mounts = [words for words in world.who.mountinfo() if words[4] == str(place)]
    assert len(mounts) == 1
    world.mounting("volume", "unmount", "stack")
    assert not is_mount(world, place)


def test_mount_and_unmount_by_hand(world: VolumeWorld) -> None:
    world.out("volume", "create", "plain")
    assert world.mounting("volume", "mount", "plain") == str(folder(world, "plain"))
    assert world.mounting("volume", "unmount", "plain") == "plain"
    world.out("volume", "create", "-o", "type=tmpfs", "hand")
    place = folder(world, "hand")
    assert [world.mounting("volume", "mount", "hand") for _ in range(2)] == [str(place)] * 2
    assert (shown(world, "hand")["MountCount"], is_mount(world, place)) == (2, True)
    world.inside("-v", "hand:/x", "touch /x/there")
    assert settled(lambda: shown(world, "hand")["MountCount"] == 2)
    assert (world.who.seen(str(place)) / "there").exists()
    for left in (1, 0, 0):
        assert world.mounting("volume", "unmount", "hand") == "hand"
        assert shown(world, "hand")["MountCount"] == left
    assert not is_mount(world, place)
    world.mounting("volume", "mount", "hand")
    world.out("volume", "rm", "hand")
    assert not place.exists()
    for verb in ("mount", "unmount"):
        assert (
            world.mounting_refused("volume", verb, "nosuch")
            == 'Error: no volume with name "nosuch" found: no such volume'
        )


def test_a_folder_of_the_host(world: VolumeWorld) -> None:
    for number, words in enumerate((("type=none", "o=bind"), ("type=bind",))):
        options = [part for word in (*words, f"device={world.source}") for part in ("-o", word)]
        world.out("volume", "create", *options, f"host{number}")
        assert world.inside("-v", f"host{number}:/h", "cat /h/file") == "host"
        assert "NeedsChown" not in shown(world, f"host{number}")
    world.out("volume", "create", "-o", "o=bind", "-o", "device=/none", "gone")
    code, text = world.run_refused("-v", "gone:/h")
    assert (code, "mounting volume gone for container" in text) == (126, True)
    assert "faccessat /none: no such file" in world.refused("volume", "create", "-o", "type=bind", "-o", "device=/none")


def test_removing_a_volume_never_reaches_through_its_mount(world: VolumeWorld, tmp_path: Path) -> None:
    """Also a mount that nobody counted, of a command that was killed."""
    (tmp_path / "precious").write_text("")
    world.out("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", "through")
    place = folder(world, "through")
    subprocess.run(world.who.within("mount", "--bind", str(tmp_path), str(place)), check=True)
    world.out("volume", "rm", "through")
    assert os.listdir(tmp_path) == ["precious"]
    assert not place.exists()


def test_what_the_kernel_has_no_file_system_for(world: VolumeWorld) -> None:
    options = ("-o", "type=nosuchfs", "-o", "device=127.0.0.1:/x", "-o", "o=addr=127.0.0.1")
    world.out("volume", "create", *options, "far")
    place = folder(world, "far")
    assert world.mounting_refused("volume", "mount", "far").startswith(f"Error: mount: {place}: ")
    code, text = world.run_refused("-v", "far:/x")
    assert (code, text.startswith("Error: mounting volume far for container"), f": mount: {place}: " in text) == (
        126,
        True,
        True,
    )
    assert shown(world, "far")["MountCount"] == 0
    assert world.out("volume", "rm", "far") == "far"


def test_no_option_reaches_mount_as_an_option_of_its_own(world: VolumeWorld) -> None:
    world.out("volume", "create", "-o", "type=tmpfs", "-o", "device=--help", "dash")
    assert world.mounting("volume", "mount", "dash") == str(folder(world, "dash"))
    assert is_mount(world, folder(world, "dash"))
    world.mounting("volume", "unmount", "dash")


def test_quota_is_kept_or_refused(world: VolumeWorld) -> None:
    """Where the file system counts projects the bound holds, elsewhere it is refused by name."""
    done = world("volume", "create", "-o", "o=size=1M", "bound")
    if done.returncode:
        assert b"Filesystem does not support Project Quota" in done.stderr
        assert "bound" not in world.out("volume", "ls", "-q").split()
        assert not (world.base / "root/volumes/bound").exists()
    else:
        assert world("run", "--rm", "-v", "bound:/b", FULL, "dd", "if=/dev/zero", "of=/b/x", "bs=2M").returncode
    world.out("volume", "create", "-o", "o=noquota", "free")
    assert shown(world, "free")["Options"] == {"NOQUOTA": "true"}


def test_a_volume_of_an_image(world: VolumeWorld) -> None:
    world.out("volume", "create", "-d", "image", "-o", f"image={FULL}", "img")
    assert world.inside("-v", "img:/i", "cat /i/data/file; touch /i/new") == "hello"
    assert settled(lambda: shown(world, "img")["MountCount"] == 0)
    assert world.inside("-v", "img:/i", "ls /i/new") == "/i/new"
    place = Path(world.mounting("volume", "mount", "img"))
    assert (world.who.seen(str(place)) / "new").exists()
    world.mounting("volume", "unmount", "img")
    assert shown(world, "img")["StorageID"]
    assert "image is in use" in world.refused("rmi", FULL)
    assert world.out("volume", "rm", "img") == "img"
    assert not is_mount(world, place)
    assert "img+volume" not in world.out("ps", "-a", "--external")
    assert "nosuch: image not known" in world.refused("volume", "create", "-d", "image", "-o", "image=nosuch")


# -- making, listing, removing ---------------------------------------------------------------------


def test_create(world: VolumeWorld) -> None:
    assert world.out("volume", "create", "-l", "a=b", "--label", "c", "made") == "made"
    assert shown(world, "made")["Labels"] == {"a": "b", "c": ""}
    said = world.refused("volume", "create", "made")
    assert said == "Error: volume with name made already exists: volume already exists"
    assert world.out("volume", "create", "--ignore", "made") == "made"
    assert len(world.out("volume", "create")) == 64
    said = world.refused("volume", "create", "a/b")
    assert said.startswith("Error: running volume create option: names must match")
    assert "lies between 0 and" in world.refused("volume", "create", "--uid=-5", "low")
    said = world.refused("volume", "create", "-d", "nosuch", "x")
    assert said.startswith("Error: volume x uses volume plugin nosuch but it could not be retrieved: no volume plugin")


def test_ls_and_its_filters(world: VolumeWorld) -> None:
    world.out("volume", "create", "-l", "mark=ls", "-o", "type=tmpfs", "ls1")
    world.out("volume", "create", "-l", "mark=ls", "ls2")
    world.out("create", "--name", "lsc", "-v", "ls2:/x", "-v", "/anon", "--image-volume", "ignore", FULL, "true")

    def names(*filters: str) -> list[str]:
        words = [part for one in ("label=mark=ls", *filters) for part in ("--filter", one)]
        return world.out("volume", "ls", "-q", *words).split()

    assert names() == ["ls1", "ls2"]
    assert (names("opt=type"), names("opt=type=tmpfs"), names("opt=type=x")) == (["ls1"], ["ls1"], [])
    assert (names("dangling=true"), names("dangling=false")) == (["ls1"], ["ls2"])
    assert (names("driver=local"), names("driver=x"), names("scope=x")) == (["ls1", "ls2"], [], [])
    assert (names("since=ls1"), names("after=ls1"), names("name=1$")) == (["ls2"], ["ls2"], ["ls1"])
    assert (names("anonymous=false"), names("anonymous=true"), names("until=1h")) == (["ls1", "ls2"], [], [])
    assert len(world.out("volume", "ls", "-q", "--filter", "anonymous=true").split()) >= 1
    form = "{{.Name}}|{{.Driver}}|{{.Options}}|{{.MountCount}}|{{.NeedsCopyUp}}|{{.NeedsChown}}|{{.Anonymous}}"
    shown_row = world.out("volume", "ls", "--filter", "name=^ls1$", "--format", form)
    assert shown_row == "ls1|local|map[type:tmpfs]|0|true|true|false"
    form = "{{.StorageID}}|{{.Timeout}}|{{.Status}}|{{.Scope}}|{{.UID}}{{.GID}}|{{.Mountpoint}}"
    assert world.out("volume", "inspect", "ls1", "--format", form) == f"|0|map[]|local|00|{folder(world, 'ls1')}"
    for form in ("{{.VolumeConfigResponse.Name}}", "{{.InspectVolumeData.Name}}"):
        assert world.out("volume", "ls", "--filter", "name=^ls1$", "--format", form) == "ls1"
    assert "quiet and format flags cannot be used together" in world.refused("volume", "ls", "-q", "--format", "json")
    assert 'is not a valid value for the "anonymous" filter' in world.refused("volume", "ls", "--filter", "anonymous=x")
    world.out("rm", "-v", "lsc")
    assert world("volume", "exists", "ls").returncode == 1  # a prefix is no name here
    assert world("volume", "exists", "ls1").returncode == 0


def test_anonymous_volumes_go_with_their_container(world: VolumeWorld) -> None:
    def count() -> int:
        return len(world.out("volume", "ls", "-q", "--filter", "anonymous=true").split())

    before = count()
    world.inside("-v", "/anon", "-v", "stays:/n", "true")
    assert settled(lambda: count() == before)
    for words, left in ((("rm",), 2), (("rm", "-v"), 0)):
        world.out("create", "--name", "an", "-v", "/anon", FULL, "true")
        world.out(*words, "an")
        assert count() == before + left
        before = count()
    assert world("volume", "exists", "stays").returncode == 0


def test_nothing_is_left_of_a_create_that_fails(world: VolumeWorld) -> None:
    before = world.out("volume", "ls", "-q")
    spec = "type=volume,src=bad,dst=/d,volume-opt=foo=x"
    world.run_refused("-v", "/anon", "--mount", spec)
    assert world.out("volume", "ls", "-q") == before


def test_remove_by_force(world: VolumeWorld) -> None:
    world.sleeper("holds", "-v", "forced:/x")
    assert world.out("volume", "rm", "-f", "-t", "0", "forced") == "forced"
    assert world.out("ps", "-aq", "--filter", "name=holds") == ""
    assert world.out("volume", "rm", "-f", "nosuch") == ""


def test_inspect_all(world: VolumeWorld) -> None:
    world.out("volume", "create", "ia")
    found = [one["Name"] for one in json.loads(world.out("volume", "inspect", "-a"))]
    assert found == world.out("volume", "ls", "-q").split()
    assert world.out("volume", "ls", "--noheading", "--filter", "name=^ia$").split() == ["local", "ia"]
    assert world.out("volume", "ls", "--filter", "name=^ia$").split() == ["DRIVER", "VOLUME", "NAME", "local", "ia"]


def test_prune(world: VolumeWorld) -> None:
    for name in ("p1", "p2"):
        world.out("volume", "create", "-l", f"prune={name}", name)
    anonymous = world.out("volume", "create")
    world.out("create", "--name", "pc", "-v", "p1:/x", "-v", "/anon", "--image-volume", "ignore", FULL, "true")
    held = world.out("inspect", "pc", "--format", "{{range .Mounts}}{{.Name}} {{end}}").split()
    assert world.out("volume", "prune", "--all", "--dry-run", "--filter", "label=prune") == "p2"
    assert world.out("volume", "prune", "-f", "--filter", "label=prune") == ""  # named ones only with --all
    assert world.out("volume", "prune", "-f", "--all", "--filter", "label=prune") == "p2"
    world.out("rm", "pc")
    left = [name for name in held if len(name) == 64]
    assert set(left) <= set(world.out("volume", "prune", "-f").split())
    for name in ("p1", anonymous):
        assert world("volume", "exists", name).returncode == 0


def test_remove_all(tmp_path: Path, who: Root) -> None:
    world = VolumeWorld(tmp_path, who=who)
    try:
        for name in ("r1", "r2"):
            world.out("volume", "create", name)
        world.out("create", "--name", "ra", "-v", "r2:/x", "--image-volume", "ignore", FULL, "true")
        done = world("volume", "rm", "-a")
        assert (done.returncode, done.stdout) == (2, b"r1\n")
        world.out("rm", "ra")
        assert world.out("volume", "rm", "--all") == "r2"
    finally:
        world.close()


# -- archives --------------------------------------------------------------------------------------


def test_export_and_import(world: VolumeWorld, tmp_path: Path) -> None:
    world.inside("-v", "from:/data", "ln /data/file /data/hard; touch /data/.wh.name")
    tar = tmp_path / "v.tar"
    assert world.out("volume", "export", "-o", str(tar), "from") == ""
    assert world.raw("volume", "export", "from") == tar.read_bytes()
    with tarfile.open(tar) as found:
        names = {one.name.removeprefix("./").rstrip("/"): one for one in found.getmembers()}
    assert set(names) - {"", "."} == {"file", "hard", "link", "sub", "sub/in", ".wh.name"}
    assert (names["file"].uid, names["file"].gid, names["file"].mode) == (5, 6, 0o640)
    world.out("volume", "create", "to")
    assert world.out("volume", "import", "to", str(tar)) == ""
    assert (
        world.inside("-v", "to:/d", "cat /d/file; ls -A /d; stat -c %h /d/hard")
        == "hello\n.wh.name\nfile\nhard\nlink\nsub\n2"
    )
    (folder(world, "to") / "more").write_text("")
    packer = subprocess.run(["gzip", "-c", tar], capture_output=True, check=True)
    world.raw("volume", "import", "to", "-", stdin=packer.stdout)
    assert (folder(world, "to") / "more").exists()
    world.out("volume", "create", "-o", "type=tmpfs", "tm")
    world.mounting("volume", "mount", "tm")
    world.out("volume", "import", "tm", str(tar))
    assert sorted(os.listdir(world.who.seen(str(folder(world, "tm"))))) == [".wh.name", "file", "hard", "link", "sub"]
    world.mounting("volume", "unmount", "tm")
    assert world.raw("volume", "export", "tm") != tar.read_bytes()  # what was in memory is gone


def test_an_export_that_is_killed_holds_nothing(world: VolumeWorld) -> None:
    world.out("volume", "create", "-o", "type=tmpfs", "stuck")
    world.mounting("volume", "mount", "stuck")
    place = folder(world, "stuck")
    subprocess.run(world.who.within("truncate", "-s", "1M", f"{place}/large"), check=True)
    stuck = subprocess.Popen([*world.program, "volume", "export", "stuck"], stdout=subprocess.PIPE)
    assert settled(lambda: shown(world, "stuck")["MountCount"] == 2)  # it waits for its reader
    stuck.kill()
    stuck.communicate()
    assert shown(world, "stuck")["MountCount"] == 1
    world.mounting("volume", "unmount", "stuck")
    assert (shown(world, "stuck")["MountCount"], is_mount(world, place)) == (0, False)


def test_archives_that_are_refused(world: VolumeWorld) -> None:
    world.out("volume", "create", "arch")
    assert world.refused("volume", "import", "arch", "/none").startswith("Error: unable open input file: open /none")
    assert "accepts 2 arg(s), received 1" in world.refused("volume", "import", "arch")
    assert "no such volume" in world.refused("volume", "import", "nosuch", "/dev/null")
    assert "no such volume" in world.refused("volume", "export", "nosuch")
    said = world.refused("volume", "export", "-o", "/none/x", "arch")
    assert said == 'Error: unable to create target file path "/none/x": open /none/x: no such file or directory'
    assert "must provide valid path" in world.refused("volume", "export", "-o", "", "arch")
    done = world("volume", "import", "arch", "-", stdin=b"no tar at all" * 100)
    assert (done.returncode, b"extracting into volume arch: unpacking failed" in done.stderr) == (125, True)


_LINK, _HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "attack",
    [
        lambda out: [(entry("../escaped"), b"x")],
        lambda out: [(entry(f"{out}/escaped"), b"x")],
        lambda out: [(entry("a/../../escaped"), b"x")],
        lambda out: [(entry("l", _LINK, linkname=out), b""), (entry("l/escaped"), b"x")],
        lambda out: [(entry("l", _LINK, linkname=f"{out}/escaped"), b""), (entry("l"), b"x")],
        lambda out: [(entry("h", _HARD, linkname=f"{out}/canary"), b""), (entry("h"), b"x")],
        lambda out: [(entry("h", _HARD, linkname="../../../canary"), b"")],
        lambda out: [
            (entry("a", _LINK, linkname=".."), b""),
            (entry("a/b", _LINK, linkname=".."), b""),
            (entry("a/b/escaped"), b"x"),
        ],
        lambda out: [
            (entry("l", _LINK, linkname=out), b""),
            (entry("l", tarfile.DIRTYPE), b""),
            (entry("l/escaped"), b""),
        ],
    ],
)
def test_no_archive_writes_outside(world: VolumeWorld, tmp_path: Path, attack: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "canary").write_text("canary")
    world("volume", "create", "--ignore", "hostile")
    home = folder(world, "hostile").parent
    before = sorted(os.listdir(home.parent))
    world("volume", "import", "hostile", "-", stdin=packed(attack(str(out))))
    assert os.listdir(out) == ["canary"]
    assert (out / "canary").read_text() == "canary"
    assert (out / "canary").stat().st_nlink == 1
    assert os.listdir(home) == ["_data"]
    assert sorted(os.listdir(home.parent)) == before
    world.out("volume", "rm", "hostile")


def test_an_export_reads_nothing_outside_while_links_are_swapped(world: VolumeWorld, tmp_path: Path) -> None:
    """CVE-2023-0778: a container that turns a file into a link while the volume is exported."""
    (tmp_path / "secret").write_text("canary")
    world.out("volume", "create", "race")
    place = folder(world, "race")
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            (place / "new").write_text("plain")
            os.replace(place / "new", place / "x")
            (place / "new").symlink_to(tmp_path / "secret")
            os.replace(place / "new", place / "x")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(12):
            done = world("volume", "export", "race")
            assert b"canary" not in done.stdout
            if done.returncode == 0:
                with tarfile.open(fileobj=io.BytesIO(done.stdout)) as found:
                    assert {one.linkname for one in found} <= {"", str(tmp_path / "secret")}
    finally:
        ended.set()
        swapping.join()


def test_copies_reach_what_is_mounted_for_the_copy(world: VolumeWorld, tmp_path: Path) -> None:
    """cp into a container that does not run: volumes that take a mount, parts of volumes, and no overlays."""
    (tmp_path / "f").write_text("copied")
    world.out("volume", "create", "-d", "image", "-o", f"image={FULL}", "cpimg")
    world.inside("-v", "cpvol:/p", "mkdir /p/part")
    part = "type=volume,src=cpvol,dst=/y,subpath=part"
    world.out("create", "--name", "cp", "-v", "cpimg:/i", "--mount", part, "-v", "cpvol:/o:O", FULL, "true")
    world.out("cp", f"{tmp_path}/f", "cp:/i/new")
    assert world.inside("-v", "cpimg:/i", "cat /i/new") == "copied"
    assert settled(lambda: shown(world, "cpimg")["MountCount"] == 0)
    world.out("cp", f"{tmp_path}/f", "cp:/y/g")
    assert (folder(world, "cpvol") / "part/g").read_text() == "copied"
    assert "is an overlay, which is there while it runs" in world.refused("cp", f"{tmp_path}/f", "cp:/o/x")
    mounts = json.loads(world.out("inspect", "cp"))[0]["Mounts"]
    assert [one.get("SubPath") for one in mounts if one["Destination"] == "/y"] == ["part"]
    world.out("rm", "-v", "cp")
    world.out("volume", "rm", "cpimg")
