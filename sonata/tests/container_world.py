"""What the tests with real containers share: a busybox bundle, a runtime's plugin, a monitored container."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shutil
import struct
import termios
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from sonata.host import cgroups, commands, process
from sonata.monitor import exits
from sonata.monitor.exec import ExecSession, prepare_folder
from sonata.monitor.launch import LaunchedPid, LaunchRefused, MonitorSpec, launch
from sonata_core.context import PluginContext
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.runtime import (
    ContainerRef,
    LaunchRequest,
    LaunchVerb,
)
from sonata_core.sdk.oci_cli import OciCliRuntime
from sonata_runtime_crun.plugin import CrunRuntime
from sonata_runtime_runc.plugin import RuncRuntime

GROUP = f"/sonata_test_{os.getpid()}"

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
    cgroups.remove(GROUP)


def text_of(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 24, 0)


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
