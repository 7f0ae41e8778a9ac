"""What is started while fewer files may be open than already are."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, resource
from sonata_core.sdk.spawn import SpawnOptions, spawn
os.dup2(os.open("/dev/null", os.O_RDONLY), 900)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
pid = spawn(("/bin/sh", "-c", "ls /proc/self/fd"), {}, SpawnOptions(fds={0: 0, 1: 1, 2: 2}))
raise SystemExit(os.waitpid(pid, 0)[1])
"""


def test_a_file_beyond_the_limit_is_closed_and_hinders_nothing() -> None:
    argv = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(argv, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "900" not in done.stdout.split()
