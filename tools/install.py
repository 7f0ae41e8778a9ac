"""Build the wheels and install them, plainly, into a virtual environment: `python3 tools/install.py FOLDER`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import workspace

ROOT = workspace.ROOT


def main(words: list[str]) -> int:
    """Install all distributions but the test kit. Says where the program is."""
    if len(words) != 1:
        sys.exit(__doc__)
    folder = Path(words[0]).resolve()
    python = workspace.make_environment(folder, ROOT / "requirements/run.txt")
    with tempfile.TemporaryDirectory() as out:
        build = [workspace.PYTHON, "-B", str(ROOT / "tools/build.py"), "--wheels", "--out", out]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        wheels = sorted(str(path) for path in Path(out).glob("*.whl") if "testkit" not in path.name)
        _forget(folder)
        workspace.pip(python, "install", "-qq", "--no-deps", "--no-index", "--force-reinstall", *wheels)
    print(folder / "bin/sonata")
    return 0


def _forget(folder: Path) -> None:
    """Take away what an earlier installation brought, plugins that are gone among it."""
    for packages in (folder / "lib").glob("python3*/site-packages"):
        for old in packages.glob("sonata*"):
            shutil.rmtree(old)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
