"""Real containers: conmon with crun and with runc, a busybox root, no engine."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import termios
import threading
import time
from typing import Any

import pytest

from sonata.host import cgroups, process
from sonata.monitor import exits, logs
from sonata.monitor.attach import AttachEnd, Attachment, Streams
from sonata.monitor.launch import LaunchedPid, LaunchRefused, launch
from sonata.monitor.terminal import parse_detach_keys
from sonata_core.errors import CommandFailed, Conflict, NotFound
from sonata_core.models.runtime import (
    FailureKind,
    LaunchVerb,
    RuntimeStatus,
)

sys.path.insert(0, os.path.dirname(__file__))
from container_world import GROUP, Host, Typist, host, open_session, runtime, text_of

__all__ = ["host", "runtime"]
pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]


def test_create_start_exit_delete(host: Host) -> None:
    bundle, pids = host.created(["sh", "-c", "echo hello; exit 3"])
    state = host.runtime.runtime_state(ref=bundle.ref)
    assert (state.status, state.pid) == (RuntimeStatus.CREATED, pids.pid)
    host.runtime.runtime_start(ref=bundle.ref)
    assert host.code(bundle, pids) == 3
    found = list(logs.read(f"{bundle.bundle}/ctr.log", logs.LogOptions()))
    assert [(record.stream, record.text) for record in found] == [("stdout", b"hello\n")]
    assert host.runtime.runtime_state(ref=bundle.ref).status is RuntimeStatus.STOPPED
    host.runtime.runtime_delete(ref=bundle.ref, force=False)
    host.runtime.runtime_delete(ref=bundle.ref, force=True)
    host.runtime.runtime_delete(ref=bundle.ref, force=False)
    assert host.runtime.runtime_state(ref=bundle.ref).status is RuntimeStatus.ABSENT
    assert not os.path.exists(f"{bundle.base}/oom")


def test_the_monitor_stays_in_the_bundle_and_in_its_cgroup(host: Host) -> None:
    bundle = host.bundle(["sleep", "60"])
    bundle.write()
    how = host.runtime.runtime_launch(request=bundle.request())
    pids = launch(bundle.monitor(), how, lambda pid: assert_moved(cgroups.move(pid, f"{GROUP}/conmon")))
    assert isinstance(pids, LaunchedPid)
    assert os.readlink(f"/proc/{pids.conmon_pid}/cwd") == bundle.bundle
    assert pids.conmon_pid in cgroups.processes(f"{GROUP}/conmon")
    assert pids.pid in cgroups.processes(f"{GROUP}/{bundle.id[:12]}")
    assert os.getpgid(pids.conmon_pid) != os.getpgid(0)
    host.runtime.runtime_kill(ref=bundle.ref, signal=9, everyone=False)
    assert host.code(bundle, pids) == 137
    cgroups.remove(f"{GROUP}/conmon")


def assert_moved(troubles: tuple[str, ...]) -> None:
    assert troubles == ()


@pytest.mark.parametrize("size", [0, 1, 100_000, 10_000_000])
def test_binary_through_attach(host: Host, size: int, tmp_path: Any) -> None:
    bundle, pids = host.created(["cat"], stdin_open=True)
    data = os.urandom(size)
    (tmp_path / "in").write_bytes(data)
    source, target = os.open(tmp_path / "in", os.O_RDONLY), os.memfd_create("out")
    with Attachment(bundle.bundle) as attachment:
        host.runtime.runtime_start(ref=bundle.ref)
        assert attachment.copy(Streams(stdin=source, stdout=target, stderr=-1)) is AttachEnd.EOF
    assert text_of(target) == data
    assert host.code(bundle, pids) == 0
    os.close(source)
    os.close(target)


def test_streams_are_kept_apart(host: Host) -> None:
    bundle, pids = host.created(["sh", "-c", "echo out; echo err >&2"])
    out, err = os.memfd_create("out"), os.memfd_create("err")
    with Attachment(bundle.bundle) as attachment:
        host.runtime.runtime_start(ref=bundle.ref)
        attachment.copy(Streams(stdin=-1, stdout=out, stderr=err))
    assert (text_of(out), text_of(err)) == (b"out\n", b"err\n")
    assert host.code(bundle, pids) == 0
    os.close(out)
    os.close(err)


def test_closed_output_ends_the_copy(host: Host) -> None:
    bundle, _ = host.created(["yes"])
    reader, writer = os.pipe()
    os.close(reader)
    with Attachment(bundle.bundle) as attachment:
        host.runtime.runtime_start(ref=bundle.ref)
        assert attachment.copy(Streams(stdin=-1, stdout=writer)) is AttachEnd.OUTPUT_CLOSED
    os.close(writer)


def test_terminal_size_echo_and_detach(host: Host) -> None:
    bundle, _ = host.created(["sh"], {"terminal": True}, stdin_open=True)
    typist = Typist()
    typist.size(33, 101)
    before = termios.tcgetattr(typist.theirs)
    troubles: list[BaseException] = []

    def use() -> None:
        try:
            typist.type(b"stty size\n")
            typist.until(b"33 101")
            typist.size(44, 55)
            os.kill(os.getpid(), signal.SIGWINCH)
            time.sleep(0.2)
            typist.type(b"stty size\n")
            typist.until(b"44 55")
        except BaseException as trouble:
            troubles.append(trouble)
        typist.type(b"\x10")
        time.sleep(0.05)
        typist.type(b"\x11")

    streams = Streams(
        stdin=typist.theirs,
        stdout=typist.theirs,
        stderr=-1,
        terminal=True,
        detach_keys=parse_detach_keys("ctrl-p,ctrl-q"),
    )
    with Attachment(bundle.bundle) as attachment:
        host.runtime.runtime_start(ref=bundle.ref)
        thread = threading.Thread(target=use)
        thread.start()
        end = attachment.copy(streams)
        thread.join()
    assert not troubles, troubles
    assert end is AttachEnd.DETACHED
    assert termios.tcgetattr(typist.theirs) == before
    assert host.runtime.runtime_state(ref=bundle.ref).status is RuntimeStatus.RUNNING
    typist.close()


def test_signals_are_forwarded(host: Host) -> None:
    bundle, pids = host.created(["sh", "-c", "trap 'echo got; exit 9' TERM; while :; do sleep 0.05; done"])
    out = os.memfd_create("out")
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    streams = Streams(
        stdin=-1,
        stdout=out,
        signals=(signal.SIGTERM,),
        forward=lambda number: host.runtime.runtime_kill(ref=bundle.ref, signal=number, everyone=False),
    )
    with Attachment(bundle.bundle) as attachment:
        host.runtime.runtime_start(ref=bundle.ref)
        timer.start()
        assert attachment.copy(streams) is AttachEnd.EOF
    assert host.code(bundle, pids) == 9
    assert text_of(out) == b"got\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    os.close(out)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("args", "kind"),
    [(["nosuch"], FailureKind.NOT_FOUND), (["/no/such"], FailureKind.NOT_FOUND), (["/proc"], FailureKind.DENIED)],
)
def test_a_command_that_cannot_run(host: Host, args: list[str], kind: FailureKind, terminal: bool) -> None:
    bundle = host.bundle(args, terminal=terminal)
    with open(f"{bundle.run_dir}/oci-log", "w", encoding="ascii") as stale:
        stale.write('{"level":"error","msg":"a lie from before"}\n')
    result = host.create(bundle)
    assert isinstance(result, LaunchRefused)
    failure = host.runtime.runtime_explain(verb=LaunchVerb.CREATE, log_lines=result.log_lines, message=result.message)
    assert failure.kind is kind
    assert "a lie" not in failure.text
    assert failure.text.startswith(f"{host.runtime.program_name}: ")


def test_conmons_own_refusal_is_told(host: Host) -> None:
    bundle = host.bundle(["true"])
    with pytest.raises(CommandFailed, match=r"conmon failed: exit status 1.*No such log driver"):
        host.create(bundle, log_driver="nonsense:/x")


def test_a_monitor_that_cannot_be_placed_never_goes(host: Host) -> None:
    bundle = host.bundle(["sleep", "60"])
    bundle.write()
    seen: list[int] = []

    def refuse(pid: int) -> None:
        seen.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(bundle.monitor(), host.runtime.runtime_launch(request=bundle.request()), refuse)
    assert not process.alive(seen[0], 0)
    time.sleep(0.2)
    assert host.runtime.runtime_state(ref=bundle.ref).status is RuntimeStatus.ABSENT


def test_the_hosts_null_device_stays_the_hosts(host: Host) -> None:
    bundle = host.bundle(["sh", "-c", "id -u"])
    bundle.spec["linux"]["namespaces"].append({"type": "user"})
    bundle.spec["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.spec["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    folder = bundle.base
    while folder not in ("/tmp", "/"):
        os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)
    for path, folders, files in os.walk(bundle.base):
        for name in (*folders, *files):
            os.lchown(f"{path}/{name}", 100000, 100000)
    pids = host.create(bundle)
    assert isinstance(pids, LaunchedPid), pids
    status = os.stat("/dev/null")
    assert (status.st_uid, status.st_gid) == (0, 0)
    host.runtime.runtime_start(ref=bundle.ref)
    assert host.code(bundle, pids) == 0
    assert [record.text for record in logs.read(f"{bundle.bundle}/ctr.log", logs.LogOptions())] == [b"0\n"]


def test_phases(host: Host) -> None:
    bundle, pids = host.started(["sleep", "60"])
    runtime, ref = host.runtime, bundle.ref
    with pytest.raises(Conflict):
        runtime.runtime_start(ref=ref)
    with pytest.raises(Conflict):
        runtime.runtime_delete(ref=ref, force=False)
    with pytest.raises(Conflict, match="is not paused"):
        runtime.runtime_resume(ref=ref)
    runtime.runtime_pause(ref=ref)
    assert cgroups.frozen(f"{GROUP}/{bundle.id[:12]}")
    with pytest.raises(Conflict, match="is not running"):
        runtime.runtime_pause(ref=ref)
    runtime.runtime_resume(ref=ref)
    runtime.runtime_update(ref=ref, resources={"pids": {"limit": 77}})
    assert cgroups.usage(f"{GROUP}/{bundle.id[:12]}").pids_limit == 77
    runtime.runtime_kill(ref=ref, signal=15, everyone=True)
    runtime.runtime_kill(ref=ref, signal=9, everyone=False)
    assert host.code(bundle, pids) == 137
    with pytest.raises(Conflict, match="has exited"):
        runtime.runtime_kill(ref=ref, signal=9, everyone=False)
    runtime.runtime_delete(ref=ref, force=True)
    with pytest.raises(NotFound):
        runtime.runtime_kill(ref=ref, signal=9, everyone=False)
    with pytest.raises(NotFound):
        runtime.runtime_start(ref=ref)


def test_nothing_of_ours_is_inherited(host: Host) -> None:
    secret = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(secret, False)
    bundle, pids = host.created(["sh", "-c", "echo $(ls /proc/self/fd 2>/dev/null || echo /proc/self/fd/*)"])
    host.runtime.runtime_start(ref=bundle.ref)
    host.code(bundle, pids)
    (line,) = logs.read(f"{bundle.bundle}/ctr.log", logs.LogOptions())
    numbers = {int(word.rsplit(b"/", 1)[-1]) for word in line.text.split()}
    assert numbers <= {0, 1, 2, 3}, line  # 3 is the folder being listed
    os.close(secret)


def test_preserved_and_kept_descriptors(host: Host) -> None:
    given = os.memfd_create("given")
    os.write(given, b"from outside")
    os.lseek(given, 0, os.SEEK_SET)
    reader, writer = os.pipe()
    bundle = host.bundle(["sh", "-c", "cat <&3"])
    bundle.write()
    how = host.runtime.runtime_launch(request=bundle.request(preserve_fds=1))
    pids = launch(bundle.monitor(preserve_fds=(given,), keep_fds=(writer,)), how)
    assert isinstance(pids, LaunchedPid)
    os.close(writer)
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 1)
    host.runtime.runtime_start(ref=bundle.ref)
    assert host.code(bundle, pids) == 0
    assert os.read(reader, 1) == b""
    (line,) = logs.read(f"{bundle.bundle}/ctr.log", logs.LogOptions())
    assert line.text == b"from outside"
    os.close(reader)
    os.close(given)


def test_wait_for_the_end_outlasts_the_streams(host: Host) -> None:
    bundle, pids = host.started(
        ["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"], exit_command=("/bin/sleep", "1"), log_driver="none"
    )
    monitor = process.open_process(pids.conmon_pid, 0)
    assert monitor is not None
    start = time.monotonic()
    record = exits.wait_exit(f"{bundle.base}/exits", bundle.id, monitor)
    assert 0.2 < time.monotonic() - start < 1
    assert record is not None
    assert record.code == 4
    os.close(monitor)


def test_wait_ends_with_a_killed_monitor(host: Host) -> None:
    bundle, pids = host.started(["sleep", "60"])
    monitor = process.open_process(pids.conmon_pid, 0)
    assert monitor is not None
    threading.Timer(0.2, os.kill, (pids.conmon_pid, signal.SIGKILL)).start()
    assert exits.wait_exit(f"{bundle.base}/exits", bundle.id, monitor) is None
    os.close(monitor)


def test_a_full_or_unblocking_output_loses_nothing(host: Host) -> None:
    bundle, _ = host.created(["sh", "-c", "seq 1 60000"])
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    seen: list[bytes] = []

    def drain() -> None:
        while data := os.read(reader, 3000):
            seen.append(data)
            time.sleep(0.0005)

    thread = threading.Thread(target=drain)
    thread.start()
    with Attachment(bundle.bundle) as attachment:
        host.runtime.runtime_start(ref=bundle.ref)
        assert attachment.copy(Streams(stdin=-1, stdout=writer)) is AttachEnd.EOF
    os.close(writer)
    thread.join()
    os.close(reader)
    assert b"".join(seen) == b"".join(b"%d\n" % number for number in range(1, 60001))


def test_timeout_and_exit_command(host: Host, tmp_path: Any) -> None:
    bundle, pids = host.started(
        ["sleep", "60"], timeout=1, exit_command=("/bin/sh", "-c", f"echo $0 > {tmp_path}/done", "--odd")
    )
    assert host.code(bundle, pids) == exits.TIMED_OUT
    assert (tmp_path / "done").read_text() == "--odd\n"


def test_exec(host: Host) -> None:
    bundle, _ = host.started(["sleep", "60"])
    with open_session(host, bundle, ["sh", "-c", "echo out; echo err >&2; exit 7"]) as session:
        out, err = os.memfd_create("out"), os.memfd_create("err")
        attachment = session.attach()
        assert isinstance(session.start(), int)
        attachment.copy(Streams(stdin=-1, stdout=out, stderr=err))
        assert session.wait(10) == 7
        assert (text_of(out), text_of(err)) == (b"out\n", b"err\n")
        os.close(out)
        os.close(err)


def test_exec_binary_both_ways(host: Host) -> None:
    bundle, _ = host.started(["sleep", "60"])
    data = os.urandom(300_000)
    source, target = os.memfd_create("in"), os.memfd_create("out")
    os.write(source, data)
    os.lseek(source, 0, os.SEEK_SET)
    with open_session(host, bundle, ["cat"], stdin_open=True) as session:
        attachment = session.attach()
        session.start()
        attachment.copy(Streams(stdin=source, stdout=target))
        assert session.wait(10) == 0
    assert text_of(target) == data
    os.close(source)
    os.close(target)


def test_exec_of_nothing_and_in_a_stopped_container(host: Host) -> None:
    bundle, pids = host.started(["sleep", "60"])
    with open_session(host, bundle, ["nosuch"]) as session:
        session.attach()
        refused = session.start()
        assert isinstance(refused, LaunchRefused)
        failure = host.runtime.runtime_explain(
            verb=LaunchVerb.EXEC, log_lines=refused.log_lines, message=refused.message
        )
        assert failure.kind is FailureKind.NOT_FOUND
    host.runtime.runtime_kill(ref=bundle.ref, signal=9, everyone=False)
    host.code(bundle, pids)
    with open_session(host, bundle, ["true"]) as session:
        assert isinstance(session.start(), LaunchRefused)


def test_out_of_memory_is_noticed(host: Host) -> None:
    bundle = host.bundle(["sh", "-c", "x=x; while :; do x=$x$x; done"])
    bundle.spec["linux"]["resources"] = {"memory": {"limit": 16 << 20, "swap": 16 << 20}}
    pids = host.create(bundle)
    assert isinstance(pids, LaunchedPid)
    host.runtime.runtime_start(ref=bundle.ref)
    assert host.code(bundle, pids) == 137
    record = exits.read_exit(f"{bundle.base}/exits", bundle.id, f"{bundle.base}/persist")
    assert record is not None
    assert record.oom_killed


def test_the_time_of_a_container(host: Host) -> None:
    """Prints what conmon and the runtime take; fails only far beyond what a loaded machine explains."""
    took: dict[str, float] = {}

    def timed(what: str, since: float) -> float:
        now = time.perf_counter()
        took[what] = min(took.get(what, 1e9), (now - since) * 1000)
        return now

    for _ in range(5):
        start = time.perf_counter()
        bundle, pids = host.created(["true"])
        start = timed("create", start)
        host.runtime.runtime_start(ref=bundle.ref)
        start = timed("start", start)
        host.code(bundle, pids)
        start = timed("exit", start)
        host.runtime.runtime_delete(ref=bundle.ref, force=True)
        timed("delete", start)
    print(host.runtime.program_name, {what: round(value, 1) for what, value in took.items()})
    assert sum(took.values()) < 1000
