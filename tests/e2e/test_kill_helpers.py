"""`kill -9` of what works beside the program: the exit command in flight, the monitor, the container's own process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from private_host import LONG, PrivateHost, difference, host_needs, kill

pytestmark = host_needs()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, host_kind: type[PrivateHost]) -> Iterator[PrivateHost]:
    with host_kind(str(tmp_path_factory.mktemp("helpers"))) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("run", "--rm", made.image, "true")
        yield made


def outer(host: PrivateHost, word: str, seconds: float = 10) -> int:
    """The number here of a process on that host whose program or arguments have this word. 0 if none comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name in os.listdir("/proc"):
            if name.isdigit() and runs(host, name, word):
                return int(name)
        time.sleep(0.001)
    return 0


def runs(host: PrivateHost, name: str, word: str) -> bool:
    try:
        words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        ours = os.stat(f"/proc/{name}/ns/pid").st_ino == os.stat(f"/proc/{host.pid}/ns/pid").st_ino
    except OSError:
        return False
    return ours and (os.path.basename(words[0]) == word.encode() or word.encode() in words)


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
        time.sleep(0.005)
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("part", range(12 if LONG else 4))
@pytest.mark.parametrize("rm", ["--rm", "--rm=false"])
def test_the_exit_command_killed_in_flight(host: PrivateHost, part: int, rm: str) -> None:
    before = host.world()
    host.ok("run", "-d", rm, "--name", "c", "-p", "18081:80", "--cgroup-parent", host.group, host.image, "sleep", "99")
    inner = host.ok("inspect", "--format", "{{.State.Pid}}", "c")
    with subprocess.Popen(host.inside("kill", "-KILL", inner)):
        pid = outer(host, "cleanup")
    assert pid, "conmon started no exit command"
    time.sleep(part * (0.025 if LONG else 0.06))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if rm == "--rm":
        assert gone(pid)
        assert "c" not in host.ok("ps", "-a", "--format", "{{.Names}}").split()
    else:
        assert host.ok("wait", "c") == "137"
        assert host.ok("ps", "-a", "--format", "{{.Names}} {{.State}}") == "c exited"
        host.ok("rm", "c")
    host.ok("run", "--rm", "--name", "c", "-p", "18081:80", host.image, "true")
    assert difference(before, host.world()) == {}


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_the_monitor_killed(host: PrivateHost, network: str) -> None:
    """The container goes on or ends; either way it is told truly, can be stopped and removed, and leaves nothing."""
    before = host.world()
    host.ok(
        "run", "-d", "--name", "c", f"--network={network}", "--cgroup-parent", host.group, host.image, "sleep", "99"
    )
    os.kill(outer(host, "conmon"), signal.SIGKILL)
    state = host.ok("inspect", "--format", "{{.State.Status}}", "c")
    assert state in ("running", "exited", "stopped")
    host.ok("stop", "-t", "0", "c")
    assert host.ok("ps", "-a", "--format", "{{.State}}") == "exited"
    assert host("start", "c").code == 0
    host.ok("rm", "-f", "-t", "0", "c")
    assert difference(before, host.world()) == {}


@pytest.mark.parametrize("part", range(8 if LONG else 2))
def test_netavark_killed_in_the_midst(host: PrivateHost, part: int) -> None:
    """The command says so and takes back what there was; what was there before goes on, and the next one works."""
    host.ok("network", "create", "--ignore", "named")
    before = host.world()
    where = ["--network", "named", "--cgroup-parent", host.group]
    host.ok("run", "-d", "--name", "c", *where, host.image, "sleep", "99")
    started = host.begin("run", "-d", "--name", "d", "-p", "18083:80", *where, host.image, "sleep", "98")
    pid = outer(host, "setup")
    time.sleep(part * (0.015 if LONG else 0.04))
    if pid:
        kill(pid)
    out, err = started.communicate(timeout=60)
    if started.returncode:  # else it had ended before it was hit
        assert started.returncode == 126, (out, err)
        assert b"netavark" in err
    host("rm", "-f", "-t", "0", "d")
    assert host("network", "reconcile", "--check").code == 0
    host.ok("run", "--rm", "-p", "18083:80", *where, host.image, "true")
    assert host.ok("ps", "--format", "{{.Names}} {{.State}}") == "c running"
    host.ok("rm", "-f", "-t", "0", "c")
    assert difference(before, host.world()) == {}


def test_the_monitor_and_its_container_killed(host: PrivateHost) -> None:
    before = host.world()
    host.ok("run", "-d", "--name", "c", "-p", "18082:80", "--cgroup-parent", host.group, host.image, "sleep", "98")
    container = int(host.ok("inspect", "--format", "{{.State.Pid}}", "c"))
    os.kill(outer(host, "conmon"), signal.SIGKILL)
    host.program(host.inside("kill", "-9", str(container)))
    time.sleep(0.1)
    assert host.ok("ps", "-a", "--format", "{{.State}}") == "exited"
    assert host("wait", "c").code == 0
    host.ok("run", "-d", "--name", "d", "-p", "18082:80", host.image, "true")
    host.ok("wait", "d")
    host.ok("rm", "c", "d")
    assert difference(before, host.world()) == {}


def test_the_container_killed_from_outside(host: PrivateHost) -> None:
    before = host.world()
    host.ok("run", "-d", "--name", "c", "--cgroup-parent", host.group, host.image, "sleep", "97")
    container = host.ok("inspect", "--format", "{{.State.Pid}}", "c")
    host.program(host.inside("kill", "-9", container))
    assert host.ok("wait", "c") == "137"
    host.ok("rm", "c")
    assert difference(before, host.world()) == {}
