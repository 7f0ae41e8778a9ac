"""`sonata doctor` and commands of an ordinary user on hosts that are broken for him, one breakage at a time.

Each is made for real in a mount and PID namespace of its own, and goes with it. What the examination finds must name
it; and where a command fails for it, the command must name it too.
"""

from __future__ import annotations

import io
import json
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary import PROGRAM, UID, OrdinaryHost, user_needs

from sonata.engine.system.doctor import ordinary_ids as ids
from sonata.engine.system.doctor import ordinary_places as places

pytestmark = user_needs()
PREPARE = f"""
set -e
mkdir -p /run/t /run/systemd
mount -t tmpfs none /run/t
mount -t tmpfs -o mode=755 none /run/systemd
mount -t tmpfs -o mode=700,uid={UID},gid={UID} none /run/user/{UID}
edit() {{ cp -p $1 /run/t/edited-${{1##*/}}; sed -i "$2" /run/t/edited-${{1##*/}}
    mount --bind /run/t/edited-${{1##*/}} $1; }}
hide() {{ for one; do test ! -e $one || mount --bind /dev/null $one; done; }}
instead() {{ mount --bind $2 $(readlink -f $1); }}
data() {{ mkdir -p /run/t/data/containers/storage
    mount -t tmpfs -o mode=755,uid={UID},gid={UID}$1 none /run/t/data/containers/storage; }}
"""
NO_SPACES = """
CLOSE='echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
mkfifo /run/t/go
unshare --user sh -c 'read go; exec "$@" < /dev/null' x sh -c "$CLOSE" x COMMAND < /run/t/go &
exec 9> /run/t/go
until [ "$(readlink /proc/$!/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do :; done
for map in uid_map gid_map; do echo 0 0 5000000 > /proc/$!/$map; done
echo go >&9
wait $!
"""
LONG = f"{'a' * 250}/{'b' * 250}"
RUN = ("run", "--rm", "--network=none", "IMAGE", "true")
ONLINE = ("run", "--rm", "IMAGE", "true")
ANEW = ("run", "--rm", "--network=none", "--tls-verify=false", "IMAGE", "true")
VOLUME = ("volume", "create", "v")
DATA = {"XDG_DATA_HOME": "/run/t/data"}
VFS = {**DATA, "STORAGE_DRIVER": "vfs"}
CONF = {"CONTAINERS_CONF": "/run/t/conf"}
INSUFFICIENT = "potentially insufficient UIDs or GIDs available in user namespace"
NO_RUNTIME = "for one in crun runc; do hide /usr/bin/$one /usr/sbin/$one /usr/local/bin/$one; done"
NO_CONMON = "hide /usr/bin/conmon /usr/local/bin/conmon /usr/libexec/podman/conmon"
Row = tuple[str, dict[str, str], str, str, tuple[str, ...], str]

# What is done as root, the user's environment, the finding, its evidence; a command of the user's, and what it says.
BREAKAGES: dict[str, Row] = {
    "no uids": (
        "edit /etc/subuid /^ordinary:/d", {}, "subuid-absent", "/etc/subuid has no line for ordinary or 1777",
        ("unshare", "true"), "Using rootless single mapping into the namespace",
    ),
    "no gids": (
        "edit /etc/subgid /^ordinary:/d", {}, "subgid-absent", "/etc/subgid has no line for ordinary or 1777",
        ("unshare", "true"), "Check /etc/subuid and /etc/subgid",
    ),
    "few uids": (
        "edit /etc/subuid s/:65536$/:1000/; edit /etc/subgid s/:65536$/:1000/", {}, "subuid-small",
        "/etc/subuid gives 1000, and images are made for 65536",
        ("pull", "-q", "--tls-verify=false", "HIGH"), INSUFFICIENT,
    ),
    "the user's own uid": (
        "edit /etc/subuid s/ordinary:4000000:/ordinary:1000:/", {}, "subuid-own",
        "ordinary:1000:65536 includes 1777", RUN, 'in "/etc/subuid" includes the user UID',
    ),
    "another user's uids": (
        "edit /etc/subuid '$a other:4050000:65536'", {}, "subuid-shared", "other:4050000:65536", RUN, "",
    ),
    "ranges that overlap": (
        "edit /etc/subuid '$a ordinary:4030000:65536'; edit /etc/subgid '$a ordinary:4030000:65536'", {},
        "subuid-overlap", "ordinary:4000000:65536 and ordinary:4030000:65536", RUN,
        "4000000:65536 and 4030000:65536 in /etc/subuid or /etc/subgid overlap",
    ),
    "ids that no kernel has": (
        "edit /etc/subuid s/:4000000:/:4294967000:/", {}, "subid-malformed", ": ordinary:4294967000:65536",
        ("unshare", "true"), "Using rootless single mapping into the namespace",
    ),
    "a covered proc": (
        "mount --bind /dev/null /proc/version", {}, "proc-covered", "/proc/self/mountinfo: /proc/version", RUN,
        "/proc/version of this host's /proc is covered",
    ),
    "no newuidmap": (
        "hide /usr/bin/newuidmap", {}, "newuidmap", "no newuidmap in PATH", RUN,
        'exec: "newuidmap": executable file not found in $PATH',
    ),
    "no newgidmap": (
        "hide /usr/bin/newgidmap", {}, "newgidmap", "no newgidmap in PATH", RUN,
        'exec: "newgidmap": executable file not found in $PATH',
    ),
    "newuidmap without privilege": (
        "cp /usr/bin/newuidmap /run/t/n; chmod 755 /run/t/n; instead /usr/bin/newuidmap /run/t/n", {},
        "newuidmap-plain", "is neither setuid root nor has it file capabilities", RUN,
        "should have setuid or have filecaps setuid",
    ),
    "newuidmap on nosuid": (
        "mkdir /run/t/m; mount -t tmpfs -o nosuid none /run/t/m; cp /usr/bin/newuidmap /run/t/m/n; "
        "chmod 4755 /run/t/m/n; instead /usr/bin/newuidmap /run/t/m/n", {}, "newuidmap-nosuid", "nosuid", RUN,
        "is on a file system that is mounted nosuid",
    ),
    "no runtime folder": (
        "true", {"XDG_RUNTIME_DIR": "/run/user/none"}, "runtime-dir-absent", "/run/user/none: No such file", RUN,
        "XDG_RUNTIME_DIR must name a folder of the user's own",
    ),
    "no name of a runtime folder": (
        "true", {"XDG_RUNTIME_DIR": ""}, "runtime-dir-unset", "the environment has no XDG_RUNTIME_DIR", RUN, "",
    ),
    "somebody's runtime folder": (
        "mkdir -m 755 /run/t/0", {"XDG_RUNTIME_DIR": "/run/t/0"}, "runtime-dir-owner", "/run/t/0 belongs to user 0",
        RUN, 'path "/run/t/0" exists and it is not writeable only by the current user',
    ),
    "an open runtime folder": (
        f"chmod 777 /run/user/{UID}", {}, "runtime-dir-mode", f"/run/user/{UID} has mode 777", RUN,
        "exists and it is not writeable only by the current user",
    ),
    "a read-only runtime folder": (
        f"mount -o remount,ro /run/user/{UID}", {}, "runtime-dir-unwritable", "read-only", RUN,
        "read-only file system",
    ),
    "a full runtime folder": (
        f"mount -o remount,size=64k /run/user/{UID}; head -c 64k /dev/zero > /run/user/{UID}/full", {},
        "run-root-space", "0 KiB free", RUN, f"XDG_RUNTIME_DIR is /run/user/{UID}: have room there",
    ),
    "a runtime folder without inodes": (
        f"mount -o remount,nr_inodes=4 /run/user/{UID}", {}, "run-root-inodes", "1 inodes free", RUN,
        f"XDG_RUNTIME_DIR is /run/user/{UID}: have room there",
    ),
    "a runtime folder that is a file": (
        f"touch /run/t/f; chown {UID} /run/t/f", {"XDG_RUNTIME_DIR": "/run/t/f"}, "runtime-dir-absent",
        "/run/t/f: Not a directory", RUN, "XDG_RUNTIME_DIR must name a folder of the user's own",
    ),
    "a runtime folder that is nowhere": (
        "true", {"XDG_RUNTIME_DIR": "there"}, "runtime-dir-unset", "XDG_RUNTIME_DIR=there is no absolute path", RUN, "",
    ),
    "a runtime folder on a disk": (
        f"install -d -m 700 -o {UID} /etc/kept", {"XDG_RUNTIME_DIR": "/etc/kept"}, "runtime-dir-kept",
        "/etc/kept is on overlay", RUN, "",
    ),
    "somebody's home": (
        "true", {"HOME": "/run/systemd"}, "home-foreign", "/run/systemd belongs to 0", VOLUME,
        "/run/systemd/.local",
    ),
    "somebody's store": (
        "mkdir -p /run/t/data/containers/storage", DATA, "graph-root-owner", "belongs to user 0", VOLUME,
        "/run/t/data/containers/storage",
    ),
    "a store that was used with sudo": (
        "data; mkdir /run/t/data/containers/storage/overlay-images; "
        f"chown {UID} /run/t/data/containers/storage/overlay-images; umask 077; "
        "echo '[]' > /run/t/data/containers/storage/overlay-images/images.json", DATA, "graph-root-mixed",
        "overlay-images/images.json", ("images", "-q"), "images.json",
    ),
    "a store on noexec": ("data ,noexec", DATA, "graph-root-noexec", "noexec", ANEW, ""),
    "whole copies on noexec": ("data ,noexec", VFS, "graph-root-noexec", "noexec", ANEW, "mounted noexec: remount it"),
    "whole copies on nodev": ("data ,nodev", VFS, "graph-root-nodev", "nodev", ANEW, ""),
    "a read-only store": (
        "data; mount -o remount,ro /run/t/data/containers/storage", DATA, "graph-root-read-only", "Read-only", VOLUME,
        "the file system of the graph root is mounted read-only",
    ),
    "a long name of a store": (
        f"mkdir -p /run/t/{LONG}; chmod 777 /run/t/{LONG}", {"XDG_DATA_HOME": f"/run/t/{LONG}"}, "graph-root-long",
        "and 495 are possible", VOLUME, "name a shorter --root",
    ),
    "no home": (
        "true", {"HOME": "/etc/none"}, "home-foreign", "/etc/none belongs to nobody: it is absent", VOLUME,
        "without --root it is below HOME",
    ),
    "a home that is nowhere": (
        "true", {"HOME": "relative"}, "config", 'storage path "relative/', VOLUME, "below HOME or XDG_DATA_HOME",
    ),
    "no space": ("data ,size=300k", DATA, "disk-space", "MiB free", ("pull", "-q", "--tls-verify=false", "IMAGE"),
                 "no space left on device"),
    "no inodes": ("data ,nr_inodes=12", DATA, "disk-inodes", "free",
                  ("pull", "-q", "--tls-verify=false", "IMAGE"), "no space left on device"),
    "a store on an overlay": (
        "data; S=/run/t/data/containers/storage; mkdir $S/u $S/w /run/t/l; "
        "mount -t overlay -o lowerdir=/run/t/l,upperdir=$S/u,workdir=$S/w o $S; "
        f"mkdir -p $S/overlay-layers; chown -R {UID}:{UID} $S", DATA, "overlay",
        "mount -t overlay", ("--storage-driver=overlay", *ANEW), "overlay",
    ),
    "a keeper that is gone": (
        f"mkdir -p /run/user/{UID}/libpod/tmp; echo 99999 > /run/user/{UID}/libpod/tmp/pause.pid; "
        f"chown -R {UID} /run/user/{UID}/libpod", {}, "pause-stale", "pause.pid: 99999 is no such process", (), "",
    ),
    "ranges that were changed": (
        "USER sonata unshare true; edit /etc/subuid s/:4000000:/:300000:/", {}, "subuid-changed", "1 4000000 65536",
        ("unshare", "true"), "",
    ),
    "no lingering": (
        "mkdir /run/systemd/system", {}, "linger", "/var/lib/systemd/linger/ordinary is absent", (), "",
    ),
    "no session bus": (
        "mkdir /run/systemd/system; printf '[engine]\\ncgroup_manager = \"systemd\"\\n' > /run/t/conf", CONF,
        "dbus-session", "DBUS_SESSION_BUS_ADDRESS is not set", (), "",
    ),
    "a closed tun": (
        "mknod -m 600 /run/t/tun c 10 200; instead /dev/net/tun /run/t/tun", {}, "device-net-tun-mode",
        "/dev/net/tun has mode 600", ONLINE, "pasta needs /dev/net/tun, which this user may not open",
    ),
    "a closed fuse": (
        "mknod -m 600 /run/t/fuse c 10 229; instead /dev/fuse /run/t/fuse", {}, "device-fuse-mode",
        "/dev/fuse has mode 600", (), "",
    ),
    "no pasta": (
        "hide /usr/bin/pasta /usr/bin/pasta.avx2", {}, "program-pasta", "no pasta", ONLINE, "pasta",
    ),
    "no slirp4netns": (
        "hide /usr/bin/slirp4netns", {}, "program-slirp4netns", "no slirp4netns",
        ("run", "--rm", "--network=slirp4netns", "IMAGE", "true"), "slirp4netns",
    ),
    "no conmon": (NO_CONMON, {}, "program-conmon", "no conmon", RUN, "conmon"),
    "no runtime": (NO_RUNTIME, {}, "runtime-none", "crun: crun not found", RUN, "crun"),
    "wrong settings": (
        "echo '[engine' > /run/t/conf", CONF, "config", "/run/t/conf:1", RUN, "/run/t/conf:1",
    ),
    "settings that are closed": (
        f"install -d -o {UID} /run/t/h /run/t/h/.config /run/t/h/.config/containers; "
        "install -m 600 /dev/null /run/t/h/.config/containers/containers.conf", {"HOME": "/run/t/h"}, "config",
        "open /run/t/h/.config/containers/containers.conf: Permission denied", RUN,
        "open /run/t/h/.config/containers/containers.conf: Permission denied",
    ),
    "closed groups for ping": ("true", {}, "ping-group", "net.ipv4.ping_group_range is 1 0", (), ""),
}  # fmt: skip


class SickHost(OrdinaryHost):
    """With ids that nobody else on this machine has."""

    first = 4000000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    made = SickHost(str(tmp_path_factory.mktemp("doctor")))
    folder = Path(made.base, "image-high")
    folder.mkdir()
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.uid = entry.gid = 5000
        tar.addfile(entry)
    (folder / "1.tar").write_bytes(data.getvalue())
    with made:
        made.pull()
        made.ok("system", "migrate")
        yield made


def as_user(host: OrdinaryHost, environ: dict[str, str], *before: str) -> list[str]:
    """The words by which root becomes the user on that host."""
    become = host.user_argv(**environ)[len(host.inside()) :]
    return [word for word in [*become, *before] if not word.endswith("=")]


def examined(
    host: OrdinaryHost, script: str, environ: dict[str, str], words: tuple[str, ...], frame: str = "", *before: str
) -> tuple[int, dict[str, dict[str, str]], str, int]:
    """The examination's exit code and findings, and what a command says on that broken host, with its exit code."""
    user = shlex.join([*as_user(host, environ, *before), *PROGRAM])
    given = [word.replace("IMAGE", host.image).replace("HIGH", f"{host.registry}/high:1") for word in words]
    command = f"{user} {shlex.join(given)}" if given else "true"
    commands = f"{command} 2>&1; echo =$?=; {user} doctor --format=json; echo =$?"
    both = frame.replace("COMMAND", f"sh -c {shlex.quote(commands)}") if frame else f"set +e\n{commands}"
    whole = PREPARE + script.replace("USER sonata", user) + "\n" + both
    done = host.program(host.inside("unshare", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "sh", "-c", whole))
    said, _, rest = done.out.partition("=\n[")
    assert rest, done
    text, _, end = said.rpartition("=")
    found, _, code = f"[{rest}".rpartition("\n=")
    assert code.isdigit(), done
    return int(code), {one["id"]: one for one in json.loads(found)}, text, int(end)


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_is_named(host: OrdinaryHost, name: str) -> None:
    script, environ, ident, evidence, words, told = BREAKAGES[name]
    code, found, said, end = examined(host, script, environ, words)
    assert ident in found, found
    assert evidence in found[ident]["evidence"], found[ident]
    assert found[ident]["mend"]
    assert code == int(any(one["severity"] == "error" for one in found.values())), found
    assert told.lower() in said.lower()
    assert (end > 0) == bool(told and "Check /etc/subuid and" not in told and "single mapping" not in told), said
    assert "Traceback" not in said


def test_nothing_but_what_the_host_has(host: OrdinaryHost) -> None:
    code, found, said, end = examined(host, "true", {}, RUN)
    assert (code, end) == (0, 0), (found, said)
    assert set(found) <= {"cgroup-v1", "ping-group", "program-gpg", "python-patch"}, found


def test_a_process_that_gains_no_privileges(host: OrdinaryHost) -> None:
    code, found, said, end = examined(host, "true", {}, RUN, "", "setpriv", "--no-new-privs")
    assert (code, end) == (1, 125)
    assert found["no-new-privileges"]["evidence"] == "/proc/self/status: NoNewPrivs: 1"
    assert "user-namespace" in found
    assert "this process may gain no privileges" in said


def test_no_user_namespaces(host: OrdinaryHost) -> None:
    """The limit of a namespace of the test's own is set; it holds for all below."""
    code, found, said, end = examined(host, "true", {}, RUN, NO_SPACES)
    assert (code, end) == (1, 125), said
    assert found["userns-max"]["evidence"] == "user.max_user_namespaces is 0"
    assert "cannot clone: No space left on device" in said
    assert "user.max_user_namespaces" in said


def test_ports_that_are_closed_to_users(host: OrdinaryHost) -> None:
    start = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    host.as_root("sh", "-c", f"echo 2000 > {start}")
    try:
        _, found, said, end = examined(host, "true", {}, ("run", "--rm", "-p", "1500:80", "IMAGE", "true"))
        assert found["port-start"]["evidence"] == "net.ipv4.ip_unprivileged_port_start is 2000"
        assert end > 0
        assert "ip_unprivileged_port_start" in said
    finally:
        host.as_root("sh", "-c", f"echo 1024 > {start}")


def test_what_this_kernel_cannot_be_made_to_lack(tmp_path: Path) -> None:
    """Switches of Debian's and of AppArmor, groups of version 2, file systems of networks: what would be found."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/unprivileged_userns_clone").write_text("0\n")
    (tmp_path / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    assert [one.id for one in ids.check_switches(str(tmp_path))] == ["userns-clone", "userns-apparmor"]
    user = ids.User(uid=1777, gid=1777, names=("ordinary", "1777"))
    (lacking,) = places.check_groups(2, "pids", "/user.slice")
    assert lacking.evidence == "/sys/fs/cgroup/user.slice/cgroup.controllers: pids"
    assert list(places.check_groups(2, "cpu io memory pids", "/user.slice")) == []
    table = f"1 2 0:3 / / rw - ext4 /dev/x rw\n4 1 0:5 / {tmp_path} rw - nfs4 server:/ rw\n"
    assert [one.id for one in places.check_store(user, f"{tmp_path}/store", table)] == ["graph-root-remote"]
    assert list(places.check_store(user, f"{tmp_path}x/store", table)) == []


def test_the_page_tells_of_every_finding() -> None:
    page = (Path(__file__).parents[2] / "docs/doctor.md").read_text()
    for row in BREAKAGES.values():
        assert f"`{row[2]}`" in page, row[2]
