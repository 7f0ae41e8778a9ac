"""Running programs, knowing processes, control groups, facts, ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sonata.host import cgroups, commands, facts, ports, process, rlimits, rootless
from sonata_core.errors import CommandFailed, Conflict, TimedOut, Unsupported
from sonata_core.models.net import PortMapping
from sonata_core.models.process import Command


def sh(text: str, **given: Any) -> Command:
    return Command(argv=("/bin/sh", "-c", text), **given)


def test_output_and_code() -> None:
    result = commands.run(sh("echo out; echo err >&2; exit 5"))
    assert (result.code, result.stdout, result.stderr) == (5, b"out\n", b"err\n")
    assert commands.run(sh("kill -9 $$")).code == -9


def test_no_deadlock_with_much_in_and_much_out() -> None:
    data = os.urandom(4_000_000)
    result = commands.run(sh("tee /dev/stderr", input=data))
    assert result.stdout == data
    assert result.stderr == data


def test_input_that_is_not_read() -> None:
    assert commands.run(sh("exit 3", input=b"x" * 1_000_000)).code == 3


def test_a_background_child_does_not_hold_us() -> None:
    start = time.monotonic()
    assert commands.run(sh("sleep 20 & echo $!")).code == 0
    assert time.monotonic() - start < 5


def test_timeout_kills() -> None:
    with pytest.raises(TimedOut, match=r"within 0\.1 seconds"):
        commands.run(Command(argv=("/bin/sleep", "20"), timeout=0.1))


@pytest.mark.parametrize("cwd", [None, "/"])
def test_a_program_that_is_not_there(cwd: str | None) -> None:
    with pytest.raises(CommandFailed, match="/no/such cannot be started: No such file or directory"):
        commands.run(Command(argv=("/no/such",), cwd=cwd))


def test_folder_and_environment() -> None:
    here = os.getcwd()
    assert commands.run(sh("pwd; env", cwd="/usr", env={"A": "1"})).stdout.startswith(b"/usr\n")
    assert os.getcwd() == here
    inherited = commands.run(Command(argv=("/usr/bin/env",))).stdout.decode().splitlines()
    assert {line.split("=")[0] for line in inherited} <= {"PATH", "XDG_RUNTIME_DIR"}
    with pytest.raises(CommandFailed, match="/no/such"):
        commands.run(sh("true", cwd="/no/such"))


def test_folder_while_other_threads_run() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        test_folder_and_environment()
    finally:
        stop.set()
        thread.join()


def test_only_what_is_passed_is_inherited() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(reader, False)
    result = commands.run(sh(f"ls /proc/self/fd; echo hi >/proc/self/fd/{writer}", pass_fds=(writer,)))
    os.close(writer)
    assert os.read(reader, 10) == b"hi\n"
    assert str(reader).encode() not in result.stdout.split()
    os.close(reader)


def test_descriptors_are_all_closed_again() -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        commands.run(sh("true", input=b"x", cwd="/"))
        with pytest.raises(CommandFailed):
            commands.run(Command(argv=("/no/such",)))
    assert os.listdir("/proc/self/fd") == before


def test_sigpipe_is_given_back() -> None:
    assert commands.run(sh("yes | head -1; kill -PIPE $$")).code == -signal.SIGPIPE


def test_process_identity() -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    started = process.start_time(child.pid)
    assert started > 0
    assert process.alive(child.pid, started)
    assert not process.alive(child.pid, started + 1)
    assert process.open_process(child.pid, started + 1) is None
    assert not process.send(child.pid, started + 1, signal.SIGKILL)
    assert not process.wait_gone(child.pid, started, 0.01)
    assert process.send(child.pid, started, signal.SIGKILL)
    assert process.wait_gone(child.pid, started, 5)
    assert not process.alive(child.pid, started), "a zombie is not alive"
    child.wait()
    assert not process.alive(child.pid, 0)
    assert process.start_time(child.pid) == 0
    assert not process.alive(0, 0)


def fake_v1(root: Any, unified: str = "") -> str:
    for name in ("memory", "pids", "cpuset", "cpu,cpuacct", "systemd", "unified", "freezer"):
        (root / name).mkdir()
    (root / "cpu").symlink_to("cpu,cpuacct")
    (root / "cpuset" / "cpuset.cpus").write_text("0-1")
    (root / "cpuset" / "cpuset.mems").write_text("0")
    (root / "unified" / "cgroup.controllers").write_text(unified)
    return str(root)


def test_cgroup_versions(tmp_path: Any) -> None:
    (tmp_path / "none").mkdir()
    assert cgroups.detect(str(tmp_path / "none")) == (0, False, ())
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "cgroup.controllers").write_text("cpu memory\n")
    assert cgroups.detect(str(tmp_path / "two")) == (2, False, ("cpu", "memory"))
    (tmp_path / "one").mkdir()
    names = ("cpu", "cpuacct", "cpuset", "freezer", "memory", "pids")
    assert cgroups.detect(fake_v1(tmp_path / "one")) == (1, False, names)
    (tmp_path / "hybrid").mkdir()
    assert cgroups.detect(fake_v1(tmp_path / "hybrid", "misc\n"))[:2] == (1, True)


def test_cgroup_trees(tmp_path: Any) -> None:
    root = fake_v1(tmp_path)
    (tmp_path / "cpuset" / "p").mkdir()
    (tmp_path / "cpuset" / "p" / "cpuset.cpus").write_text("1")
    (tmp_path / "cpuset" / "p" / "cpuset.mems").write_text("0")
    assert len(cgroups.trees(root)) == 7
    (tmp_path / "memory" / "q" / "r").mkdir(parents=True)
    assert cgroups.exists("/q/r", root)
    cgroups.remove("/q", root)
    cgroups.remove("/q", root)
    assert not cgroups.exists("/q", root)


def test_cgroup_busy(tmp_path: Any) -> None:
    root = fake_v1(tmp_path)
    (tmp_path / "memory" / "q").mkdir()
    (tmp_path / "memory" / "q" / "cgroup.procs").write_text("7\n5\n")
    assert cgroups.processes("/q", root) == (5, 7)
    with pytest.raises(Conflict, match="still has processes") as caught:
        cgroups.remove("/q", root, patience=0.02)
    assert caught.value.details["processes"] == (5, 7)


def test_cgroup_of_version_2_may_control(tmp_path: Any) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu pids")
    (tmp_path / "cgroup.subtree_control").write_text("cpu")
    cgroups.create("/g", str(tmp_path))
    assert (tmp_path / "g").is_dir()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids"


def test_cgroup_usage_of_version_2(tmp_path: Any) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu")
    group = tmp_path / "g"
    group.mkdir()
    for name, text in {
        "cpu.stat": "usage_usec 5\nuser_usec 2\nsystem_usec 3\n",
        "memory.current": "4096\n",
        "memory.max": "max\n",
        "pids.current": "2\n",
        "pids.max": "10\n",
        "io.stat": "8:0 rbytes=10 wbytes=20 rios=1\n8:1 rbytes=1 wbytes=2\n",
        "cgroup.events": "populated 1\nfrozen 1\n",
    }.items():
        (group / name).write_text(text)
    used = cgroups.usage("/g", str(tmp_path))
    assert (used.cpu_ns, used.memory, used.memory_limit, used.pids, used.pids_limit) == (5000, 4096, 0, 2, 10)
    assert (used.io_read, used.io_written) == (11, 22)
    assert cgroups.frozen("/g", str(tmp_path))


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_cgroups_of_this_host() -> None:
    if cgroups.detect()[0] == 0:
        pytest.skip("needs cgroups")
    child = subprocess.Popen(["/bin/sleep", "60"])
    cgroups.create("/sonata_unit/a/b")
    assert cgroups.move(child.pid, "/sonata_unit/a/b") == ()
    assert cgroups.processes("/sonata_unit") == (child.pid,)
    assert "/sonata_unit/a/b" in cgroups.of_process(child.pid).values()
    with pytest.raises(Conflict):
        cgroups.remove("/sonata_unit", patience=0.01)
    child.kill()
    child.wait()
    cgroups.remove("/sonata_unit")
    assert not cgroups.exists("/sonata_unit")


def test_facts_of_this_host() -> None:
    found = facts.probe()
    assert found.uid == os.geteuid()
    assert found.rootless == (os.geteuid() != 0)
    assert len(found.boot_id) == 36
    if os.geteuid() == 0:
        assert "CHOWN" in found.capabilities
    assert found.nofile_limit[0] > 0
    assert commands.find_program("sh", found) in ("/bin/sh", "/usr/bin/sh")
    assert commands.find_program("no-such-program", found) is None


def test_ports() -> None:
    port = ports.find_free("tcp", "127.0.0.1", count=2)
    both = PortMapping(host_ip="127.0.0.1", host_port=port, container_port=80, range=2)
    held = ports.hold((both,))
    assert len(held) == 2
    assert not os.get_inheritable(held[0])
    text = f"cannot listen on the TCP port: listen tcp4 127.0.0.1:{port}: bind: address already in use"
    with pytest.raises(Conflict) as caught:
        ports.hold((both,))
    assert str(caught.value) == text
    ports.release(held)
    ports.release(ports.hold((both,)))


def test_ports_of_both_families_and_a_listener() -> None:
    with socket.socket(socket.AF_INET) as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        port = listener.getsockname()[1]
        before = os.listdir("/proc/self/fd")
        free = ports.find_free()
        wanted = (
            PortMapping(host_ip="", host_port=free, container_port=1),
            PortMapping(host_ip="", host_port=port, container_port=2),
        )
        text = f"cannot listen on the TCP port: listen tcp4 :{port}: bind: address already in use"
        with pytest.raises(Conflict) as caught:
            ports.hold(wanted)
        assert str(caught.value) == text
        assert os.listdir("/proc/self/fd") == before
        udp = PortMapping(host_ip="", host_port=port, container_port=2, protocol="udp")
        ports.release(ports.hold((udp,)))


def test_a_port_that_was_just_used() -> None:
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    served, _ = listener.accept()
    served.close()  # the side that closes first keeps the port in TIME_WAIT
    client.close()
    listener.close()
    ports.release(ports.hold((PortMapping(host_ip="127.0.0.1", host_port=port, container_port=80),)))


def test_unknown_protocol() -> None:
    with pytest.raises(Unsupported):
        ports.hold((PortMapping(host_ip="", host_port=1, container_port=1, protocol="dccp"),))


def test_rlimits() -> None:
    ceiling = rlimits.current("RLIMIT_NOFILE")[1]
    assert rlimits.clamp("nofile", 1, ceiling + 5, may_raise=True) == (1, ceiling + 5)
    assert rlimits.clamp("nofile", ceiling + 5, ceiling + 5, may_raise=False) == (ceiling, ceiling)
    assert rlimits.clamp("nofile", 5, -1, may_raise=False) == (5, ceiling)
    with pytest.raises(KeyError):
        rlimits.current("nosuch")


@pytest.mark.needs_userns
def test_a_killed_keeper_of_namespaces_is_none_though_nobody_took_leave_of_it(tmp_path: Path) -> None:
    named = tmp_path / "pause.pid"
    with subprocess.Popen(["unshare", "-U", "sleep", "1000"]) as kept:
        named.write_text(str(kept.pid))
        while Path(f"/proc/{kept.pid}/comm").read_text() != "sleep\n":
            time.sleep(0.005)
        assert rootless.keeper(str(named)) == kept.pid
        os.kill(kept.pid, signal.SIGKILL)
        os.waitid(os.P_PID, kept.pid, os.WEXITED | os.WNOWAIT)
        assert rootless.keeper(str(named)) == 0
