"""A container for the runtimes' suite: a bundle, and `create` and `exec` as a monitor composes and runs them."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any

from sonata_core.models.ids import ContainerId
from sonata_core.models.runtime import ContainerRef, LaunchRequest, LaunchVerb
from sonata_testkit.fixtures import make_busybox_rootfs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_PR_SET_CHILD_SUBREAPER = 36
CGROUP = "/sonata_kit"
_NAMESPACES = ("pid", "ipc", "uts", "mount", "network")
_CAPABILITIES = ("CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID")


class Refused(Exception):
    """`create` or `exec` ended with an error; `lines` are those of the runtime's log, `message` what it printed."""

    def __init__(self, lines: tuple[str, ...], message: str) -> None:
        super().__init__("\n".join((*lines, message)))
        self.lines, self.message = lines, message


class Subreaper:
    """Makes this process the parent of containers' inits, so that it learns their exit codes, as a monitor does."""

    def __enter__(self) -> Self:
        _prctl(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _prctl(0)


class Container:
    """One container's folders and spec. Its output goes to the file `out`."""

    def __init__(self, hook: Any, folder: Path, args: list[str], **process: Any) -> None:
        self.hook = hook
        self.id = ContainerId(uuid.uuid4().hex * 2)
        self.folder = folder / self.id[:12]
        self.bundle = self.folder / "bundle"
        make_busybox_rootfs(self.bundle / "rootfs")
        (self.folder / "run").mkdir()
        self.ref = ContainerRef(id=self.id, bundle=str(self.bundle), run_dir=str(self.folder / "run"))
        self.out = self.folder / "out"
        self.log = self.folder / "log"
        self.group = f"{CGROUP}/{self.id[:12]}"
        self.spec = make_spec(args, self.group, process)
        self.pid = 0

    def request(self, verb: LaunchVerb = LaunchVerb.CREATE, **more: Any) -> LaunchRequest:
        return LaunchRequest(verb=verb, ref=self.ref, log_path=str(self.log), **more)

    def create(self, **more: Any) -> int:
        """Run `create` as the plugin describes it. The pid of the init. Raises Refused."""
        (self.bundle / "config.json").write_text(json.dumps(self.spec))
        launch = self.hook.runtime_launch(request=self.request(**more))
        pidfile = self.folder / "pid"
        argv = [launch.program, *launch.global_args, "create", "--bundle", self.ref.bundle, "--pid-file", str(pidfile)]
        self._run([*argv, *launch.verb_args, self.id], launch.env, self.out)
        self.pid = int(pidfile.read_text())
        return self.pid

    def exec(self, process: dict[str, Any], out: Path, third: Path | None = None, **more: Any) -> int:
        """Run `exec` as the plugin describes it, `third` as its descriptor 3. The new process's pid. Raises Refused."""
        document = self.folder / f"process-{uuid.uuid4().hex[:8]}.json"
        document.write_text(json.dumps({**self.spec["process"], **process}))
        launch = self.hook.runtime_launch(request=self.request(LaunchVerb.EXEC, **more))
        pidfile = self.folder / "exec-pid"
        argv = [launch.program, *launch.global_args, "exec", "--pid-file", str(pidfile), "--process", str(document)]
        self._run([*argv, *launch.verb_args, "--detach", self.id], launch.env, out, third)
        return int(pidfile.read_text())

    def start(self) -> None:
        self.hook.runtime_start(ref=self.ref)

    def state(self) -> tuple[str, int]:
        found = self.hook.runtime_state(ref=self.ref)
        return found.status.value, found.pid

    def wait(self, pid: int = 0, seconds: float = 15.0) -> int:
        """The exit code of the init, or of another process of the container; minus the signal that ended it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid or self.pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        raise AssertionError("the container's process did not end in time")

    def output(self, wanted: str = "", seconds: float = 10.0) -> str:
        """What was printed, once `wanted` is in it."""
        text = ""
        eventually(lambda: wanted in (text := self.out.read_text()), seconds)
        return text or self.out.read_text()

    def processes(self) -> list[int]:
        """Pids in the container's pid namespace, as the host sees them."""
        own = os.stat(f"/proc/{self.pid}/ns/pid").st_ino
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.stat(f"/proc/{name}/ns/pid").st_ino == own:
                    found.append(int(name))
            except OSError:
                continue
        return found

    def end(self) -> None:
        """Take it away, whatever state it is in."""
        self.hook.runtime_delete(ref=self.ref, force=True)
        reap()

    def _run(self, argv: list[str], env: Any, out: Path, third: Path | None = None) -> None:
        if third is not None:
            argv = ["/bin/sh", "-c", 'exec "$@" 3<"$0"', str(third), *argv]
        with out.open("ab") as stream, open(self.folder / "err", "wb") as trouble:
            done = subprocess.run(
                argv,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=trouble,
                cwd=self.bundle,
                timeout=30,
                check=False,
            )
        if done.returncode:
            lines = tuple(self.log.read_text().splitlines()) if self.log.exists() else ()
            reap()
            raise Refused(lines, (self.folder / "err").read_text())


def make_spec(args: list[str], group: str, process: dict[str, Any]) -> dict[str, Any]:
    """A small spec of the OCI runtime specification."""
    sets = {kind: list(_CAPABILITIES) for kind in ("bounding", "effective", "permitted")}
    pts = ["newinstance", "ptmxmode=0666"]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": False},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": sets,
            **process,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "cgroupsPath": group,
            "resources": {"pids": {"limit": 100}},
        },
    }


def cgroups(group: str) -> list[str]:
    """The folders of a control group that exist, in all hierarchies."""
    root = "/sys/fs/cgroup"
    trees = [root, *(f"{root}/{name}" for name in os.listdir(root))]
    return [f"{tree}{group}" for tree in trees if os.path.isdir(f"{tree}{group}")]


def reap() -> None:
    """Take the exit statuses of whatever was reparented to us."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def is_alive(pid: int) -> bool:
    """Whether a process runs: a dead one that waits for its parent does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _prctl(value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


TERM, KILL, USR1 = int(signal.SIGTERM), int(signal.SIGKILL), int(signal.SIGUSR1)
