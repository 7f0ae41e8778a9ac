"""Fixtures of the kit: the world that a plugin is given, with real programs and this host's real facts.

A pytest plugin, found by pytest once the kit is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import CommandFailed
from sonata_core.models.host import CAPABILITIES, HostFacts
from sonata_core.models.process import Command, CommandResult
from sonata_core.models.storage import StoreRoot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CGROUP = "/sys/fs/cgroup"


class KeptLog:
    """A log that keeps its events as (level, event, fields)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.events.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.events.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.events.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.events.append(("error", event, fields))


class Runner:
    """Runs programs for a plugin, keeps what it ran, and can let the n-th one fail.

    `fail_at` counts from the moment it is set, 1 being the next. With `fail_after` the program is
    run first and only then reported to have failed: what it did is done.
    """

    def __init__(self, inner: Callable[[Command], CommandResult] | None = None) -> None:
        self._run = inner or run
        self.made: list[Command] = []
        self.fail_at = 0
        self.fail_after = False
        self.failed = False

    def attack(self, step: int, *, after: bool) -> None:
        """Let the `step`-th program from now on fail, before it does anything or after it has."""
        self.fail_at, self.fail_after, self.failed = step, after, False

    def peace(self) -> None:
        """Let programs succeed again."""
        self.fail_at = 0

    def __call__(self, command: Command) -> CommandResult:
        self.made.append(command)
        doomed = False
        if self.fail_at:
            self.fail_at -= 1
            doomed = self.fail_at == 0
        if doomed:
            self.failed = True
            if self.fail_after:
                self._run(command)
            return CommandResult(code=1, stdout=b"", stderr=b"the test kit lets this program fail\n")
        return self._run(command)


def run(command: Command) -> CommandResult:
    """Run a program to its end, as the engine does. Raises CommandFailed where it cannot be started."""
    argv = command.argv
    if command.netns is not None:
        argv = ("nsenter", f"--net={command.netns}", *argv)
    environment = {"PATH": PATH} if command.env is None else dict(command.env)
    try:
        done = subprocess.run(
            argv,
            input=command.input,
            stdin=subprocess.DEVNULL if command.input is None else None,
            capture_output=True,
            env=environment,
            cwd=command.cwd,
            timeout=command.timeout or 60,
            check=False,
            pass_fds=command.pass_fds,
        )
    except OSError as error:
        raise CommandFailed(f"{argv[0]}: {error.strerror}", argv=argv) from error
    return CommandResult(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def find_program(name: str) -> str | None:
    """An absolute path of a program, looked for in the helper folders, then in PATH."""
    if name.startswith("/"):
        return name if os.access(name, os.X_OK) else None
    helpers = HostFacts._defaults["helper_dirs"]
    return shutil.which(name, path=":".join((*helpers, PATH)))


def probe_facts() -> HostFacts:
    """The facts of this host and process."""
    system = os.uname()
    version, hybrid, controllers = _cgroups()
    return HostFacts(
        uid=os.geteuid(),
        gid=os.getegid(),
        rootless=os.geteuid() != 0,
        kernel=system.release,
        machine=system.machine,
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        cgroup_version=version,
        cgroup_hybrid=hybrid,
        cgroup_controllers=controllers,
        systemd=os.path.isdir("/run/systemd/system"),
        capabilities=_capabilities(),
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
        apparmor=_read("/sys/module/apparmor/parameters/enabled") == "Y",
        path=PATH,
    )


def make_context(name: str, folder: Path, **config: object) -> PluginContext:
    """A world of its own for a plugin, below `folder`: real programs, real facts, one empty writable store."""
    return PluginContext(
        name=name,
        root=str(folder / "root"),
        run=str(folder / "run"),
        cache=str(folder / "cache"),
        config=config,
        facts=probe_facts(),
        run_command=Runner(),
        find_program=find_program,
        log=KeptLog(),
        stores=(StoreRoot(path=str(folder / "graph"), run=str(folder / "graph-run")),),
    )


@pytest.fixture
def plugin_context(tmp_path: Path) -> PluginContext:
    """What a plugin's class is constructed with. Its folders do not exist yet, as in the engine's first run."""
    return make_context("under-test", tmp_path)


@pytest.fixture
def runner(plugin_context: PluginContext) -> Runner:
    """What runs the plugin's programs: attacked by the suites."""
    found = plugin_context.run_command
    assert isinstance(found, Runner)
    return found


@pytest.fixture
def busybox_rootfs() -> Callable[[Path], Path]:
    """Makes a root file system of a static busybox in a folder."""
    return make_busybox_rootfs


def make_busybox_rootfs(folder: Path) -> Path:
    """A root file system in `folder` with busybox's applets in /bin. Needs a static busybox on the host."""
    from sonata_testkit.clauses import not_run

    busybox = shutil.which("busybox", path=PATH)
    if busybox is None:
        not_run("needs busybox (Debian: busybox-static)")
    for name in ("bin", "proc", "dev", "sys", "tmp", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    shutil.copy(busybox, folder / "bin/busybox")
    for applet in ("sh", "true", "false", "cat", "echo", "sleep", "id", "kill", "env", "ls", "touch", "readlink"):
        (folder / "bin" / applet).symlink_to("busybox")
    return folder


def _cgroups() -> tuple[int, bool, tuple[str, ...]]:
    if os.path.exists(f"{_CGROUP}/cgroup.controllers"):
        return 2, False, tuple(_read(f"{_CGROUP}/cgroup.controllers").split())
    names = sorted(
        part
        for name in (os.listdir(_CGROUP) if os.path.isdir(_CGROUP) else [])
        for part in name.split(",")
        if part not in ("systemd", "unified") and os.path.ismount(f"{_CGROUP}/{name}")
    )
    return (1 if names else 0), bool(_read(f"{_CGROUP}/unified/cgroup.controllers")), tuple(names)


def _capabilities() -> tuple[str, ...]:
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return tuple(name for number, name in enumerate(CAPABILITIES) if bits >> number & 1)
    return ()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
