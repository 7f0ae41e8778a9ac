"""User namespaces of containers: what is seen inside, what lies on the host, and what commands make of it.

The ids of `/etc/subuid` are this host's own, so every range that is drawn is known beforehand.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from private_host import PrivateHost, difference, host_needs

pytestmark = host_needs()
BASE, NEXT = 1_000_000, 1_002_001
"""The first id that is drawn, and the first that a second container gets: the image needs 2001."""
PASSWD = "root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\nbig:x:2000:2000::/:/bin/sh\n"
APPLETS = ("sh", "cat", "ls", "id", "stat", "sleep", "touch", "chown", "ps", "ip", "readlink", "nc", "true", "test")
FILES = (("bin/busybox", 0, 0), ("data/x", 33, 8), ("home/u/f", 1000, 1000))
RUNTIMES = ("crun", "runc")


def image() -> bytes:
    """A busybox whose files have several owners."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:

        def add(name: str, kind: bytes, uid: int, gid: int, content: bytes = b"", link: str = "") -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.uid, entry.gid, entry.linkname, entry.size = kind, uid, gid, link, len(content)
            entry.mode = 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry, io.BytesIO(content))

        for folder, uid, gid in (("bin", 0, 0), ("etc", 0, 0), ("tmp", 0, 0), ("data", 33, 8), ("home/u", 1000, 1000)):
            add(folder, tarfile.DIRTYPE, uid, gid)
        add("bin/busybox", tarfile.REGTYPE, 0, 0, Path("/bin/busybox").read_bytes())
        for name in APPLETS:
            add(f"bin/{name}", tarfile.SYMTYPE, 0, 0, link="busybox")
        add("etc/passwd", tarfile.REGTYPE, 0, 0, PASSWD.encode())
        add("etc/group", tarfile.REGTYPE, 0, 0, b"root:x:0:\nu:x:1000:\n")
        add("data/x", tarfile.REGTYPE, 33, 8, b"x\n")
        add("home/u/f", tarfile.REGTYPE, 1000, 1000, b"f\n")
    return made.getvalue()


class World:
    """A private host with ranges of its own, the image `i`, and a folder of the host to mount."""

    def __init__(self, host: PrivateHost) -> None:
        self.host = host
        self.source = f"{host.base}/source"
        self.options: list[str] = []

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        return self.host.ok(*self.options, *words, stdin=stdin)

    def refused(self, *words: str) -> str:
        done = self.host(*self.options, *words)
        assert done.code in (125, 126), (words, done)
        return done.err

    def run(self, *words: str) -> str:
        return self("run", "--rm", "--network=none", *words)

    def sleeper(self, name: str, *words: str) -> None:
        self("run", "-d", "--name", name, "--network=none", *words, "i", "sleep", "1000")

    def damage(self) -> list[str]:
        """What `system check` finds, but for control groups, which all tests on this machine share."""
        lines = self.host(*self.options, "system", "check").out.splitlines()
        return [line for line in lines if not line.startswith((" ", "cgroup of"))]

    def pid(self, name: str) -> int:
        return int(self("inspect", name, "--format", "{{.State.Pid}}"))

    def outside(self, path: str) -> os.stat_result:
        """What the host says of a path of this host."""
        return os.stat(f"/proc/{self.host.pid}/root{path}", follow_symlinks=False)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    base = str(tmp_path_factory.mktemp("userns"))
    with PrivateHost(base) as made:
        ranges = Path(base, "subid")
        ranges.write_text("small:500000:3000\ncontainers:1000000:200000\nfew:7:8\n")
        places = [Path("/etc", name) for name in ("subuid", "subgid")]
        absent = [path for path in places if not path.exists()]
        for path in places:
            path.touch()
            subprocess.run(made.inside("mount", "--bind", str(ranges), str(path)), check=True)
        os.makedirs(f"{base}/source/d")
        Path(f"{base}/source/f").write_text("f\n")
        os.chown(f"{base}/source/f", 33, 8)
        made.ok("import", "-q", "-", "i", stdin=image())
        made.ok("run", "--rm", "i", "true")  # the state, the default network
        yield made
    for path in absent:
        path.unlink()


@pytest.fixture
def world(host: PrivateHost) -> Iterator[World]:
    made = World(host)
    before = host.world()
    yield made
    host(*made.options, "rm", "-f", "-a", "-t", "0")
    host(*made.options, "volume", "prune", "-a", "-f")
    assert difference(before, host.world()) == {}
    assert host.listed("/run/sonata-roots") == []


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest, world: World) -> str:
    world.options = [f"--runtime={request.param}"]
    return str(request.param)


@pytest.fixture(params=["overlay", "vfs"])
def driver(request: pytest.FixtureRequest, host: PrivateHost, world: World) -> str:
    if request.param == "vfs":
        world.options = ["--storage-driver=vfs", f"--root={host.base}/vfs"]
        if not world("images", "-q"):
            world("import", "-q", "-", "i", stdin=image())
    return str(request.param)


def test_automatic_maps_and_owners(world: World, runtime: str, driver: str) -> None:
    world.options = [*world.options, f"--runtime={runtime}"]
    seen = world.run("--userns=auto", "i", "sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map; id -u; ls -ln /data")
    lines = seen.splitlines()
    assert [line.split() for line in lines[:2]] == [["0", str(BASE), "2001"]] * 2
    assert lines[2] == "0"
    assert lines[-1].split()[2:4] == ["33", "8"]


def test_files_on_the_host_are_the_containers(world: World, driver: str) -> None:
    world.sleeper("a", "--userns=auto", "--tmpfs=/t", "-v", "new:/data", "-v", "bare:/none", "--user=1000:8")
    world("exec", "--user=0", "a", "sh", "-c", "echo 1 > /tmp/r; echo 2 > /tmp/u; chown 1000:8 /tmp/u")
    root = world("mount", "a")
    owners = {name: world.outside(f"{root}/{name}") for name in ("tmp/r", "tmp/u", "data/x", "etc/hosts")}
    found = {name: (seen.st_uid - BASE, seen.st_gid - BASE) for name, seen in owners.items() if name != "etc/hosts"}
    assert found == {"tmp/r": (0, 0), "tmp/u": (1000, 8), "data/x": (33, 8)}
    world("unmount", "a")
    for volume, owner in (("new", (33, 8)), ("bare", (1000, 8))):
        place = world("volume", "inspect", volume, "--format", "{{.Mountpoint}}")
        seen = world.outside(place)
        assert (seen.st_uid - BASE, seen.st_gid - BASE) == owner
    inside = world("exec", "a", "stat", "-c", "%u:%g", "/etc/hosts", "/etc/hostname", "/run/.containerenv", "/dev/shm")
    assert set(inside.split()) == {"0:0"}
    assert world("exec", "a", "stat", "-c", "%u:%g", "/data/x", "/none", "/home/u").split() == [
        "33:8",
        "1000:8",
        "1000:1000",
    ]


def test_ranges_do_not_meet(world: World) -> None:
    began = [
        world.host.begin("create", "--userns=auto", "--network=none", "--name", f"c{number}", "i")
        for number in range(6)
    ]
    for one in began:
        out, err = one.communicate(timeout=120)
        assert one.returncode == 0, (out, err)
    ranges = []
    for number in range(6):
        maps = json.loads(world("inspect", f"c{number}"))[0]["HostConfig"]["IDMappings"]
        assert maps["UidMap"] == maps["GidMap"]
        inside, outside, size = (int(word) for word in maps["UidMap"][0].split(":"))
        assert (inside, size) == (0, 2001)
        ranges.append(outside)
    assert sorted(ranges) == [BASE + 2001 * number for number in range(6)]
    world("rm", "c0", "c1", "c2", "c3", "c4", "c5")
    assert world.run("--userns=auto", "i", "cat", "/proc/self/uid_map").split()[1] == str(BASE)


def test_options_of_auto(world: World) -> None:
    words = "--userns=auto:size=500,uidmapping=0:@7000:10,gidmapping=5:8000:3"
    seen = world.run(words, "i", "cat", "/proc/self/uid_map", "/proc/self/gid_map").split()
    assert seen == f"0 7000 10 10 {BASE} 490 0 {BASE} 5 5 8000 3 8 {BASE + 5} 492".split() or sorted(seen) == sorted(
        f"10 {BASE} 490 0 7000 10 0 {BASE} 5 8 {BASE + 5} 492 5 8000 3".split()
    )
    assert world.run("--userns=auto", "--user=5000", "i", "cat", "/proc/self/uid_map").split()[2] == "5001"
    assert "not enough unused IDs in user namespace" in world.refused("run", "--userns=auto:size=200001", "i", "true")
    assert world("ps", "-aq") == ""


def test_ranges_by_name(world: World) -> None:
    seen = world.run("--subuidname=small", "i", "cat", "/proc/self/uid_map", "/proc/self/gid_map").split()
    assert seen == ["0", "500000", "3000", "0", "500000", "3000"]
    seen = world.run(
        "--subuidname=small", "--subgidname=few", "i", "cat", "/proc/self/uid_map", "/proc/self/gid_map"
    ).split()
    assert seen == ["0", "500000", "3000", "0", "7", "8"]
    assert 'no subuid ranges found for user "none" in /etc/subuid' in world.refused(
        "run", "--subuidname=none", "i", "true"
    )


def test_explicit_maps(world: World, runtime: str) -> None:
    seen = world.run("--uidmap=0:100000:5000", "--uidmap=+500:300:10", "i", "cat", "/proc/self/uid_map").split()
    assert seen == ["0", "100000", "500", "500", "300", "10", "510", "100510", "4490"]
    seen = world.run("--gidmap=0:3000:2001", "i", "cat", "/proc/self/uid_map", "/proc/self/gid_map").split()
    assert seen == ["0", "3000", "2001", "0", "3000", "2001"]


def test_keep_id_has_a_namespace_of_its_own(world: World) -> None:
    own = os.readlink("/proc/self/ns/user")
    seen = world.run("--userns=keep-id:uid=5,gid=6", "i", "sh", "-c", "id -u; id -g; readlink /proc/self/ns/user")
    assert seen.split()[:2] == ["5", "6"]
    assert seen.split()[2] != own
    assert world.run("--userns=host", "i", "readlink", "/proc/self/ns/user") == own


def test_the_environment_gives_a_default(world: World) -> None:
    argv = world.host.argv("run", "--rm", "--network=none", "i", "cat", "/proc/self/uid_map")
    environ = {**os.environ, "PODMAN_USERNS": "auto:size=300"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(BASE), "300"]


def test_settings_bound_the_automatic_size(world: World) -> None:
    store = Path(world.host.base, "storage.conf")
    store.write_text(
        '[storage]\ndriver = "overlay"\n[storage.options]\n'
        'root-auto-userns-user = "small"\nauto-userns-min-size = 2500\n'
    )
    main = Path(world.host.base, "containers.conf")
    main.write_text('[containers]\nuserns = "auto"\n')
    argv = world.host.argv("run", "--rm", "--network=none", "i", "cat", "/proc/self/uid_map")
    environ = {**os.environ, "CONTAINERS_STORAGE_CONF": str(store), "CONTAINERS_CONF_OVERRIDE": str(main)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "500000", "2500"]
    main.write_text('[containers]\nuserns = "auto"\nuserns_size = 2600\n')
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "500000", "2600"]
    store.write_text('[storage]\ndriver = "overlay"\n[storage.options]\nauto-userns-max-size = 2000\n')
    main.write_text('[containers]\nuserns = "auto"\n')
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert "size 2001 that is bigger than the maximum value allowed with userns=auto 2000" in done.stderr


def test_the_network_belongs_to_the_namespace(world: World, runtime: str) -> None:
    words = ("--userns=auto", "--cap-add=NET_ADMIN", "--sysctl=net.ipv4.ip_forward=1", "-p", "18099:80", "--name=a")
    script = "cat /proc/sys/net/ipv4/ip_forward; ip link set lo down && echo mine; ip -4 addr show eth0"
    seen = world("run", "--rm", *words, "i", "sh", "-c", script)
    assert seen.splitlines()[:2] == ["1", "mine"]
    assert "inet 10." in seen
    world("run", "-d", *words, "i", "sh", "-c", "while true; do echo answer | nc -l -p 80; done")
    script = "exec 3<>/dev/tcp/127.0.0.1/18099; cat <&3"
    deadline = [subprocess.run(world.host.inside("bash", "-c", script), capture_output=True, text=True, check=False)]
    for _ in range(20):
        if "answer" in deadline[-1].stdout:
            break
        deadline.append(
            subprocess.run(world.host.inside("bash", "-c", script), capture_output=True, text=True, check=False)
        )
    assert "answer" in deadline[-1].stdout


def test_networks_of_the_host_and_of_others(world: World, runtime: str) -> None:
    world.sleeper("a", "--userns=auto")
    seen = world("run", "--rm", "--userns=auto", "--network=host", "i", "sh", "-c", "ls /sys/kernel; ls /sys/class/net")
    assert seen.split() == ["lo"] or "lo" in seen.split()
    net = os.readlink(f"/proc/{world.host.pid}/root/proc/{world.pid('a')}/ns/net")
    seen = world("run", "--rm", "--userns=auto", "--network=container:a", "i", "readlink", "/proc/self/ns/net")
    assert seen == net


def test_joining_the_namespaces_of_another(world: World, runtime: str) -> None:
    world.sleeper("a", "--userns=auto")
    kinds = ("user", "net", "pid", "ipc", "uts")
    place = f"/proc/{world.host.pid}/root/proc/{world.pid('a')}/ns"
    theirs = [os.readlink(f"{place}/{kind}") for kind in kinds]
    show = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    joins = [f"--{option}=container:a" for option in ("userns", "network", "pid", "ipc", "uts")]
    seen = world("run", "--rm", "--name=b", *joins, "i", "sh", "-c", f"{show}; stat -c %u:%g /data/x")
    assert seen.split() == [*theirs, "33:8"]
    alone = world.run("--userns=container:a", "i", "sh", "-c", show).split()
    assert alone[0] == theirs[0]
    assert not set(alone[1:]) & set(theirs)
    bridged = world(
        "run", "--rm", "--userns=container:a", "i", "sh", "-c", "readlink /proc/self/ns/user; stat -c %u /etc/hosts"
    )
    assert bridged.split() == [theirs[0], "0"]
    by_path = world.run(f"--userns=ns:/proc/{world.pid('a')}/ns/user", "i", "sh", "-c", f"{show}; stat -c %u /data/x")
    assert by_path.split()[0] == theirs[0]
    assert by_path.split()[-1] == "33"
    for kind in ("pid", "ipc", "uts"):
        path = f"/proc/{world.pid('a')}/ns/{kind}"
        assert world.run(f"--{kind}=ns:{path}", "i", "readlink", f"/proc/self/ns/{kind}") == theirs[kinds.index(kind)]


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("userns", "user"),
        ("pid", "PID"),
        ("ipc", "IPC"),
        ("uts", "UTS"),
        ("cgroupns", "cgroup"),
        ("network", "network"),
    ],
)
def test_namespaces_that_are_not_there(world: World, option: str, name: str) -> None:
    told = world.refused("run", f"--{option}=ns:/nosuch", "i", "true")
    assert f"cannot find specified {name} namespace path: faccessat /nosuch: no such file or directory" in told
    assert "namespace mode container requires a value" in world.refused("run", f"--{option}=container:", "i", "true")
    assert "namespace mode path requires a value" in world.refused("run", f"--{option}=ns:", "i", "true")


def test_namespaces_of_control_groups(world: World, runtime: str) -> None:
    world.sleeper("a", "--cgroupns=private")
    show = ("i", "sh", "-c", "readlink /proc/self/ns/cgroup; cat /proc/self/cgroup")
    theirs = os.readlink(f"/proc/{world.host.pid}/root/proc/{world.pid('a')}/ns/cgroup")
    own = world.run("--cgroupns=private", *show).splitlines()
    assert {line.rpartition(":")[2] for line in own[1:]} == {"/"}
    assert own[0] not in (theirs, os.readlink("/proc/self/ns/cgroup"))
    assert world.run("--cgroupns=container:a", *show).splitlines()[0] == theirs
    assert world.run(f"--cgroupns=ns:/proc/{world.pid('a')}/ns/cgroup", *show).splitlines()[0] == theirs
    assert world.run("--cgroupns=host", *show).splitlines()[0] == os.readlink("/proc/self/ns/cgroup")
    mapped = world.run("--userns=auto", "--cgroupns=private", "i", "ls", "/sys/fs/cgroup")
    assert mapped.split()


def test_inspect(world: World) -> None:
    show = "{{.HostConfig.UsernsMode}} {{.HostConfig.IDMappings}}"

    def shown(*words: str) -> str:
        world("create", "--name=x", "--network=none", *words, "i")
        found = world("inspect", "x", "--format", show)
        world("rm", "x")
        return found

    assert shown("--userns=auto") == f"private {{[0:{BASE}:2001] [0:{BASE}:2001]}}"
    assert shown("--uidmap=0:1000:10") == "private {[0:1000:10] [0:1000:10]}"
    assert shown("--userns=keep-id") == "private {[0:0:4294967295] [0:0:4294967295]}"
    assert shown("--userns=host").split() == ["<nil>"]
    world.sleeper("a", "--userns=auto")
    ident = world("inspect", "a", "--format", "{{.Id}}")
    assert shown("--userns=container:a") == f"container:{ident} {{[0:{BASE}:2001] [0:{BASE}:2001]}}"


def test_owners_of_a_mount_are_changed(world: World, runtime: str) -> None:
    show = ("i", "stat", "-c", "%u:%g", "/s", "/s/d", "/s/f")
    where = f"{world.source}:/s"
    assert world.run("--userns=auto", "-v", f"{where}:U", "--user=1000:8", *show).split() == ["1000:8"] * 3
    seen = os.stat(f"{world.source}/d")
    assert (seen.st_uid - BASE, seen.st_gid - BASE) == (1000, 8)
    words = f"type=bind,src={world.source},dst=/s,U=true"
    assert world.run("--mount", words, "--user=7:9", *show).split() == ["7:9"] * 3
    assert world.run("-v", f"{where}:U", *show).split() == ["0:0"] * 3
    os.chown(f"{world.source}/f", 33, 8)
    assert world.run("--userns=auto", "--user=1000:8", "--tmpfs=/s:U", "i", "stat", "-c", "%u:%g", "/s") == "1000:8"
    told = world.refused("run", "--rm", "--network=none", "-v", "/usr:/s:U", "i", "true")
    assert 'chowning host path "/usr" is not allowed. You can manually `chown -R 0:0 /usr`' in told


def test_owners_of_a_mount_are_shown_otherwise(world: World, runtime: str) -> None:
    show = ("i", "stat", "-c", "%u:%g", "/s", "/s/f")
    where = f"{world.source}:/s"
    assert world.run("--userns=auto", "-v", where, *show).split() == ["65534:65534"] * 2
    assert world.run("--userns=auto", "-v", f"{where}:idmap", *show).split() == ["0:0", "33:8"]
    assert world.run("-v", f"{where}:idmap", *show).split() == ["0:0", "33:8"]
    maps = "idmap=uids=0-1000-100;gids=0-2000-100"
    assert world.run("-v", f"{where}:{maps}", *show).split() == ["1000:2000", "1033:2008"]
    assert world.run("--mount", f"type=bind,src={world.source},dst=/s,{maps}", *show).split() == [
        "1000:2000",
        "1033:2008",
    ]
    relative = "idmap=uids=@0-5-100;gids=@0-5-100"
    assert world.run("--userns=auto", "-v", f"{where}:{relative}", *show).split() == ["5:5", "38:13"]
    file = f"{world.source}/f:/f:idmap"
    assert world.run("--userns=auto", "-v", file, "i", "stat", "-c", "%u:%g", "/f") == "33:8"
    world.run("--userns=auto", "-v", f"{where}:idmap", "--user=7:9", "i", "sh", "-c", "true")
    assert (os.stat(f"{world.source}/f").st_uid, os.stat(f"{world.source}/f").st_gid) == (33, 8)
    assert 'unknown option "foo"' in world.refused("run", "--rm", "--network=none", "-v", f"{where}:idmap=foo", "i")


def test_root_filesystems_of_the_host(world: World) -> None:
    root = world.host.rootfs
    os.makedirs(f"{root}/data", exist_ok=True)
    os.chown(f"{root}/data", 33, 8)
    show = ("sh", "-c", "ls -lnd /data")

    def owner(place: str) -> list[str]:
        return world.run("--uidmap=0:100000:5000", "--rootfs", place, *show).split()[2:4]

    assert owner(f"{root}:idmap") == ["33", "8"]
    assert owner(f"{root}:O") == ["65534", "65534"]


def test_accounts_of_the_host(world: World) -> None:
    seen = world.run("--hostuser=games", "--hostuser=1", "--user=games", "i", "sh", "-c", "id -u; cat /etc/passwd")
    lines = seen.splitlines()
    assert lines[0] == "5"
    assert "games:*:5:60:games:/:/bin/sh" in lines
    assert any(line.startswith("daemon:*:1:1:") for line in lines)
    told = world.refused("run", "--rm", "--network=none", "--hostuser=nosuch", "i", "true")
    assert "user: unknown user nosuch" in told


def test_exec_top_and_health(world: World, runtime: str) -> None:
    world.sleeper("a", "--userns=auto", "--health-cmd=test -f /tmp/hi", "--health-interval=disable")
    assert world("exec", "--user=u", "a", "id", "-u") == "1000"
    assert world("exec", "a", "cat", "/proc/self/uid_map").split()[1] == str(BASE)
    world("exec", "a", "touch", "/tmp/hi")
    assert world("healthcheck", "run", "a") == ""
    world("exec", "-d", "--user=1000", "a", "sleep", "999")
    rows = [line.split() for line in world("top", "a", "user", "huser", "group", "hgroup", "args").splitlines()[1:]]
    assert [row[:5] for row in rows] == [
        ["root", str(BASE), "root", str(BASE), "sleep"],
        ["u", str(BASE + 1000), "u", str(BASE + 1000), "sleep"],
    ]


def test_secrets(world: World, runtime: str) -> None:
    world("secret", "create", "s", "-", stdin=b"canary")
    try:
        script = "id -u; cat /run/secrets/s /there; stat -c %u:%g /run/secrets/s /there"
        there = "--secret=s,target=/there,uid=1000,gid=8,mode=0400"
        seen = world.run("--userns=auto", "--secret=s", there, "--user=1000", "i", "sh", "-c", script)
        assert seen.split() == ["1000", "canarycanary0:0", "1000:8"]
    finally:
        world("secret", "rm", "s")


def test_copies(world: World, driver: str) -> None:
    Path(f"{world.source}/mine").write_text("m\n")
    os.chown(f"{world.source}/mine", 5, 6)
    world.sleeper("a", "--userns=auto", "--tmpfs=/t", "-v", f"{world.source}:/m:idmap")
    file = f"{world.source}/mine"
    for place in ("/tmp", "/t", "/m/d"):
        world("cp", file, f"a:{place}/one")
        world("cp", "-a=false", file, f"a:{place}/two")
        seen = world("exec", "a", "stat", "-c", "%u:%g", f"{place}/one", f"{place}/two")
        assert seen.split() == ["0:0", "5:6"], place
    assert os.stat(f"{world.source}/d/two").st_uid == 5
    out = subprocess.run(
        world.host.argv(*world.options, "cp", "-a=false", "a:/data", "-"), capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(out.stdout)) as tar:
        assert [(one.name, one.uid, one.gid) for one in tar] == [("data", 33, 8), ("data/x", 33, 8)]
    world("stop", "-t0", "a")
    world("cp", "-a=false", file, "a:/home/u/three")
    world("cp", "-a=false", file, "a:/m/d/four")
    assert os.stat(f"{world.source}/d/four").st_uid == 5
    world("start", "a")
    assert world("exec", "a", "stat", "-c", "%u:%g", "/home/u/three") == "5:6"
    os.unlink(file)
    for name in ("one", "two", "four"):
        os.unlink(f"{world.source}/d/{name}")


def test_images_made_of_it_have_its_ids(world: World, driver: str) -> None:
    script = "echo 1 > /root1; echo 2 > /tmp/u; chown 1000:8 /tmp/u; chown 7:7 /data/x"
    world("run", "--name=a", "--network=none", "--userns=auto", "i", "sh", "-c", script)
    assert {"A /root1", "C /data", "C /data/x", "A /tmp/u"} <= set(world("diff", "a").splitlines())
    world("commit", "-q", "a", "made")
    show = ("stat", "-c", "%u:%g", "/root1", "/tmp/u", "/data/x", "/home/u/f")
    wanted = ["0:0", "1000:8", "7:7", "1000:1000"]
    assert world.run("made", *show).split() == wanted
    assert world.run("--userns=auto", "made", *show).split() == wanted
    out = subprocess.run(world.host.argv(*world.options, "export", "a"), capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(out.stdout)) as tar:
        found = {one.name: (one.uid, one.gid) for one in tar}
    assert [found[name] for name in ("root1", "tmp/u", "data/x", "home/u/f")] == [
        (0, 0),
        (1000, 8),
        (7, 7),
        (1000, 1000),
    ]
    world("rm", "a")
    world("rmi", "made")


@pytest.mark.needs_peer("podman")
def test_podman_and_we_draw_from_the_same_ranges(world: World) -> None:
    podman = ["podman", "--root", world.host.graph, "--runroot", world.host.run_root, "--storage-driver=overlay"]

    def theirs(*words: str) -> str:
        done = subprocess.run(world.host.inside(*podman, *words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    world("create", "--name=ours", "--network=none", "--userns=auto:size=3000", "i")
    world("run", "--name=ran", "--network=none", "--userns=auto:size=500", "i", "sh", "-c", "chown 7:8 /data/x")
    limits = ("--ulimit=nofile=1000:1000", "--ulimit=nproc=1000:1000")
    theirs("create", "--name=podmans", "--network=none", *limits, "--userns=auto:size=300", "i", "true")
    world("create", "--name=last", "--network=none", "--userns=auto:size=10", "i")
    records = json.loads(Path(world.host.graph, "overlay-containers/containers.json").read_text())
    firsts = {record["names"][0]: record["uidmap"][0]["host_id"] for record in records}
    assert firsts == {"ours": BASE, "ran": BASE + 3000, "podmans": BASE + 3500, "last": BASE + 3800}
    listed = theirs("ps", "-a", "--external", "--format", "{{.Names}}").split()
    assert set(listed) >= {"ours", "ran", "podmans", "last"}
    ident = next(record["id"] for record in records if record["names"] == ["ran"])
    place = theirs("mount", ident)
    seen = world.outside(f"{place}/data/x")
    assert (seen.st_uid - BASE - 3000, seen.st_gid - BASE - 3000) == (7, 8)
    theirs("unmount", ident)
    theirs("rm", "podmans")
    world.host.lines("umount", f"{world.host.graph}/overlay")  # Podman binds it to itself
    assert world.damage() == []


def test_owners_are_copied_where_mounts_cannot_shift_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CONTAINERS_OVERLAY_DISABLE_IDMAP", "yes")
    world("import", "-q", "-", "mine", stdin=image())
    maps = "--uidmap=0:100:3000"  # its host's ids are ids of the container too: shifted twice, they would be others
    show = ("stat", "-c", "%u:%g", "/", "/data/x", "/home/u/f", "/bin/busybox")
    wanted = ["0:0", "33:8", "1000:1000", "0:0"]
    assert world.run(maps, "mine", *show).split() == wanted
    world("run", "--name=a", "--network=none", maps, "mine", "sh", "-c", "touch /tmp/u; chown 1000:8 /tmp/u")
    assert set(world("diff", "a").splitlines()) >= {"A /tmp/u"}
    assert "C /data/x" not in world("diff", "a")
    world("commit", "-q", "a", "made")
    layers = json.loads(Path(world.host.graph, "overlay-layers/layers.json").read_text())
    mapped = [one for one in layers if one.get("uidmap") and one.get("diff-digest")]
    assert [one["uidmap"] for one in mapped] == [[{"container_id": 0, "host_id": 100, "size": 3000}]]
    kept = json.loads(Path(world.host.graph, "overlay-images/images.json").read_text())
    assert [one.get("mapped-layers") for one in kept if "localhost/mine:latest" in one["names"]] == [[mapped[0]["id"]]]
    assert world.damage() == []
    monkeypatch.delenv("_CONTAINERS_OVERLAY_DISABLE_IDMAP")
    root = world("mount", "a")
    assert [world.outside(f"{root}/{name}").st_uid - 100 for name in ("data/x", "tmp/u", "home/u/f")] == [
        33,
        1000,
        1000,
    ]
    world("unmount", "a")
    assert world.run("made", "stat", "-c", "%u:%g", "/tmp/u", "/data/x").split() == ["1000:8", "33:8"]
    assert world("image", "inspect", "made", "--format", "{{len .RootFS.Layers}}") == "2"
    world("rm", "a")
    world("rmi", "made")
    world("rmi", "mine")
    left = json.loads(Path(world.host.graph, "overlay-layers/layers.json").read_text())
    assert [one["id"] for one in left if one.get("uidmap")] == []


def test_a_root_that_was_left_is_found(world: World) -> None:
    world.sleeper("a", "--userns=auto")
    (mine,) = world.host.listed("/run/sonata-roots")
    seen = world.outside(f"/run/sonata-roots/{mine}")
    assert (seen.st_mode & 0o7777, seen.st_uid, seen.st_gid) == (0o710, 0, BASE)
    world("rm", "-f", "-t0", "a")
    lost = f"/run/sonata-roots/{mine[:9]}{'ab' * 32}"
    world.host.lines("mkdir", "-p", f"{lost}/root", "/run/sonata-roots/someone-elses")
    world.host.lines("mount", "--bind", "/tmp", f"{lost}/root")
    told = world.host("system", "check")
    assert told.code != 0
    assert "root filesystem shown for a container that is no more" in told.out
    world("system", "check", "--repair")
    assert world.host.listed("/run/sonata-roots") == ["someone-elses"]
    world.host.lines("rmdir", "/run/sonata-roots/someone-elses")


def test_devices(world: World) -> None:
    seen = world.run("--userns=auto", "--device=/dev/null:/dev/other", "i", "sh", "-c", "echo x > /dev/other; ls /dev")
    assert {"other", "null", "zero", "pts"} <= set(seen.split())


def test_restart_keeps_the_maps(world: World) -> None:
    world.sleeper("a", "--userns=auto")
    world("exec", "a", "touch", "/tmp/kept")
    world("restart", "-t0", "a")
    assert world("exec", "a", "stat", "-c", "%u", "/tmp/kept") == "0"
    assert world("exec", "a", "cat", "/proc/self/uid_map").split()[1] == str(BASE)


def test_a_user_that_is_not_mapped(world: World) -> None:
    told = world.refused("run", "--rm", "--network=none", "--userns=auto:size=10", "--user=1000", "i", "true")
    assert "UID 1000 is not mapped in its user namespace" in told


def test_what_the_host_gave_crun_is_still_the_hosts(world: World) -> None:
    before = os.stat("/dev/null")
    world.run("--userns=auto", "i", "true")
    world("run", "--rm", "-i", "--network=none", "--userns=auto", "i", "true")
    after = os.stat("/dev/null")
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid) == (0, 0)
