"""Runs tests, and the few that failed among others once more, alone.

Tests that drive real programs share processors, disk and network with each other, and with whatever else runs on the
machine. What fails twice is broken; what fails only beside others is unsteady, a defect of the test or what it tests,
named at the end, which does not hide what the rest of the run said.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 4
"""More tests than this fail together for a reason that they share: nothing is tried again."""
TESTS_FAILED = 1
"""pytest's exit code if all ran and some failed; others speak of pytest itself."""


def run(pytest: list[str]) -> int:
    """Run pytest with these words. Returns its exit code, or 0 if all that failed passed alone."""
    with tempfile.TemporaryDirectory(prefix="sonata-failed-") as folder:
        listed = Path(folder, "failed")
        code = _pytest(pytest, f"--failed-to={listed}")
        failed = listed.read_text().split("\n") if listed.exists() else []
    if code != TESTS_FAILED or not 0 < len(failed) <= MOST:
        return code
    _say("failed beside other tests; once more alone:", failed)
    again = _pytest(["-p", "no:xdist", *failed])
    if again == 0:
        _say("UNSTEADY, passed alone: to be mended:", failed)
    return again


def _pytest(words: list[str], *more: str) -> int:
    return subprocess.run(["python", "-m", "pytest", *words, *more], check=False).returncode


def _say(what: str, names: list[str]) -> None:
    print("\n    ".join([what, *names]), file=sys.stderr, flush=True)
