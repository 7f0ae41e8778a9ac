"""Helper programs that are missing or crash; ports, names and container id files that are taken."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from luck_world import IMAGE, Unchanged, World, own_network, sample, settled, world

__all__ = ["own_network", "world"]
pytestmark = pytest.mark.needs_root


def program(world: World, name: str, text: str) -> str:
    """A program of ours, in a folder of its own; its path."""
    place = world.base / "programs" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    place.chmod(0o755)
    return str(place)


def without(world: World, *names: str) -> dict[str, str]:
    """An environment and containers.conf whose folders of programs lack these."""
    place = world.base / "fewer"
    place.mkdir()
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/lib/podman"):
        for program_name in os.listdir(folder) if os.path.isdir(folder) else ():
            target = place / program_name
            if program_name not in names and not target.is_symlink():
                target.symlink_to(f"{folder}/{program_name}")
    conf = world.base / "containers.conf"
    conf.write_text(
        f'[engine]\ncgroup_manager = "cgroupfs"\nhelper_binaries_dir = ["{place}"]\n'
        f'conmon_path = ["{place}/conmon"]\n[engine.runtimes]\ncrun = ["{place}/crun"]\nrunc = ["{place}/runc"]\n'
    )
    return {"PATH": str(place)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conmon", "could not find a working conmon binary"),
        ("netavark", "netavark"),
        ("aardvark-dns", "aardvark"),
        ("iptables", "iptables"),
    ],
)
def test_a_missing_helper(world: World, name: str, text: str) -> None:
    world.ok("network", "create", "named")
    environment = without(world, name)
    if name == "conmon":
        with Unchanged(world):
            world.fails(125, text, "run", "--rm", IMAGE, "true", env=environment)
    with Unchanged(world):
        done = world.do("run", "--rm", "--network=named", IMAGE, "true", env=environment)
        if done.code == 0:
            assert name == "aardvark-dns", "run without it"
        else:
            assert (done.code, text in done.err) in ((125, True), (126, True), (127, True)), done


def test_a_missing_conmon_that_was_named(world: World) -> None:
    with Unchanged(world):
        world.fails(125, "could not find a working conmon binary", "--conmon", "/nowhere/conmon", "run", "--rm", IMAGE)


def test_a_missing_runtime(world: World) -> None:
    environment = without(world, "crun")
    with Unchanged(world):
        assert world.ok("run", "--rm", "--network=none", IMAGE, "echo", "x", env=environment) == "x"
        done = world.do("--runtime", "crun", "run", "--rm", "--network=none", IMAGE, "true", env=environment)
        assert done.code == 125, done
        assert "crun" in done.err
    shutil.rmtree(world.base / "fewer")
    environment = without(world, "crun", "runc")
    with Unchanged(world):
        done = world.do("run", "--rm", "--network=none", IMAGE, "true", env=environment)
        assert done.code == 125, done
        assert "crun" in done.err
        assert "runc" in done.err


def test_a_runtime_that_is_unknown(world: World) -> None:
    with Unchanged(world):
        done = world.do("--runtime", "nothing", "run", "--rm", IMAGE, "true")
        assert done.code == 125, done
        assert "nothing" in done.err


CRASHES = {
    "silent": "#!/bin/sh\nexit 1\n",
    "talking": "#!/bin/sh\necho it is broken >&2\nexit 3\n",
    "killed": "#!/bin/sh\nkill -SEGV $$\n",
    "no program": "\0\0\0",
    "nonsense": "#!/bin/sh\necho nonsense\n",
}


@pytest.mark.parametrize("how", sample(CRASHES, 3))
def test_a_conmon_that_crashes(world: World, how: str) -> None:
    path = program(world, "conmon", CRASHES[how])
    with Unchanged(world):
        done = world.do("--conmon", path, "run", "--rm", IMAGE, "true", timeout=30)
        assert done.code in (125, 126, 127), done
        assert "conmon" in done.err or "it is broken" in done.err, done
    with Unchanged(world):
        assert world.do("--conmon", path, "run", "-d", "--name", "x", IMAGE, "true", timeout=30).code != 0
        assert world.do("--conmon", path, "start", "x", timeout=30).code != 0
        world.ok("rm", "-f", "x")


@pytest.mark.parametrize(("name", "how"), sample([(name, how) for name in ("crun", "runc") for how in CRASHES], 4))
def test_a_runtime_that_crashes(world: World, name: str, how: str) -> None:
    path = program(world, name, CRASHES[how])
    conf = world.base / "containers.conf"
    conf.write_text(
        f'[engine]\ncgroup_manager = "cgroupfs"\nruntime = "{name}"\n[engine.runtimes]\n{name} = ["{path}"]\n'
    )
    with Unchanged(world):
        done = world.do("run", "--rm", "--network=none", IMAGE, "true", timeout=30)
        assert done.code in (125, 126, 127), done
        assert name in done.err or "it is broken" in done.err or "OCI runtime" in done.err, done


@pytest.mark.parametrize("after", ["create", "start"])
def test_a_runtime_that_crashes_later(world: World, after: str) -> None:
    """It can say its version; when it is to create or start, it dies."""
    real = shutil.which("crun")
    text = f'#!/bin/sh\nfor word in "$@"; do [ "$word" = {after} ] && kill -KILL $$; done\nexec {real} "$@"\n'
    path = program(world, "crun", text)
    (world.base / "containers.conf").write_text(
        f'[engine]\ncgroup_manager = "cgroupfs"\nruntime = "crun"\n[engine.runtimes]\ncrun = ["{path}"]\n'
    )
    with Unchanged(world):
        done = world.do("run", "--rm", "-p", "18081:80", IMAGE, "true", timeout=30)
        assert done.code in (125, 126, 127), done
    with Unchanged(world):
        assert world.do("run", "-d", "--name", "x", IMAGE, "true", timeout=30).code in (125, 126, 127)
        assert world.do("start", "x", timeout=30).code == 125
        world.ok("rm", "-f", "x")


@pytest.mark.parametrize("how", sample(CRASHES, 3))
def test_a_netavark_that_crashes(world: World, how: str) -> None:
    helpers = world.base / "programs"
    program(world, "netavark", CRASHES[how])
    (world.base / "containers.conf").write_text(
        f'[engine]\ncgroup_manager = "cgroupfs"\nhelper_binaries_dir = ["{helpers}", "/usr/lib/podman"]\n'
    )
    with Unchanged(world):
        done = world.do("run", "--rm", "--network=bridge", "-p", "18081:80", IMAGE, "true", timeout=30)
        assert done.code in (125, 126, 127), done
        assert "netavark" in done.err or "it is broken" in done.err, done
        world.ok("run", "--rm", "--network=none", IMAGE, "true")


def test_a_netavark_that_crashes_on_the_way_out(world: World) -> None:
    """The container ends and goes; what netavark did not take away goes with the next command that can."""
    links = world.footprint()["links"]
    world.ok("run", "-d", "--name", "x", "--network=bridge", "-p", "18081:80", IMAGE, "sleep", "100")
    program(world, "netavark", CRASHES["talking"])
    conf = world.base / "containers.conf"
    good = conf.read_text()
    conf.write_text(f'[engine]\ncgroup_manager = "cgroupfs"\nhelper_binaries_dir = ["{world.base}/programs"]\n')
    world.do("rm", "-f", "-t", "0", "x")
    conf.write_text(good)
    world.do("rm", "-f", "-t", "0", "x")
    before = {"leases": [], "ports": [], "containers": [], "netns": [], "links": links, "mounts": [], "rules": []}
    assert not settled(world, dict(before))


def test_a_port_that_another_process_has(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 18090))
        taken.listen()
        with Unchanged(world):
            told = "18090" if world.who.ordinary else "address already in use"  # the first is pasta's
            world.fails(126, told, "run", "--rm", "-p", "18090:80", IMAGE, "true")
        world.fails(126, "18090", "run", "-d", "--name", "x", "-p", "18090:80", IMAGE, "sleep", "100")
        world.fails(125, "18090", "start", "x")
    world.ok("start", "x")
    world.ok("rm", "-f", "-t", "0", "x")


def test_a_port_that_another_container_has(world: World) -> None:
    world.ok("run", "-d", "--name", "one", "-p", "18091:80", IMAGE, "sleep", "100")
    with Unchanged(world):
        world.fails(126, "18091", "run", "--rm", "-p", "18091:80", IMAGE, "true")
    # Another address of the host is another port.
    world.ok("run", "--rm", "-p", "127.0.0.2:18092:80", IMAGE, "true")
    world.ok("create", "--name", "two", "-p", "18091:80", IMAGE, "sleep", "100")
    world.fails(125, "18091", "start", "two")
    world.ok("stop", "-t", "0", "one")
    world.ok("start", "two")
    world.fails(125, "18091", "start", "one")
    assert world.status("two") == "running"
    world.ok("stop", "-t", "0", "two")
    world.ok("start", "one")
    world.ok("rm", "-f", "-t", "0", "one", "two")


def test_a_name_that_is_taken(world: World) -> None:
    first = world.ok("create", "--name", "x", IMAGE)
    with Unchanged(world):
        done = world.fails(125, f'creating container storage: the container name "x" is already in use by {first}',
                           "run", "--name", "x", IMAGE)  # fmt: skip
        assert "You have to remove that container to be able to reuse that name" in done.err
        world.ok("create", "--name", "y", IMAGE)
        world.fails(125, "in use", "rename", "y", "x")
        world.ok("rm", "y")
    second = world.ok("create", "--replace", "--name", "x", IMAGE)
    assert second != first
    assert world.ok("ps", "-aq", "--no-trunc") == second


def test_a_cidfile_that_exists(world: World, tmp_path: Path) -> None:
    path = tmp_path / "cid"
    path.write_text("old")
    with Unchanged(world):
        world.fails(125, f"container id file exists. Ensure another container is not using it or delete {path}",
                    "run", "--rm", "--cidfile", str(path), IMAGE, "true")  # fmt: skip
    assert path.read_text() == "old"
    with Unchanged(world):
        world.fails(125, "no such file or directory", "run", "--rm", f"--cidfile={tmp_path}/no/such", IMAGE, "true")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (127, (IMAGE, "nothing")),
        (127, (IMAGE, "/no/such")),
        (126, (IMAGE, "/etc")),
        (1, (IMAGE, "/etc/group")),
        (126, ("-w", "/etc/passwd", IMAGE, "true")),
        (126, ("-u", "nobody-knows", IMAGE, "true")),
        (125, ("--network", "container:nothing", IMAGE, "true")),
        (125, ("-v", "/no/such/place:/x", IMAGE, "true")),
        (125, ("--network", "nothing", IMAGE, "true")),
    ],
)
def test_a_start_that_fails_leaves_nothing(world: World, code: int, words: tuple[str, ...]) -> None:
    with Unchanged(world):
        done = world.do("run", "--rm", *words)
        assert done.code in ((code, 125) if "-u" in words else (code,)), done
        assert done.err.startswith("Error: ") or code == 1, done
        done = world.do("run", "-d", "--rm", *words)
        assert done.code != 0 or code == 1


def test_a_container_that_exits_at_once(world: World) -> None:
    with Unchanged(world):
        for at in range(5):
            assert world.do("run", "--rm", "--network=none", IMAGE, "sh", "-c", f"exit {at}").code == at
        for _ in range(3):
            ident = world.ok("run", "-d", "--network=none", IMAGE, "false")
            assert world.ok("wait", ident) == "1"
            assert world.status(ident) in ("exited", "stopped")
            world.ok("rm", ident)
