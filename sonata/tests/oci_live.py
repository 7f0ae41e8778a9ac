"""What the tests of `host` and `monitor` share: a busybox bundle, a runtime's plugin, a monitored container."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from typing import Any

from sonata.host import commands
from sonata.monitor.launch import MonitorSpec
from sonata_core.context import PluginContext
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.runtime import ContainerRef, LaunchRequest, LaunchVerb

APPLETS = ("sh", "true", "false", "cat", "echo", "sleep", "stty", "head", "wc", "id", "kill", "yes", "seq")


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
        self.spec["linux"]["cgroupsPath"] = f"/sonata_test/{self.id[:12]}"
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
