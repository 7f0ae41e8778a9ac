"""docs/library.md: its examples run, print what the page says, and type-check."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/library.md"
TOUR = "/var/tmp/tour"


def examples(folder: Path) -> str:
    """All examples of the page as one program, in a folder of this test's own."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 6
    return "\n".join(blocks).replace(TOUR, str(folder))


def expected(program: str) -> list[str]:
    return re.findall(r"^# → (.*)$", program, re.MULTILINE)


@pytest.mark.docs
def test_examples_type_check(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(examples(tmp_path))
    argv = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), str(file)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.docs
@pytest.mark.needs_root
def test_examples_print_what_the_page_says(tmp_path_factory):
    folder = tmp_path_factory.mktemp("l")
    subprocess.run([sys.executable, ROOT / "tools/make_image.py", folder / "web.tar"], check=True)
    program = examples(folder)
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected(program), done.stderr
    shutil.rmtree(folder)
