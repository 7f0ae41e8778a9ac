"""A store of its own, a root filesystem of busybox, and the real program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from both_ways import Root

APPLETS = ("sh", "true", "false", "sleep", "cat", "ls", "id", "stat", "test", "env", "dd", "rm", "touch")

NEEDS = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
"""Marks of a module whose tests run containers."""


class LiveWorld:
    """Folders and the program of a caller, root if none is given; `end` takes every container away."""

    def __init__(self, base: str, who: Root | None = None) -> None:
        self.who = who or Root()
        self.base = base = str(self.who.folder(Path(base)))
        self.options = [f"--root={base}/graph", f"--runroot={base}/run", f"--tmpdir={base}/tmp"]
        self.rootfs = f"{base}/rootfs"
        for folder in ("bin", "proc", "dev", "sys", "etc", "tmp", "run"):
            os.makedirs(f"{self.rootfs}/{folder}")
        shutil.copy("/bin/busybox", f"{self.rootfs}/bin/busybox")
        for name in APPLETS:
            os.symlink("busybox", f"{self.rootfs}/bin/{name}")
        self.who.give(self.rootfs)

    def argv(self, *words: str, **more: Any) -> list[str]:
        return self.who.argv([*self.options, *words], **more)

    def run(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        argv = self.argv(*words, **{name: more[name] for name in ("env", "cwd") if name in more})
        given: dict[str, Any] = self.who.given(**more)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **given)

    def ok(self, *words: str, **more: Any) -> str:
        done = self.run(*words, **more)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.strip()

    def start(self, name: str, *words: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
        """A container in the background, without network."""
        options = ("--network=none", "--name", name, "--cgroup-parent=/sonata_test", "--rootfs")
        return self.ok("run", "-d", *words, *options, self.rootfs, *command)

    def inspect(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.ok("container", "inspect", name))
        return found[0]

    def events(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ok("events", "--stream=false", "--format=json", *words).splitlines()]

    def end(self) -> None:
        self.run("rm", "-f", "-a", "-t", "0")


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> bool:
    """Whether the condition holds before the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())
