"""What a service manager needs: readiness, pid files, a bound on time, systemd inside, and nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest
from both_ways import Root
from live_world import LiveWorld, eventually

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path_factory.mktemp("notify")), who)
    os.symlink("busybox", f"{made.rootfs}/bin/nc")
    yield made
    made.end()


@pytest.fixture
def again(world: LiveWorld) -> Iterator[LiveWorld]:
    yield world
    world.end()


class Manager:
    """A service manager: a datagram socket, and what was said to it."""

    def __init__(self, path: str, *, abstract: bool = False) -> None:
        self.address = f"\0{path}" if abstract else path
        self.variable = f"@{path}" if abstract else path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)

    def heard(self, seconds: float = 5.0) -> str:
        """The next message; empty where none comes."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def env(self) -> dict[str, str]:
        return {**os.environ, "NOTIFY_SOCKET": self.variable}


@pytest.fixture
def manager(again: LiveWorld) -> Iterator[Manager]:
    path = f"{again.base}/manager.sock"
    made = Manager(path)
    again.who.give(path)
    yield made
    made.socket.close()
    os.unlink(path)


def test_the_engine_says_ready_for_conmon(again: LiveWorld, manager: Manager) -> None:
    again.ok("run", "-d", "--name=c", "--sdnotify=conmon", "--network=none", "--rootfs", again.rootfs, "sleep", "100",
             env=manager.env())  # fmt: skip
    assert manager.heard() == f"MAINPID={again.inspect('c')['State']['ConmonPid']}\nREADY=1"
    assert "NOTIFY_SOCKET" not in again.ok("exec", "c", "env")


def test_an_abstract_socket(again: LiveWorld) -> None:
    manager = Manager(f"sonata-test-{os.getpid()}", abstract=True)
    again.ok("run", "--rm", "--sdnotify=conmon", "--network=none", "--rootfs", again.rootfs, "true", env=manager.env())
    assert manager.heard().endswith("READY=1")
    manager.socket.close()


def test_the_container_says_ready_itself(again: LiveWorld, manager: Manager) -> None:
    """Its socket is there for it; what it says is passed on, and what is not for the manager is not."""
    again.ok("run", "-d", "--name=k", "--network=none", "--rootfs", again.rootfs, "sleep", "100", env=manager.env())
    assert manager.heard() == f"MAINPID={again.inspect('k')['State']['ConmonPid']}"
    assert again.ok("exec", "k", "env").count("NOTIFY_SOCKET=/run/notify/notify.sock") == 1
    assert again.ok("exec", "k", "test", "-S", "/run/notify/notify.sock") == ""
    inside = f"{again.inspect('k')['StaticDir']}/notify/notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        anchor = os.open(inside, os.O_PATH)
        sender.sendto(b"READY=1\n", f"/proc/self/fd/{anchor}")
        os.close(anchor)
    assert "READY=1" in manager.heard()
    monitor = again.inspect("k")["State"]["ConmonPid"]
    with open(f"/proc/{monitor}/environ", "rb") as file:
        assert b"NOTIFY_SOCKET" not in file.read()


def test_nothing_is_said_where_that_is_not_wanted(again: LiveWorld, manager: Manager) -> None:
    again.ok("run", "-d", "--name=i", "--sdnotify=ignore", "--network=none", "--rootfs", again.rootfs, "sleep", "100",
             env=manager.env())  # fmt: skip
    assert manager.heard(0.5) == ""
    assert "NOTIFY_SOCKET" not in again.ok("exec", "i", "env")


def test_ready_when_healthy(again: LiveWorld, manager: Manager) -> None:
    began = time.monotonic()
    again.ok("run", "-d", "--name=h", "--sdnotify=healthy", "--health-cmd=test -e /tmp/well", "--health-interval=1s",
             "--network=none", "--rootfs", again.rootfs, "sh", "-c", "sleep 1; touch /tmp/well; sleep 100",
             env=manager.env())  # fmt: skip
    assert time.monotonic() - began > 1
    assert manager.heard().startswith("MAINPID=")
    assert manager.heard() == "READY=1"
    again.end()
    done = again.run("run", "-d", "--sdnotify=healthy", "--health-cmd=false", "--health-interval=1s", "--network=none",
                     "--rootfs", again.rootfs, "sleep", "0.5", env=manager.env())  # fmt: skip
    assert (done.returncode, "container is stopped" in done.stderr) == (126, True)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("healthy", 'sdnotify policy "healthy" requires a healthcheck to be set'),
        ("bogus", 'invalid sdnotify value "bogus": must be conmon, container, healthy or ignore'),
    ],
)
def test_what_cannot_be_said(again: LiveWorld, option: str, text: str) -> None:
    done = again.run("create", f"--sdnotify={option}", "--rootfs", again.rootfs, "true")
    assert (done.returncode, text in done.stderr) == (125, True)


def test_pid_and_id_files(again: LiveWorld) -> None:
    places = {name: f"{again.base}/{name}" for name in ("pidfile", "conmon-pidfile", "cidfile")}
    ident = again.start("p", *(f"--{name}={place}" for name, place in places.items()))
    said = {}
    for name, place in places.items():
        with open(place, encoding="ascii") as file:
            said[name] = file.read()
    state = again.inspect("p")["State"]
    assert said == {"pidfile": str(state["Pid"]), "conmon-pidfile": str(state["ConmonPid"]), "cidfile": ident}
    done = again.run("create", f"--cidfile={places['cidfile']}", "--rootfs", again.rootfs, "true")
    assert (done.returncode, "container id file exists" in done.stderr) == (125, True)
    os.unlink(places["cidfile"])


def test_time_runs_out(again: LiveWorld) -> None:
    began = time.monotonic()
    done = again.run("run", "--rm", "--timeout=2", "--network=none", "--rootfs", again.rootfs, "sleep", "100")
    assert 1 < time.monotonic() - began < 30  # conmon counts whole seconds of the clock
    assert done.returncode == 255


@pytest.mark.parametrize(
    ("mode", "command", "systemd"),
    [
        ("always", "sh", True),
        ("true", "sh", False),
        ("false", "/sbin/init", False),
        ("true", "/sbin/init", True),
    ],
)
def test_systemd_inside(again: LiveWorld, mode: str, command: str, systemd: bool) -> None:
    path = f"{again.rootfs}/sbin"
    os.makedirs(path, exist_ok=True)
    if not os.path.exists(f"{path}/init"):
        os.symlink("/bin/busybox", f"{path}/init")
        with open(f"{again.rootfs}/bin/look", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\ncat /proc/mounts; env\n")
        os.chmod(f"{again.rootfs}/bin/look", 0o755)
    again.ok("create", "--name=s", f"--systemd={mode}", "--network=none", "--rootfs", again.rootfs, command)
    config = again.inspect("s")["Config"]
    assert config["StopSignal"] == ("SIGRTMIN+3" if systemd else "SIGTERM")
    assert config.get("SystemdMode", False) is systemd
    if command == "sh":
        seen = again.ok("run", "--rm", f"--systemd={mode}", "--network=none", "--rootfs", again.rootfs, "look")
        for place in ("/run", "/run/lock", "/tmp", "/var/log/journal"):
            assert (f"tmpfs {place} tmpfs rw" in seen) is systemd, seen
        assert ("container_uuid=" in seen) is systemd


def image(world: LiveWorld, name: str) -> str:
    archive = f"{world.base}/root.tar"
    subprocess.run(["tar", "-C", world.rootfs, "-cf", archive, "bin"], check=True)
    world.ok("import", "-q", archive, name)
    os.unlink(archive)
    return name


def test_the_image_goes_with_its_container(again: LiveWorld) -> None:
    name = image(again, "localhost/gone:1")
    done = again.run("run", "--rmi", "--network=none", name, "true")
    assert (done.returncode, done.stderr) == (0, "")
    assert again.run("image", "exists", name).returncode == 1
    image(again, name)
    again.ok("run", "-d", "--rmi", "--network=none", name, "true")
    assert eventually(lambda: again.run("image", "exists", name).returncode == 1)
    assert again.ok("ps", "-aq") == ""


def test_an_image_that_is_used_stays(again: LiveWorld) -> None:
    name = image(again, "localhost/stays:1")
    again.ok("create", "--name=user", name, "true")
    done = again.run("run", "--rm", "--rmi", "--network=none", name, "true")
    assert done.returncode == 0
    assert "Failed to remove image" in done.stderr
    assert again.run("image", "exists", name).returncode == 0
    done = again.run("run", "--rm=false", "--rmi", name, "true")
    assert (done.returncode, "the --rmi option does not work without --rm" in done.stderr) == (125, True)
    again.ok("rm", "user")
    again.ok("run", "--name=ended", "--network=none", name, "true")
    again.ok("container", "cleanup", "--rmi", "ended")
    assert again.run("image", "exists", name).returncode == 1
    assert again.run("container", "exists", "ended").returncode == 1
