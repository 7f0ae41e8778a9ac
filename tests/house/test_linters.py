"""Linters are tests too, so that pytest alone is enough. `./check` runs them by themselves first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
STEPS = {
    "format": ["ruff", "format", "--check", "-q", "."],
    "lint": ["ruff", "check", "-q", "."],
    "imports": ["lint-imports", "--no-logo"],
    "types of tools": ["mypy", "--no-error-summary", *sorted(map(str, ROOT.glob("tools/**/*.py")))],
    "types": ["mypy", "--no-error-summary", "sonata_core/src", "sonata/src", "sonata_testkit/src"],
}


@pytest.mark.parametrize("name", STEPS)
def test_linter(name):
    program, *words = STEPS[name]
    if os.environ.get("SONATA_LINTED"):
        pytest.skip("./check has run it already")
    found = shutil.which(program, path=f"{BIN}:{os.environ['PATH']}")
    assert found, f"{program} is missing: ./check sets everything up"
    plugins = [str(path) for path in ROOT.glob("plugins/*/src")] if name == "types" else []
    done = subprocess.run([found, *words, *plugins], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
