"""`./check long` runs every slow test, each in one suite, and goes on after a suite that failed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import long_check  # noqa: E402

ONES = "def test_one():\n    pass\n"
TWO = "def test_two():\n    assert False\n"


def test_every_pattern_finds_a_file_that_no_other_suite_has() -> None:
    for name, (_, patterns) in long_check.SUITES.items():
        assert all(list(ROOT.glob(pattern)) for pattern in patterns), name
    found = [path for name in long_check.SUITES for path in long_check.files(name)]
    assert len(found) == len(set(found))


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two suites of a file each in a folder of their own, and one test beside them."""
    for name, text in (("a", ONES), ("b", TWO), ("c", ONES)):
        (tmp_path / f"test_{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(long_check.workspace, "ROOT", tmp_path)
    monkeypatch.setattr(long_check, "PLACE", tmp_path / "results")
    monkeypatch.setattr(long_check, "SUITES", {one: ("load", (f"test_{one}.py",)) for one in ("b", "a")})
    monkeypatch.setattr(long_check, "OTHERS", {"usual": "not slow"})
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT}/tests/e2e")
    options = f"-p conftest -p no:cacheprovider -o markers=slow --rootdir={tmp_path}"
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], check=True)
    return tmp_path


@pytest.mark.heavy
def test_all_are_run_and_what_failed_is_told(suites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suites / ".gitignore").write_text("*\n")
    assert long_check.run([], ["-n", "0"], []) == 1
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| b", "| a", "| usual"]
    assert [line.split(" | ")[4] for line in table[2:]] == [
        "1 failed; test_b.py::test_two |",
        "1 passed |",
        "1 passed |",
    ]
    assert "assert False" in (suites / "results/b.log").read_text()

    (suites / "test_b.py").write_text(ONES)
    assert long_check.run(["b"], ["-n", "0"], []) == 0
    assert "test_two" not in capsys.readouterr().out


@pytest.mark.heavy
def test_what_passed_on_this_commit_is_not_missing(suites: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (suites / ".git/info/exclude").write_text("results\n__pycache__\n")
    assert long_check.run(["a"], ["-n", "0"], []) == 0
    capsys.readouterr()
    assert long_check.run(["list"], [], []) == 0
    b, a, _ = capsys.readouterr().out.splitlines()
    assert b.endswith("never run here")
    assert a.endswith("s  1 passed")
    assert long_check.run(["missing"], ["-n", "0"], []) == 1
    assert [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()[-2:]] == ["| b", "| usual"]
    (suites / "test_a.py").write_text(TWO)
    assert long_check.run(["missing"], ["-n", "0"], []) == 1
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]) == 4


def test_an_unknown_suite_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert long_check.run(["kill", "nothing"], [], []) == 2
    assert "knows no suite 'nothing', but kill " in capsys.readouterr().err
