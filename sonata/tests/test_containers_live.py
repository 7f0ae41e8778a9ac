"""Real containers: conmon with crun and with runc, a busybox root, no engine."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import termios
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sonata.host import cgroups, commands, process
from sonata.monitor import exits, logs
from sonata.monitor.attach import AttachEnd, Attachment, Streams
from sonata.monitor.exec import ExecSession, prepare_folder
from sonata.monitor.launch import LaunchedPid, LaunchRefused, MonitorSpec, launch
from sonata.monitor.terminal import parse_detach_keys
from sonata_core.context import PluginContext
from sonata_core.errors import CommandFailed, Conflict, NotFound
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.runtime import (
    ContainerRef,
    FailureKind,
    LaunchRequest,
    LaunchVerb,
    RuntimeStatus,
)
from sonata_core.sdk.oci_cli import OciCliRuntime
from sonata_runtime_crun.plugin import CrunRuntime
from sonata_runtime_runc.plugin import RuncRuntime

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
GROUP = "/sonata_test"

APPLETS = ("sh", "true", "false", "cat", "echo", "sleep", "stty", "head", "wc", "id", "kill", "yes", "seq", "ls")


class QuietLog:
    """A log that keeps nothing."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def facts(**changes: Any) -> HostFacts:
    base = HostFacts(uid=0, gid=0, rootless=False, kernel="6", machine="x86_64", boot_id="b", cgroup_version=1)
    return base.replace(**changes)


def context(tmp: str, **changes: Any) -> PluginContext:
    host = changes.pop("facts", None) or facts()
    given: dict[str, Any] = {
        "name": "test",
        "root": f"{tmp}/plugin-root",
        "run": f"{tmp}/plugin-run",
        "cache": f"{tmp}/plugin-cache",
        "config": {},
        "facts": host,
        "run_command": commands.run,
        "find_program": lambda name: commands.find_program(name, host),
        "log": QuietLog(),
    }
    return PluginContext(**{**given, **changes})


def make_spec(args: list[str], **process: Any) -> dict[str, Any]:
    kinds = ("pid", "ipc", "uts", "mount", "network")
    caps = ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID"]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": False},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            **process,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666"],
            },
        ],
        "linux": {"namespaces": [{"type": kind} for kind in kinds], "cgroupsPath": "", "resources": {}},
    }


class Bundle:
    """One container's folders, and what the monitor needs to know of it."""

    def __init__(self, base: str, args: list[str], **process: Any) -> None:
        self.id = uuid.uuid4().hex * 2
        self.base = f"{base}/{self.id[:12]}"
        self.bundle, self.run_dir = f"{self.base}/bundle", f"{self.base}/run"
        for folder in ("bundle/rootfs/bin", "bundle/rootfs/proc", "bundle/rootfs/dev", "run", "exits", "persist"):
            os.makedirs(f"{self.base}/{folder}")
        shutil.copy("/usr/bin/busybox", f"{self.bundle}/rootfs/bin/busybox")
        for name in APPLETS:
            os.symlink("busybox", f"{self.bundle}/rootfs/bin/{name}")
        self.spec = make_spec(args, **process)
        self.spec["linux"]["cgroupsPath"] = f"{GROUP}/{self.id[:12]}"
        self.terminal = bool(process.get("terminal"))

    @property
    def ref(self) -> ContainerRef:
        return ContainerRef(id=ContainerId(self.id), bundle=self.bundle, run_dir=self.run_dir)

    def write(self) -> None:
        with open(f"{self.bundle}/config.json", "w", encoding="utf-8") as file:
            json.dump(self.spec, file)

    def monitor(self, **changes: Any) -> MonitorSpec:
        given: dict[str, Any] = {
            "conmon": shutil.which("conmon"),
            "id": self.id,
            "uid": self.id,
            "name": "test",
            "bundle": self.bundle,
            "pid_file": f"{self.run_dir}/pidfile",
            "conmon_pid_file": f"{self.run_dir}/conmon.pid",
            "runtime_log": f"{self.run_dir}/oci-log",
            "exit_dir": f"{self.base}/exits",
            "persist_dir": f"{self.base}/persist",
            "log_path": f"{self.bundle}/ctr.log",
            "terminal": self.terminal,
            "env": {"PATH": os.environ["PATH"]},
        }
        return MonitorSpec(**{**given, **changes})

    def request(self, verb: LaunchVerb = LaunchVerb.CREATE, **changes: Any) -> LaunchRequest:
        given: dict[str, Any] = {"verb": verb, "ref": self.ref, "log_path": f"{self.run_dir}/oci-log"}
        return LaunchRequest(**{**given, **changes})


@pytest.fixture(params=["crun", "runc"])
def runtime(request: pytest.FixtureRequest, tmp_path: Any) -> OciCliRuntime:
    if not shutil.which(request.param):
        pytest.skip(f"needs {request.param}")
    kinds: dict[str, type[OciCliRuntime]] = {"crun": CrunRuntime, "runc": RuncRuntime}
    return kinds[request.param](context(str(tmp_path)))


class Host:
    """Makes containers and takes all of them away at the end."""

    def __init__(self, runtime: OciCliRuntime, base: str) -> None:
        self.runtime = runtime
        self.base = base
        self.made: list[Bundle] = []

    def bundle(self, args: list[str], **given: Any) -> Bundle:
        made = Bundle(self.base, args, **given)
        self.made.append(made)
        return made

    def create(self, bundle: Bundle, **monitor: Any) -> LaunchedPid | LaunchRefused:
        bundle.write()
        how = self.runtime.runtime_launch(request=bundle.request())
        return launch(bundle.monitor(**monitor), how, lambda pid: None)

    def created(
        self, args: list[str], given: dict[str, Any] | None = None, **monitor: Any
    ) -> tuple[Bundle, LaunchedPid]:
        bundle = self.bundle(args, **(given or {}))
        result = self.create(bundle, **monitor)
        assert isinstance(result, LaunchedPid), result
        return bundle, result

    def started(
        self, args: list[str], given: dict[str, Any] | None = None, **monitor: Any
    ) -> tuple[Bundle, LaunchedPid]:
        bundle, pids = self.created(args, given, **monitor)
        self.runtime.runtime_start(ref=bundle.ref)
        return bundle, pids

    def code(self, bundle: Bundle, pids: LaunchedPid) -> int:
        assert process.wait_gone(pids.conmon_pid, 0, 10)
        record = exits.await_exit(f"{bundle.base}/exits", bundle.id, f"{bundle.base}/persist")
        assert record is not None
        return record.code


@pytest.fixture
def host(runtime: OciCliRuntime, tmp_path: Any) -> Iterator[Host]:
    made = Host(runtime, str(tmp_path))
    yield made
    for bundle in made.made:
        runtime.runtime_delete(ref=bundle.ref, force=True)
        cgroups.remove(f"{GROUP}/{bundle.id[:12]}")


def text_of(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 24, 0)


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


class Typist:
    """A terminal of ours: types, and reads what is shown."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        os.set_blocking(self.ours, False)
        self.seen = b""

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes, seconds: float = 5) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, (text, self.seen)
            try:
                self.seen += os.read(self.ours, 4096)
            except BlockingIOError:
                time.sleep(0.005)

    def type(self, text: bytes) -> None:
        os.write(self.ours, text)

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


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


def test_timeout_and_exit_command(host: Host, tmp_path: Any) -> None:
    bundle, pids = host.started(
        ["sleep", "60"], timeout=1, exit_command=("/bin/sh", "-c", f"echo $0 > {tmp_path}/done", "--odd")
    )
    assert host.code(bundle, pids) == exits.TIMED_OUT
    assert (tmp_path / "done").read_text() == "--odd\n"


def open_session(host: Host, bundle: Bundle, args: list[str], **given: Any) -> ExecSession:
    uid = uuid.uuid4().hex * 2
    folder = prepare_folder(bundle.bundle, uid, bundle.id)
    stdin_open = given.pop("stdin_open", False)
    spec = bundle.monitor(
        uid=uid,
        bundle=folder,
        pid_file=f"{folder}/exec_pid",
        conmon_pid_file="",
        runtime_log=f"{folder}/oci-log",
        exit_dir=f"{folder}/exit",
        persist_dir=f"{folder}/persist/{bundle.id}",
        log_driver="none",
        terminal=given.get("terminal", False),
        stdin_open=stdin_open,
    )
    how = host.runtime.runtime_launch(request=bundle.request(LaunchVerb.EXEC, log_path=f"{folder}/oci-log"))
    return ExecSession(spec, how, make_spec(args, **given)["process"])


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
