"""Images that are made to hurt, and users, folders and capabilities inside containers."""

from __future__ import annotations

import os
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from luck_world import IMAGE, Unchanged, World, busybox_layer, own_network, sample, tar_of, world, write_archive

__all__ = ["own_network", "world"]
pytestmark = pytest.mark.needs_root
NONE = ("--network=none",)


def fifo(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = tarfile.FIFOTYPE
    made.mode = 0o644
    return made


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder of the host with one file; whatever a container does, it stays as it is."""
    place = tmp_path / "canary"
    place.mkdir()
    (place / "file").write_text("safe")
    return place


def untouched(canary: Path) -> None:
    assert sorted(one.name for one in canary.iterdir()) == ["file"]
    assert (canary / "file").read_text() == "safe"
    assert not (canary / "file").is_symlink()


KINDS = ("fifo", "link to a secret", "link to zero", "folder", "dangling", "loop", "environ")
FILES = ("passwd", "group", "hosts", "resolv.conf", "hostname", "mtab")


@pytest.mark.parametrize(("name", "kind"), sample([(name, kind) for name in FILES for kind in KINDS], 14))
def test_files_in_etc_that_are_traps(world: World, canary: Path, name: str, kind: str) -> None:
    traps: dict[str, Any] = {
        "fifo": fifo(f"etc/{name}"),
        "link to a secret": (f"etc/{name}", f"→ {canary}/file"),
        "link to zero": (f"etc/{name}", "→ /dev/zero"),
        "folder": (f"etc/{name}", None),
        "dangling": (f"etc/{name}", f"→ {canary}/made"),
        "loop": (f"etc/{name}", f"→ {name}"),
        "environ": (f"etc/{name}", "→ /proc/self/environ"),
    }
    layers = [tar_of((f"etc/.wh.{name}", b"")), tar_of(traps[kind])]
    world.load("localhost/trap:1", layers)
    with Unchanged(world):
        for words in ((), ("--user", "user"), ("--user", "1000:1000")):
            done = world.do("run", "--rm", *NONE, *words, "localhost/trap:1", "echo", "ran", timeout=30)
            assert done.code in (0, 125, 126, 127), done
            assert (done.code == 0) == (done.out == "ran\n"), done
            assert "safe" not in done.out + done.err
    untouched(canary)


@pytest.mark.parametrize(
    "target", ["dev", "proc", "sys", "dev/null", "dev/console", "dev/pts", "dev/shm", "run", "tmp", "etc"]
)
def test_folders_that_are_links_to_the_host(world: World, canary: Path, target: str) -> None:
    first = target.split("/", maxsplit=1)[0]
    gone = [tar_of((f".wh.{first}", b""))]
    link = tar_of((target, f"→ {canary}")) if "/" not in target else tar_of((first, None), (target, f"→ {canary}"))
    world.load("localhost/trap:1", [*gone, link])
    with Unchanged(world):
        done = world.do("run", "--rm", *NONE, "--tmpfs", "/tmp", "localhost/trap:1", "echo", "ran")
        assert done.code in (0, 125, 126, 127), done
        done = world.do("run", "--rm", *NONE, "-t", "-v", "vol:/mnt/x", "localhost/trap:1", "echo", "ran")
        assert done.code in (0, 125, 126, 127), done
        world.do("volume", "rm", "vol")
    untouched(canary)


@pytest.mark.parametrize("workdir", ["/w/a", "/w", "/up/x", "/w/../../x", "//w//b"])
def test_a_workdir_through_a_link(world: World, canary: Path, workdir: str) -> None:
    """CVE-2026-55686."""
    world.load(
        "localhost/trap:1", [tar_of(("w", f"→ {canary}"), ("up", f"→ ../../../../..{canary}"))], WorkingDir=workdir
    )
    with Unchanged(world):
        done = world.do("run", "--rm", *NONE, "localhost/trap:1", "true")
        assert done.code in (0, 125, 126, 127), done
        done = world.do("run", "--rm", *NONE, "-w", f"{workdir}/more", "localhost/trap:1", "true")
        assert done.code in (0, 125, 126, 127), done
    untouched(canary)


@pytest.mark.parametrize("volume", ["/../../etc", "/../..", "/w/v", "relative", "/", "/etc", "/proc", "/a\nb"])
def test_a_volume_of_the_image(world: World, canary: Path, volume: str) -> None:
    """CVE-2022-23648."""
    world.load("localhost/trap:1", [tar_of(("w", f"→ {canary}"))], Volumes={volume: {}})
    with Unchanged(world):
        done = world.do("run", "--rm", *NONE, "localhost/trap:1", "ls", "/etc")
        assert done.code in (0, 125, 126, 127), done
        assert "debian_version" not in done.out
        if done.code == 0:
            world.ok("run", "--rm", *NONE, "localhost/trap:1", "sh", "-c", "touch /w/v/x /etc/x 2>/dev/null; true")
    untouched(canary)
    assert world.ok("volume", "ls", "-q") == ""


def test_a_mount_below_a_link(world: World, canary: Path) -> None:
    world.load("localhost/trap:1", [tar_of(("w", f"→ {canary}"), ("rel", f"→ ../../../../../../..{canary}"))])
    with Unchanged(world):
        for place in ("/w/m", "/rel/m", "/w", "/w/../m"):
            for words in (("-v", f"{world.base}/home:{place}"), ("--tmpfs", place), ("-v", f"{place}")):
                done = world.do("run", "--rm", *NONE, *words, "localhost/trap:1", "true")
                assert done.code in (0, 125, 126, 127), done
                untouched(canary)


@pytest.mark.parametrize("number", sample((*range(3, 12), 100), 4))
def test_a_working_directory_of_a_descriptor(world: World, number: int) -> None:
    """CVE-2024-21626."""
    for form in ("/proc/self/fd", "/proc/self/../self/fd"):
        with Unchanged(world):
            done = world.do(
                "run", "--rm", *NONE, "-w", f"{form}/{number}", IMAGE, "sh", "-c", "cat ../../etc/hostname; pwd"
            )
            assert done.code != 0, done
            assert os.uname().nodename not in done.out


def test_a_working_directory_of_a_descriptor_in_exec(world: World) -> None:
    world.ok("run", "-d", *NONE, "--name", "x", IMAGE, "sleep", "60")
    for number in range(3, 10):
        done = world.do("exec", "-w", f"/proc/self/fd/{number}", "x", "ls")
        assert done.code != 0, done
        assert "boot" not in done.out
    assert world.ok("exec", "x", "sh", "-c", "echo ok") == "ok"


def test_only_three_descriptors(world: World) -> None:
    extra = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(extra, True)
    try:
        listing = ("sh", "-c", "exec ls /proc/self/fd")
        assert world.ok("run", "--rm", *NONE, IMAGE, *listing, pass_fds=[extra]).split() == ["0", "1", "2", "3"]
        world.ok("run", "-d", *NONE, "--name", "x", IMAGE, "sleep", "60", pass_fds=[extra])
        assert world.ok("exec", "x", *listing, pass_fds=[extra]).split() == ["0", "1", "2", "3"]
        assert world.ok("exec", "x", "ls", "/proc/1/fd").split() == ["0", "1", "2"]
    finally:
        os.close(extra)


def capabilities(text: str) -> dict[str, int]:
    return {name: int(value, 16) for name, value in re.findall(r"Cap(\w+):\s+([0-9a-f]+)", text)}


@pytest.mark.parametrize("privileged", [False, True])
def test_capabilities(world: World, privileged: bool) -> None:
    words = (*NONE, *(("--privileged",) if privileged else ()))
    root = capabilities(world.ok("run", "--rm", *words, IMAGE, "cat", "/proc/self/status"))
    user = capabilities(world.ok("run", "--rm", *words, "--user=1000", IMAGE, "cat", "/proc/self/status"))
    assert root["Inh"] == user["Inh"] == user["Eff"] == user["Prm"] == user["Amb"] == 0
    assert root["Eff"] == root["Prm"] == root["Bnd"] == user["Bnd"] != 0
    world.ok("run", "-d", *words, "--name", "x", IMAGE, "sleep", "60")
    for who in ("0", "1000"):
        inside = capabilities(world.ok("exec", "-u", who, "x", "cat", "/proc/self/status"))
        assert inside["Inh"] == 0
        assert inside["Eff"] == (root["Eff"] if who == "0" else 0)
    world.ok("run", "--rm", *NONE, "--user=1000", "--cap-add=NET_ADMIN", IMAGE, "true")


USERS = [
    ("1", 0, "1 0"), ("1:1", 0, "1 1"), ("01", 0, "1 0"), ("user", 0, "1000 1000"), ("user:root", 0, "1000 0"),
    ("0:user", 0, "0 1000"), ("4242", 0, "4242 0"), ("1000", 0, "1000 1000"), ("2147483647", 0, "2147483647 0"),
    ("2147483648", 1, ""), ("4294967296", 1, ""), ("-1", 1, ""), ("1 ", 1, ""), ("", 0, "0 0"), ("nobody-here", 1, ""),
    ("user:nobody-here", 1, ""), (":user", 0, "0 1000"), ("1:-1", 1, ""), ("user\n0", 1, ""), ("१", 1, ""),
]  # fmt: skip
"""What `-u` says; whether it fails; uid and gid."""


@pytest.mark.parametrize(("text", "fails", "ids"), USERS, ids=[repr(row[0]) for row in USERS])
def test_users(world: World, text: str, fails: int, ids: str) -> None:
    if world.who.ordinary and text == "2147483647":
        fails, ids = 1, ""  # he has not so many users
    world.ok("run", "-d", *NONE, "--name", "x", IMAGE, "sleep", "60")
    for words in (("run", "--rm", *NONE, f"--user={text}", IMAGE), ("exec", f"--user={text}", "x")):
        done = world.do(*words, "sh", "-c", "echo $(id -u) $(id -g)")
        assert (done.code != 0) == bool(fails), done
        assert done.out.strip() == ids, done


def test_groups(world: World) -> None:
    assert world.ok("run", "--rm", *NONE, "--user=user", IMAGE, "id", "-G") == "1000 2000"
    assert world.ok("run", "--rm", *NONE, "--user=user:user", IMAGE, "id", "-G") == "1000"
    assert world.ok("run", "--rm", *NONE, "--user=5", "--group-add=7", IMAGE, "id", "-G").split() == ["0", "7"]


def test_labels_and_variables_of_an_image_choose_nothing(world: World) -> None:
    labels = {"io.podman.annotations.privileged": "TRUE", "io.podman.annotations.seccomp": "unconfined",
              "run.oci.handler": "krun", "io.containers.autoupdate": "registry", "io.podman.annotations.init": "TRUE",
              "run.oci.hooks.stdout": "/tmp/x"}  # fmt: skip
    world.load("localhost/trap:1", Labels=labels, Env=["LD_PRELOAD=/x.so", "PATH=/bin", "A\nB=1", "=x", "NOVALUE"])
    with Unchanged(world):
        done = world.do("run", "--rm", *NONE, "localhost/trap:1", "grep", "-E", "Seccomp:|CapEff", "/proc/self/status")
        assert done.code in (0, 125), done
        if done.code == 0:
            assert re.search(r"Seccomp:\s+2", done.out)
            assert capabilities(done.out)["Eff"] < 1 << 32


def test_a_command_of_the_image_that_is_odd(world: World) -> None:
    odd: tuple[dict[str, Any], ...] = (
        {"Entrypoint": ["a\nb"]}, {"Entrypoint": [""]}, {"Cmd": []}, {"User": "x\ny:0:0"}, {"User": "../../x"},
        {"StopSignal": "BOGUS"}, {"ExposedPorts": {"x/y": {}}}, {"Env": [5]}, {"Cmd": "text"},
    )  # fmt: skip
    for config in odd:
        archive = world.base / "odd.tar"
        write_archive(archive, "localhost/odd:1", [busybox_layer()], config)
        with Unchanged(world, but=("layers", "folders")):
            done = world.do("load", "-q", "-i", str(archive))
            assert done.code in (0, 125), done
            done = world.do("run", "--rm", *NONE, "--pull=never", "localhost/odd:1", timeout=20)
            assert done.code in (0, 125, 126, 127), done
            assert done.code == 0 or done.err.startswith("Error: "), done
