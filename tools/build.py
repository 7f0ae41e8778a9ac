"""Build every distribution as wheel and sdist into `dist/`, each from a copy of its own folder alone.

Needs setuptools and wheel: those of the workspace's environment, else those that requirements/build.txt
pins, kept in `.cache/build`. Building itself reaches no network.

    python3 tools/build.py [--out FOLDER] [--only NAME ...] [--wheels]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import workspace

ROOT = workspace.ROOT
EPOCH = "1700000000"
"""Time stamp of what archives hold, so that the same sources give the same bytes."""

BUILD = """
import sys
from setuptools import build_meta
out = sys.argv[1]
for kind in sys.argv[2:]:
    print(getattr(build_meta, kind)(out))
"""


def main() -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--wheels", action="store_true", help="no sdists")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kinds = ["build_wheel"] if given.wheels else ["build_sdist", "build_wheel"]
    backend = backend_folder()
    for dist in workspace.distributions():
        if not given.only or dist.name in given.only:
            for name in build(dist, given.out.resolve(), kinds, backend):
                print(given.out / name, flush=True)
    return 0


def backend_folder() -> str:
    """The folder to import setuptools from: empty where the running interpreter has all it needs."""
    probe = "import setuptools, wheel, sys; sys.exit(int(setuptools.__version__.split('.')[0]) < 66)"
    if subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, check=False).returncode == 0:
        return ""
    lock = ROOT / "requirements/build.txt"
    folder = ROOT / ".cache/build" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        words = ["install", "-qq", "--no-deps", "--require-hashes", "--target", str(part), "-r", str(lock)]
        workspace.pip(sys.executable, *words)
        part.rename(folder)
    return str(folder)


def build(dist: workspace.Distribution, out: Path, kinds: list[str], backend: str) -> list[str]:
    """Build one distribution; its folder is copied first, so that nothing of the repository slips in."""
    with tempfile.TemporaryDirectory() as top:
        copy = Path(top) / "src"
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist", "tests")
        shutil.copytree(dist.folder, copy, ignore=ignored, symlinks=True)
        environ = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONPATH": backend}
        os.umask(0o022)
        argv = [sys.executable, "-W", "ignore", "-c", BUILD, str(out), *kinds]
        done = subprocess.run(argv, cwd=copy, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{dist.name} does not build:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        names = [line for line in done.stdout.splitlines() if line.endswith((".whl", ".tar.gz"))]
        return [name for name in names if (out / name).is_file()]


if __name__ == "__main__":
    raise SystemExit(main())
