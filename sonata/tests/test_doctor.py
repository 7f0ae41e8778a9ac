"""`sonata doctor` on hosts that are broken, one at a time, in namespaces of their own: the real host stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from sonata.engine.system.doctor import control_groups, kernel, network, places, privileges, programs
from sonata.engine.system.doctor.finding import Severity
from sonata_core.models.host import HostFacts

needs_root = [pytest.mark.needs_root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PROGRAMS = (
    *("conmon", "crun", "runc", "netavark", "aardvark-dns", "iptables", "nft", "slirp4netns", "pasta", "catatonit"),
    *("newuidmap", "newgidmap", "mount", "umount", "sh", "ip"),
)
HELPERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman")
TOLERATED = {"capability-sys_resource", "capability-sys_ptrace", "python-patch", "subnet", "folder-open", "program-gpg"}
"""What the machine that runs the tests may lack without being unfit for them."""


class Sick:
    """A host that is broken by a shell script in mount, network and pid namespaces, and then examined.

    Mounts may be laid over what the host has. Nothing of the host's may be removed or written to: what is
    no mount is the same file here and there, and removing a folder takes the host's mount on it away.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self.bin = f"{base}/bin"
        os.makedirs(self.bin)
        for name in PROGRAMS:
            found = next((path for path in self.candidates(name) if os.path.exists(path)), None)
            if found:
                # The helper folders are hidden below, so what lies there is copied.
                (shutil.copy if found.startswith(HELPERS) else os.symlink)(found, f"{self.bin}/{name}")
        os.makedirs(f"{base}/graph")
        os.makedirs(f"{base}/run")

    def candidates(self, name: str) -> list[str]:
        found = shutil.which(name)
        return [*([found] if found else []), *(f"{folder}/{name}" for folder in HELPERS)]

    def examine(self, script: str = "", *, wrap: tuple[str, ...] = (), **env: str) -> tuple[int, dict[str, Any]]:
        """Exit code, and findings by id."""
        words = [sys.executable, "-m", "sonata", f"--root={self.base}/graph", f"--runroot={self.base}/run"]
        options = env.pop("options", "")
        line = " ".join([*wrap, *words, options, "doctor", "--format", "json"])
        hide = "".join(f"test ! -d {folder} || mount -t tmpfs none {folder}; " for folder in HELPERS)
        whole = f"set -e; mount --make-rprivate /; {hide}{script}\nexec env PATH={self.bin} {line}"
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", whole],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **env, "B": self.base},
        )
        assert done.stdout, done.stderr
        return done.returncode, {one["id"]: one for one in json.loads(done.stdout)}


@pytest.fixture
def sick(tmp_path: Any) -> Sick:
    return Sick(str(tmp_path))


def without(name: str) -> str:
    """The program is nowhere: not in PATH, and not executable where containers.conf's own table looks for it."""
    hide = "test ! -e $one || mount --bind /dev/null $one"
    return f"rm $B/bin/{name}; for one in /usr/bin/{name} /usr/sbin/{name}; do {hide}; done"


def conmon(script: str) -> str:
    """Another program wherever conmon is looked for."""
    return (
        f"printf '#!/bin/sh\\n{script}' > $B/fake; chmod +x $B/fake; mount --bind $B/fake $(readlink -f $B/bin/conmon)"
    )


COPIES = "; mkdir $B/graph/vfs-layers"
NO_CONMON = "for c in /usr/bin /usr/sbin /usr/local/bin /usr/libexec/podman; do "
NO_CONMON += "test ! -e $c/conmon || mount --bind /dev/null $c/conmon; done"
NO_MEMORY = """
mkdir $B/groups
for tree in /sys/fs/cgroup/*; do
    test $tree = /sys/fs/cgroup/memory && continue
    mkdir $B/groups/${tree##*/}; mount --bind $tree $B/groups/${tree##*/}
done
mount --rbind $B/groups /sys/fs/cgroup
"""
LIMIT = """'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'"""
HYBRID = """
mkdir -p $B/u; echo hugetlb > $B/u/cgroup.controllers; mount --bind $B/u /sys/fs/cgroup/unified
"""
FULL = "mount -t tmpfs -o size=4M none $B/graph; head -c 4100000 /dev/zero > $B/graph/fill || true"
ETC = "mkdir -p $B/etc; cp -r /etc/containers $B/etc/; mount --bind $B/etc/containers /etc/containers; "

BROKEN = [
    ("no conmon", NO_CONMON, "program-conmon", 1, "no conmon"),
    ("no runtime", without("crun") + "; " + without("runc"), "runtime-none", 1, "crun: crun not found"),
    ("no crun", without("crun"), "plugin-runtime-crun", 0, "crun not found"),
    ("no runc", without("runc"), "program-runc", 0, "no runc"),
    ("no netavark", without("netavark"), "program-netavark", 0, "no netavark"),
    ("no aardvark", without("aardvark-dns"), "program-aardvark-dns", 0, "no aardvark-dns"),
    ("no iptables", without("iptables"), "program-iptables", 0, "no iptables"),
    ("no slirp4netns", without("slirp4netns"), "program-slirp4netns", 0, "no slirp4netns"),
    ("no init", without("catatonit"), "program-catatonit", 0, "no catatonit"),
    (
        "an old conmon",
        conmon("echo conmon version 2.0.1"),
        "program-conmon-old",
        1,
        "conmon version 2.0.1",
    ),
    (
        "a conmon that crashes",
        conmon("exit 9"),
        "program-conmon",
        1,
        "exit code 9",
    ),
    ("hybrid groups", HYBRID, "cgroup-hybrid", 0, "hugetlb"),
    ("no groups", "mount -t tmpfs none /sys/fs/cgroup", "cgroup-absent", 1, "/sys/fs/cgroup"),
    ("read-only groups", "mount -o remount,ro,bind /sys/fs/cgroup/memory", "cgroup-read-only", 1, "Read-only"),
    ("no memory controller", NO_MEMORY, "cgroup-memory", 0, "no memory"),
    ("read-only graph root", "mount -t tmpfs -o ro none $B/graph", "graph-root-read-only", 1, "Read-only"),
    ("noexec graph root", "mount -t tmpfs -o noexec none $B/graph", "graph-root-noexec", 0, "noexec"),
    ("noexec copies", "mount -t tmpfs -o noexec none $B/graph" + COPIES, "graph-root-noexec", 1, "noexec"),
    ("nodev copies", "mount -t tmpfs -o nodev none $B/graph" + COPIES, "graph-root-nodev", 0, "nodev"),
    ("nosuid copies", "mount -t tmpfs -o nosuid none $B/graph" + COPIES, "graph-root-nosuid", 0, "nosuid"),
    ("full disk", FULL, "disk-space", 1, "MiB free"),
    ("no inodes", "mount -t tmpfs -o nr_inodes=100 none $B/graph", "disk-inodes", 1, "free"),
    ("read-only run root", "mount -t tmpfs -o ro none $B/run", "run-root-read-only", 1, "Read-only"),
    ("graph root is a file", "rmdir $B/graph; touch $B/graph", "graph-root-unwritable", 1, "is no folder"),
    (
        "graph root on an overlay",
        "mkdir $B/l $B/u $B/w; mount -t overlay -o lowerdir=$B/l,upperdir=$B/u,workdir=$B/w o $B/graph; "
        "mkdir $B/graph/overlay-layers",
        "overlay",
        1,
        "mount -t overlay",
    ),
    ("no tun", "mount -t tmpfs none /dev/net", "device-net-tun", 0, "/dev/net/tun"),
    ("a file for null", "touch $B/null; mount --bind $B/null /dev/null", "device-null", 1, "no character device"),
    ("a wrong zero", "mount --bind /dev/full /dev/zero", "device-zero", 1, "1:7"),
    ("no terminals", "mount -t tmpfs none /dev/pts", "terminals", 0, "openpty"),
    (
        "no policy",
        ETC + "rm -f /etc/containers/policy.json; mount -t tmpfs none /usr/share/containers",
        "policy-absent",
        1,
        "policy.json",
    ),
    ("a broken policy", ETC + "echo '{' > /etc/containers/policy.json", "policy", 1, "policy.json"),
    (
        "broken registries",
        ETC + "echo 'x = [' > /etc/containers/registries.conf",
        "registries",
        1,
        'registries.conf": toml: line 2',
    ),
    (
        "broken containers.conf",
        ETC + "echo '[engine' > /etc/containers/containers.conf",
        "config",
        1,
        "containers.conf:1",
    ),
    (
        "broken storage.conf",
        ETC + "printf '[storage]\\ndriver = 3\\n' > /etc/containers/storage.conf",
        "config",
        1,
        "driver",
    ),
    (
        "two drivers",
        "mkdir $B/graph/overlay-layers $B/graph/vfs-layers",
        "storage-driver",
        1,
        "several storage drivers",
    ),
    (
        "damaged records",
        "mkdir $B/graph/overlay-layers; echo '[{' > $B/graph/overlay-layers/layers.json",
        "store",
        1,
        "layers.json",
    ),
    (
        "damaged state",
        "mkdir $B/graph/sonata; yes junk | head -c 9000 > $B/graph/sonata/state.db",
        "database",
        1,
        "state.db",
    ),
    (
        "a taken subnet",
        "ip link add d0 type bridge; ip link set d0 up; ip addr add 10.88.3.4/24 dev d0",
        "subnet",
        0,
        "10.88.3.0/24",
    ),
    (
        "malformed ids",
        "mkdir $B/up $B/work; mount -t overlay -o lowerdir=/etc,upperdir=$B/up,workdir=$B/work none /etc; "
        "echo 'root:x' > /etc/subuid",
        "subid-malformed",
        0,
        "root:x",
    ),
]


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(
    ("script", "ident", "code", "evidence"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_host(sick: Sick, script: str, ident: str, code: int, evidence: str) -> None:
    if ident == "cgroup-memory" and not os.path.isdir("/sys/fs/cgroup/memory"):
        pytest.skip("needs cgroup version 1")
    if ident in ("cgroup-hybrid", "cgroup-read-only") and not os.path.isdir("/sys/fs/cgroup/unified"):
        pytest.skip("needs cgroup version 1")
    done, found = sick.examine(script)
    assert ident in found, sorted(found)
    assert evidence in found[ident]["evidence"], found[ident]
    assert found[ident]["mend"]
    assert found[ident]["what"]
    assert done == code, {key: one["severity"] for key, one in found.items()}


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("name", ["sys_admin", "net_admin", "mknod", "setfcap"])
def test_a_missing_capability(sick: Sick, name: str) -> None:
    done, found = sick.examine(wrap=("/usr/bin/setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}"))
    assert done == 1
    assert f"CAP_{name.upper()}" in found[f"capability-{name}"]["evidence"]


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_few_files_a_lost_tmpdir_and_open_passwords(sick: Sick) -> None:
    auth = f"{sick.base}/auth.json"
    with open(auth, "w", encoding="utf-8") as file:
        json.dump({"auths": {"x": {"auth": "eDp5"}}}, file)
    os.chmod(auth, 0o644)
    _, found = sick.examine(
        "ulimit -n 100",
        TMPDIR=f"{sick.base}/absent",
        REGISTRY_AUTH_FILE=auth,
    )
    assert "RLIMIT_NOFILE is 100" in found["limit-nofile"]["evidence"]
    assert found["tmpdir"]["evidence"].endswith("absent")
    assert "has mode 644" in found["auth-mode"]["evidence"]


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_plugin_that_is_broken(sick: Sick) -> None:
    folder = f"{sick.base}/site"
    info = f"{folder}/sonata_net_odd-1.0.dist-info"
    os.makedirs(info)
    with open(f"{folder}/sonata_net_odd.py", "w", encoding="utf-8") as file:
        file.write("import nothing_of_the_kind\n")
    with open(f"{info}/METADATA", "w", encoding="utf-8") as file:
        file.write("Metadata-Version: 2.1\nName: sonata-net-odd\nVersion: 1.0\n")
    with open(f"{info}/entry_points.txt", "w", encoding="utf-8") as file:
        file.write("[sonata.net.v1]\nodd = sonata_net_odd:Odd\n")
    done, found = sick.examine(PYTHONPATH=folder)
    assert "nothing_of_the_kind" in found["plugin-net-odd"]["evidence"]
    assert found["plugin-net-odd"]["mend"] == "pip install --force-reinstall sonata-net-odd"
    assert done == 0


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_nothing_on_a_good_host(sick: Sick) -> None:
    """As far as the host that runs the tests is good; and the examination leaves nothing behind."""
    done, found = sick.examine()
    assert set(found) <= TOLERATED, found
    assert done == 0
    assert os.listdir(f"{sick.base}/graph") == []
    assert os.listdir(f"{sick.base}/run") == []


def facts(**changes: Any) -> HostFacts:
    given = {"uid": 0, "gid": 0, "rootless": False, "kernel": "6.1.0", "machine": "x86_64", "boot_id": "b"}
    return HostFacts(**{**given, "cgroup_version": 2, **changes})


def test_facts_of_good_and_bad_hosts() -> None:
    groups = control_groups.Groups(version=2, hybrid=False, controllers=("cpu", "cpuset", "memory", "pids"))
    assert list(control_groups.check(groups)) == []
    lacking = [one.id for one in control_groups.check(groups.replace(controllers=("cpu",)))]
    assert lacking == ["cgroup-cpuset", "cgroup-memory", "cgroup-pids"]
    assert [one.id for one in kernel.check_release(facts(kernel="4.19.0-21-amd64"))] == ["kernel"]
    assert list(kernel.check_release(facts(kernel="5.10.0"))) == []
    assert [one.severity for one in kernel.check_seccomp(None, "")] == [Severity.ERROR]
    refused = list(kernel.check_namespaces({"user": "No space left on device", "network": "x"}, rootless=False))
    assert [(one.id, one.severity) for one in refused] == [
        ("namespace-user", Severity.WARNING),
        ("namespace-network", Severity.ERROR),
    ]
    assert [one.id for one in privileges.check_clock(0.0)] == ["clock"]
    assert [one.id for one in privileges.check_interpreter((3, 10, 9))] == ["python"]
    assert [one.id for one in privileges.check_modules(facts(apparmor=True), None)] == ["apparmor"]
    assert list(privileges.check_modules(facts(apparmor=True), "/sbin/apparmor_parser")) == []
    assert list(privileges.check_identifiers("u:100000:65536\n# x\n", "u:100000:65536")) == []
    assert [one.id for one in network.check_forwarding("0", writable=False)] == ["ip-forward"]
    assert list(network.check_forwarding("0", writable=True)) == []
    assert [one.id for one in network.check_port_start("2000", rootless=True)] == ["port-start"]
    assert [one.id for one in network.check_bridge("Operation not supported")] == ["bridge"]
    failing = network.Firewall(tool="iptables", path="/sbin/iptables", trouble="can't initialize table")
    assert [one.id for one in network.check_firewall(failing)] == ["firewall"]


def test_routes_that_meet_a_subnet() -> None:
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"

    def route(name: str, address: str, mask: str) -> str:
        return f"{head}{name}\t{address}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"

    swap = sys.byteorder == "little"
    inside, mask = ("0003580A", "00FFFFFF") if swap else ("0A580300", "FFFFFF00")
    assert [one.id for one in network.check_subnet("10.88.0.0/16", "podman0", route("eth0", inside, mask))] == [
        "subnet"
    ]
    assert list(network.check_subnet("10.88.0.0/16", "podman0", route("podman0", inside, mask))) == []
    assert list(network.check_subnet("10.89.0.0/16", "podman0", route("eth0", inside, mask))) == []
    assert list(network.check_subnet("10.88.0.0/16", "podman0", route("eth0", "00000000", "00000000"))) == []


def test_versions_that_programs_print() -> None:
    assert programs.version_in("crun version 1.8.1\ncommit: x") == (1, 8, 1)
    assert programs.version_in("conmon version 2.1.13, commit: unknown") == (2, 1, 13)
    assert programs.version_in("netavark 1.4.0-rc1") == (1, 4, 0)
    assert programs.version_in("no number") == ()


def test_a_shared_folder_that_is_closed(tmp_path: Any) -> None:
    place = places.probe(str(tmp_path))
    os.chmod(tmp_path, 0o700)
    assert [one.id for one in places.check_temporary(place, None, str(tmp_path))] == ["tmp"]
    os.chmod(tmp_path, 0o1777)
    assert list(places.check_temporary(place, None, str(tmp_path))) == []
    assert [one.id for one in places.check_temporary(place, None, f"{tmp_path}/absent")] == ["tmp"]


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_no_user_namespaces(sick: Sick) -> None:
    """The limit of a user namespace of its own is set, not the host's; the limit holds for those within."""
    _, found = sick.examine("", wrap=("/usr/bin/unshare", "--user", "--map-root-user", "sh", "-c", LIMIT, "x"))
    assert "CLONE_NEWUSER" in found["namespace-user"]["evidence"]


def test_a_place_below_what_is_missing(tmp_path: Any) -> None:
    seen = places.probe(f"{tmp_path}/a/b/c")
    assert (seen.existing, seen.refusal) == (str(tmp_path), "")
    assert not os.listdir(tmp_path)
