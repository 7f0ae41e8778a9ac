"""`./check` looks twice at a handful of failed tests, and only at those."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).resolve().parents[2]
STEADY = "def test_steady():\n    pass\n"
BROKEN = "def test_broken():\n    assert False\n"
UNSTEADY = """
import os, pytest
@pytest.mark.parametrize("word", ["a b", "c/d"])
def test_unsteady(word):
    seen = os.path.join(os.path.dirname(__file__), "seen-" + word.replace("/", "-"))
    first = not os.path.exists(seen)
    open(seen, "w").close()
    assert not first
"""


def look(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r}); import second_look; "
    program += "sys.exit(second_look.run(['-q', 'test_it.py']))"
    environ = {
        **os.environ,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{ROOT}/tests/e2e",
        "PYTEST_ADDOPTS": f"-p conftest -p no:cacheprovider --rootdir={folder}",
    }
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )


def test_what_passes_is_not_looked_at_again(tmp_path: Path) -> None:
    done = look(tmp_path, STEADY)
    assert (done.returncode, done.stdout.count("1 passed"), done.stderr) == (0, 1, "")


def test_what_fails_twice_fails_the_check(tmp_path: Path) -> None:
    done = look(tmp_path, STEADY + BROKEN)
    assert done.returncode == 1
    assert "failed beside other tests; once more alone:\n    test_it.py::test_broken\n" in done.stderr
    assert "UNSTEADY" not in done.stderr


def test_what_passes_alone_is_named(tmp_path: Path) -> None:
    done = look(tmp_path, STEADY + UNSTEADY)
    assert done.returncode == 0, done.stdout + done.stderr
    names = "\n    test_it.py::test_unsteady[a b]\n    test_it.py::test_unsteady[c/d]\n"
    assert done.stderr.endswith(f"UNSTEADY, passed alone: to be mended:{names}")


@pytest.mark.parametrize(
    "text",
    [STEADY + BROKEN + UNSTEADY.replace('"c/d"', '"c/d", "e", "f"'), UNSTEADY + "\nimport nothing_of_this_name\n"],
)
def test_many_failures_and_other_troubles_are_not_tried_again(tmp_path: Path, text: str) -> None:
    done = look(tmp_path, text)
    assert done.returncode != 0
    assert done.stderr == ""
