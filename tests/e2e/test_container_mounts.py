"""Every kind of mount and its options, as they are seen from inside containers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

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
    made = VolumeWorld(tmp_path_factory.mktemp("m"), who=who)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ("", {"rw"}),
        (":ro", {"ro"}),
        (":noexec,nosuid,nodev", {"rw", "noexec", "nosuid", "nodev"}),
        (":z", {"rw"}),
        (":Z,ro", {"ro"}),
    ],
)
def test_bind_by_volume(world: VolumeWorld, options: str, seen: set[str]) -> None:
    line = world.mounted("/d", "-v", f"{world.source}:/d{options}")
    assert set(line.split()[1].split(",")) - {"relatime"} == seen
    assert world.inside("-v", f"{world.source}:/d{options}", "cat /d/file") == "host"


def test_bind_by_mount(world: VolumeWorld) -> None:
    spec = f"type=bind,src={world.source},dst=/d,ro,noexec,bind-nonrecursive,relabel=shared"
    assert set(world.mounted("/d", "--mount", spec).split()[1].split(",")) >= {"ro", "noexec"}


@pytest.mark.rootful("the host's mounts")
def test_propagation_and_recursion(world: VolumeWorld) -> None:
    below = world.source / "sub"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", below], check=True)
    try:
        (below / "mark").write_text("")
        assert world.inside("-v", f"{world.source}:/d", "ls /d/sub") == "mark"
        assert world.inside("-v", f"{world.source}:/d:bind", "ls /d/sub") == ""
        spec = f"type=bind,src={world.source},dst=/d,bind-nonrecursive"
        assert world.inside("--mount", spec, "ls /d/sub") == ""
        assert "shared:" in world.mounted("/d", "-v", f"{below}:/d:rshared")
        assert "master:" not in world.mounted("/d", "-v", f"{below}:/d:rprivate")
        name = world.sleeper("slave", "--mount", f"type=bind,src={world.source},dst=/d,bind-propagation=rslave")
        subprocess.run(["mount", "--make-shared", below], check=True)
        assert name
    finally:
        world("rm", "-ft0", "slave")
        subprocess.run(["umount", "-l", below], check=True)


def test_no_dereference_shows_the_link(world: VolumeWorld) -> None:
    link = world.base / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(world.source)
    assert world.inside("-v", f"{link}:/l:no-dereference", "readlink /l") == str(world.source)
    spec = f"type=bind,src={link},dst=/deep/l,no-dereference"
    assert world.inside("--mount", spec, "readlink /deep/l") == str(world.source)
    assert world.inside("-v", f"{link}:/l", "cat /l/file") == "host"
    code, text = world.run_refused("-v", f"{link}:/data:no-dereference")
    assert (code, "exists in the container" in text) == (126, True)


@pytest.mark.rootful("noswap is refused in a user namespace")
def test_tmpfs(world: VolumeWorld) -> None:
    line = world.mounted("/t", "--tmpfs", "/t:size=1m,mode=700,noexec,dev,suid,noatime")
    assert set(line.split()[1].split(",")) == {"rw", "noexec", "noatime"}
    assert "size=1024k,mode=700" in line
    assert set(world.mounted("/t", "--tmpfs", "/t").split()[1].split(",")) >= {"nosuid", "nodev", "rw"}
    assert world.inside("--tmpfs", "/data", "cat /data/file") == "hello"
    assert world.inside("--mount", "type=tmpfs,dst=/data,notmpcopyup", "ls /data") == ""
    line = world.mounted("/t", "--mount", "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1700,ro")
    assert ("size=2048k" in line, "mode=1700" in line, line.split()[1].startswith("ro")) == (True, True, True)
    assert "noswap" in world.mounted("/t", "--mount", "type=tmpfs,dst=/t,noswap")


def test_image(world: VolumeWorld) -> None:
    assert world.inside("--mount", f"type=image,src={FULL},dst=/i", "cat /i/data/file; touch /i/x || ls /i/bin/sh") == (
        "hello\n/i/bin/sh"
    )
    shown = f"type=image,src={FULL},dst=/i,rw=true"
    assert world.inside("--mount", shown, "touch /i/x; ls /i/x") == "/i/x"
    assert world.inside("--mount", shown, "test -e /i/x || ls /i/home") == ""
    assert world.inside("--mount", f"type=image,src={FULL},dst=/i,subpath=/data", "cat /i/file") == "hello"
    assert world.inside("--mount", f"type=image,src={FULL},dst=/i,subpath=/data/file", "cat /i") == "hello"
    code, text = world.run_refused("--mount", f"type=image,src={FULL},dst=/i,subpath=/none")
    assert (code, "securejoin.OpenInRoot /none" in text) == (127, True)
    assert world.run_refused("--mount", "type=image,src=nosuch,dst=/i") == (125, "Error: nosuch: image not known")
    name = world.out("create", "--name", "keeps", "--mount", f"type=image,src={FULL},dst=/i", "--rootfs", "/")
    shown_mounts = json.loads(world.out("inspect", "keeps"))[0]["Mounts"]
    assert [(one["Type"], one["Source"], one["RW"]) for one in shown_mounts] == [("image", FULL, False)]
    assert f"image used by {name}" in world.refused("rmi", FULL)
    world.out("rm", "-v", "keeps")


def test_image_on_vfs(tmp_path: Path, who: Root) -> None:
    world = VolumeWorld(tmp_path, "vfs", who=who)
    try:
        assert (
            world.inside("--mount", f"type=image,src={FULL},dst=/i", "cat /i/data/file; touch /i/x || true") == "hello"
        )
        assert world.inside("--mount", f"type=image,src={FULL},dst=/i,rw=true", "touch /i/x; ls /i/x") == "/i/x"
        assert world.inside("--mount", f"type=image,src={FULL},dst=/i", "ls /i") == "bin\ndata\netc\nhome\ntmp\nvol"
    finally:
        world.close()


def test_glob(world: VolumeWorld) -> None:
    assert world.inside("--mount", f"type=glob,src={world.source}/*,dst=/g", "ls /g; cat /g/file") == "file\nsub\nhost"
    where = f"{world.source}/f[h-j]le"
    assert world.inside("--mount", f"type=glob,src={where},ro", f"cat {world.source}/file") == "host"
    code, text = world.run_refused("--mount", f"type=glob,src={world.source}/none*,dst=/g")
    assert (code, text) == (125, f'Error: no file paths matching glob "{world.source}/none*"')
    twice = ("--mount", f"type=glob,src={world.source}/*,dst=/g", "--tmpfs", "/g/file")
    assert world.run_refused(*twice) == (125, "Error: /g/file: duplicate mount destination")


def test_devpts_and_ramfs(world: VolumeWorld) -> None:
    line = world.mounted("/p", "--mount", "type=devpts,dst=/p,uid=3,gid=5,mode=600,max=10")
    owner = f"uid={world.who.owner(3)},gid={world.who.owner(5)}"
    assert line.endswith(f"devpts devpts rw,{owner},mode=600,ptmxmode=000,max=10")
    assert world.mounted("/dev/pts", "--mount", "type=devpts,dst=/dev/pts").endswith(
        f"gid={world.who.owner(5)},mode=620,ptmxmode=666"
    )
    line = world.mounted("/r", "--mount", "type=ramfs,dst=/r,noexec,ro")
    assert ("ramfs ramfs" in line, set(line.split()[1].split(",")) >= {"ro", "noexec"}) == (True, True)


@pytest.mark.rootful("ids of the host's")
def test_artifacts(world: VolumeWorld) -> None:
    one, two = world.base / "one.txt", world.base / "two.txt"
    one.write_text("first\n")
    two.write_text("second\n")
    world.out("artifact", "add", "localhost/many", str(one), str(two))
    world.out("artifact", "add", "localhost/single", str(one))
    many, single = "type=artifact,src=localhost/many,dst=", "type=artifact,src=localhost/single,dst="
    digest = hashlib.sha256(b"first\n").hexdigest()
    for options, script, said in (
        (f"{many}/new", "ls /new; cat /new/two.txt", "one.txt\ntwo.txt\nsecond"),
        (f"{many}/new,name=x", "ls /new", "x-0\nx-1"),
        (f"{single}/new", "cat /new", "first"),
        (f"{single}/data/file", "cat /data/file", "first"),
        (f"{single}/home", "ls /home", "one.txt"),
        (f"{many}/home,title=two.txt", "ls /home; cat /home/*", "two.txt\nsecond"),
        (f"{many}/home,title=two.txt,name=called", "ls /home", "called"),
        (f"{many}/home,digest=sha256:{digest}", "ls /home", f"sha256-{digest}"),
        (f"{many}/new,digest=sha256:{digest}", "cat /new", "first"),
        (f"{single}/data/link", "cat /data/file", "first"),
    ):
        assert world.inside("--mount", options, script) == said, options
    assert world.mounted("/new", "--mount", f"{single}/new").split()[1].startswith("ro")
    assert world.inside("--uidmap=0:100000:65536", "--mount", f"{single}/new", "cat /new") == "first"


def test_artifacts_that_cannot_be_mounted(world: VolumeWorld) -> None:
    paths = [world.base / name for name in ("one.txt", "two.txt")]
    for path in paths:
        path.write_text(path.name)
    world.out("artifact", "add", "--replace", "localhost/many", *map(str, paths))
    evil = ("--annotation", "org.opencontainers.image.title=../evil")
    world.out("artifact", "add", "--replace", *evil, "localhost/evil", str(paths[0]))
    many = "type=artifact,src=localhost/many,dst="
    for options, said in (
        ("type=artifact,src=localhost/nosuch,dst=/a", "localhost/nosuch: artifact does not exist"),
        (f"{many}/a,title=no", 'no blob with the title "no"'),
        (f"{many}/a,digest=no", 'no blob with the digest "no"'),
        (f"{many}/a,digest=no,title=one.txt", "cannot specify both digest and title"),
        (
            f"{many}/data/file",
            'artifact "localhost/many" contains more than one blob and container path "/data/file" is a file',
        ),
        (
            "type=artifact,src=localhost/evil,dst=/home",
            'invalid name: "../evil" cannot contain /: artifact blob title invalid',
        ),
    ):
        assert world.run_refused("--mount", options) == (126, f"Error: {said}")
    assert world.run_refused("--mount", f"{many}/a,foo=1") == (125, "Error: foo: invalid mount option")


def test_an_artifact_is_looked_up_at_every_start(world: VolumeWorld) -> None:
    file = world.base / "one.txt"
    file.write_text("old")
    world.out("artifact", "add", "--replace", "localhost/changing", str(file))
    mount = ("--mount", "type=artifact,src=localhost/changing,dst=/a")
    world.out("create", "--name", "art", "--network", "none", *mount, FULL, "cat", "/a")
    assert world.out("start", "-a", "art") == "old"
    file.write_text("new")
    world.out("artifact", "add", "--replace", "localhost/changing", str(file))
    assert world.out("start", "-a", "art") == "new"
    assert [one["Destination"] for one in json.loads(world.out("inspect", "art"))[0]["Mounts"]] == ["/vol"]
    world.out("artifact", "rm", "localhost/changing")
    assert "localhost/changing: artifact does not exist" in world.refused("start", "-a", "art")
    world.out("rm", "-v", "art")


def test_overlay_over_a_folder(world: VolumeWorld) -> None:
    world.out("run", "--name", "o", "--network", "none", "-v", f"{world.source}:/o:O", FULL, "touch", "/o/new")
    world.out("start", "-a", "o")
    assert "/o/new" not in world.out("diff", "o")
    world.out("rm", "-v", "o")
    assert not (world.source / "new").exists()
    upper, work = world.base / "upper", world.base / "work"
    for folder in (upper, work):
        folder.mkdir(exist_ok=True)
    world.inside("-v", f"{world.source}:/o:O,upperdir={upper},workdir={work}", "touch /o/kept")
    assert os.listdir(upper) == ["kept"]
    odd = world.base / "a,b\\c"
    odd.mkdir(exist_ok=True)
    (odd / "x").write_text("odd")
    assert world.inside("-v", f"{odd}:/o:O", "cat /o/x") == "odd"
    code, text = world.run_refused("-v", f"{world.source}/file:/o:O")
    assert (code, text) == (126, f"Error: mounting overlay over {world.source}/file: not a directory")


def test_overlay_over_a_volume(world: VolumeWorld) -> None:
    world.inside("-v", "under:/u", "touch /u/old")
    assert world.inside("-v", "under:/u:O", "touch /u/new; ls /u") == "new\nold"
    assert world.inside("-v", "under:/u", "ls /u") == "old"
    assert json.loads(world.out("volume", "inspect", "under"))[0]["MountCount"] == 0


def test_part_of_a_volume(world: VolumeWorld) -> None:
    world.inside("-v", "parts:/p", "mkdir -p /p/a/b; touch /p/a/b/f; ln -s /etc /p/out; ln -s a /p/in")
    assert world.inside("--mount", "type=volume,src=parts,dst=/y,subpath=a", "ls /y; touch /y/b/g") == "b"
    assert world.inside("--mount", "type=volume,src=parts,dst=/y,volume-subpath=/in/b", "ls /y") == "f\ng"
    assert world.inside("--mount", "type=volume,src=parts,dst=/y,subpath=../..", "ls /y") == "a\nin\nout"
    for path in ("out", "none"):
        code, text = world.run_refused("--mount", f"type=volume,src=parts,dst=/y,subpath={path}")
        assert (code, f"securejoin.OpenInRoot {path}: openat2" in text, text.endswith("no such file or directory")) == (
            127,
            True,
            True,
        )


def test_a_part_that_is_exchanged_after_it_was_found_stays_what_it_was(world: VolumeWorld) -> None:
    """The runtime is given a mount that is made already, not a path to look up again (CVE-2021-25741)."""
    world.inside("-v", "swap:/p", "mkdir /p/a; touch /p/a/mine")
    world.out(
        "create",
        "--name",
        "sw",
        "--network",
        "none",
        "--mount",
        "type=volume,src=swap,dst=/y,subpath=a",
        FULL,
        "ls",
        "/y",
    )
    world.out("init", "sw")
    place = Path(json.loads(world.out("volume", "inspect", "swap"))[0]["Mountpoint"])
    (place / "a").rename(place / "b")
    (place / "a").symlink_to("/")
    assert world.out("start", "-a", "sw") == "mine"
    world.out("rm", "-v", "sw")


def test_volumes_from(world: VolumeWorld) -> None:
    options = ("-v", f"{world.source}:/a:noexec", "-v", "shared:/b", "-v", "/an", "--tmpfs", "/t")
    world.out("create", "--name", "giver", *options, FULL, "true")
    assert world.inside("--volumes-from", "giver", "touch /b/x /an/y; ls /a; test -e /vol") == "file\nsub"
    assert (
        world.inside("--volumes-from", "giver:ro", "ls /b /an; touch /b/z || touch /an/z || true")
        == "/an:\ny\n\n/b:\nx"
    )
    line = world.mounted("/a", "--volumes-from", "giver:ro,z")
    assert set(line.split()[1].split(",")) >= {"ro", "noexec"}
    assert world.inside("--volumes-from", "giver", "--tmpfs", "/a", "ls /a") == ""
    code, text = world.run_refused("--volumes-from", "giver:exec")
    assert (code, 'invalid option "exec" specified' in text) == (125, True)
    code, text = world.run_refused("--volumes-from", "nosuch")
    assert (code, 'no container with name or ID "nosuch" found: no such container' in text) == (125, True)
    world.out("rm", "-v", "giver")
    assert world.out("volume", "exists", "shared") == ""


def test_no_place_of_a_volume_in_an_image_reaches_the_host(world: VolumeWorld) -> None:
    """Links that lead out, and a VOLUME above the root (CVE-2022-23648): what is copied up is the image's own."""
    canary = world.base / "canary"
    canary.mkdir(exist_ok=True)
    (canary / "secret").write_text("host")
    entries = [(entry("bin", tarfile.DIRTYPE), b"")]
    entries += [(entry("out", tarfile.SYMTYPE, linkname=str(canary)), b"")]
    entries += [(entry("up", tarfile.SYMTYPE, linkname="../../../../../.." + str(canary)), b"")]
    program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    entries += [(entry("bin/busybox"), program), (entry("bin/ls", tarfile.SYMTYPE, linkname="busybox"), b"")]
    volumes = [part for one in ("/out", "/up", f"/../..{canary}") for part in ("-c", f"VOLUME {one}")]
    world.out("import", *volumes, "-", "localhost/evil:1", stdin=packed(entries))
    for place in ("/out", "/up", str(canary)):
        done = world("run", "--rm", "--network", "none", "localhost/evil:1", "/bin/busybox", "ls", place)
        assert b"secret" not in done.stdout, place
        assert done.returncode == 0 or b"crun: openat2" in done.stderr  # which refuses links that lead nowhere
    world.out("create", "--name", "evil", "localhost/evil:1", "/bin/busybox")
    world("init", "evil")
    for volume in json.loads(world.out("inspect", "evil"))[0]["Mounts"]:
        assert "secret" not in os.listdir(volume["Source"])
    world.out("rm", "-fv", "evil")
    assert os.listdir(canary) == ["secret"]


def test_image_volumes(world: VolumeWorld) -> None:
    assert "/_data /vol" in world.inside("grep ' /vol ' /proc/self/mountinfo")
    assert " - tmpfs " in world.mounted("/vol", "--image-volume", "tmpfs")
    assert world.inside("--image-volume", "ignore", "grep -c ' /vol ' /proc/self/mountinfo || true") == "0"
    assert world.out("volume", "ls", "-q", "--filter", "anonymous=true") == ""


def test_chroot_folders(world: VolumeWorld) -> None:
    script = "grep -E ' /(c|d)/' /proc/self/mountinfo"
    done = world.out("run", "--rm", "--chrootdirs", "/c", "--chrootdirs", "/d/e/", FULL, "sh", "-c", script)
    places = {line.split()[4] for line in done.splitlines()}
    assert places == {f"{folder}/etc/{name}" for folder in ("/c", "/d/e") for name in ("hosts", "resolv.conf")}
    world.out("create", "--name", "ch", "--chrootdirs", "/c", FULL, "true")
    assert world.out("inspect", "ch", "--format", "{{json .Config.ChrootDirs}}") == '["/c"]'
    world.out("rm", "-v", "ch")


def test_root_filesystem_under_an_overlay(world: VolumeWorld) -> None:
    root = world.base / "fs,root"
    for folder in ("bin", "proc", "dev", "sys", "etc", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", root / "bin/busybox")
    before = sorted(os.listdir(root))
    words = ("--network", "none", "--rootfs", f"{root}:O", "/bin/busybox")
    world.out("run", "--name", "ro", *words, "touch", "/new")
    world.out("start", "-a", "ro")
    assert sorted(os.listdir(root)) == before
    world.out("rm", "ro")
    assert "faccessat" in world.refused("run", "--rm", "--rootfs", f"{root}:foo", "true")


def test_read_only_and_its_tmpfs(world: VolumeWorld) -> None:
    script = "for d in / /tmp /run /var/tmp /dev /vol; do touch $d/x 2>/dev/null && echo $d; done; true"
    assert world.inside("--read-only", script).split() == ["/tmp", "/run", "/var/tmp", "/dev", "/vol"]
    assert world.inside("--read-only", "--read-only-tmpfs=false", script).split() == ["/vol"]


def test_hosts(world: VolumeWorld) -> None:
    base = world.base / "hosts"
    base.write_text("9.9.9.9 elsewhere\n")
    assert "9.9.9.9\telsewhere" in world.inside("--hosts-file", str(base), "cat /etc/hosts")
    assert "elsewhere" not in world.inside("--hosts-file", "none", "cat /etc/hosts")
    assert "hosts" not in world.inside("--no-hosts", "ls /etc").split()
    assert "hostname" not in world.inside("--no-hostname", "ls /etc")
    code, text = world.run_refused("--hosts-file", "/none")
    assert (code, text) == (125, "Error: failed to create new hosts file: open /none: no such file or directory")
    code, text = world.run_refused("--no-hosts", "--hosts-file", str(base))
    assert (code, text) == (125, "Error: --no-hosts and --hosts-file cannot be set together")
