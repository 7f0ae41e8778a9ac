"""How much memory a command takes at the most."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def watched(process: subprocess.Popen[bytes], seconds: float = 120) -> int:
    """Wait for a command of ours to end; the most memory that it had, in kB. A process that hangs fails the test.

    Not what its parent is told in the end: that counts the memory which this process had when it was started.
    """
    deadline, used = time.monotonic() + seconds, 0
    while process.poll() is None:
        used = max(used, _now(process.pid))
        if time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"{process.args!r} hangs")
        time.sleep(0.003)
    return used


def _now(pid: int) -> int:
    """0 while it is not yet what it is to be, or no more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return 0
    found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    started = b"launch.py" in words or b"sonata\0" in words
    return int(found["VmHWM"].split()[0]) if started and "VmHWM" in found else 0
