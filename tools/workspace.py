"""The workspace: which distributions it has, and the virtual environment that they are worked on in.

The environment is made of pinned packages (requirements/dev.txt) and one path file that names the source
folders, with metadata beside it, so that entry points are found as after an installation and no build is
needed when a file changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"
VENV = ROOT / ".venv"


class Distribution(NamedTuple):
    """One distribution: its folder and what its pyproject.toml says."""

    folder: Path
    name: str
    version: str
    project: dict[str, Any]

    @property
    def module(self) -> str:
        """The top-level package, such as `sonata_net_netavark`."""
        return self.name.replace("-", "_")

    @property
    def entry_points(self) -> dict[str, dict[str, str]]:
        """Entry points by group."""
        found: dict[str, dict[str, str]] = self.project.get("entry-points", {})
        return found


def distributions() -> list[Distribution]:
    """All distributions, those that others stand on first."""
    folders = [ROOT / "sonata_core", ROOT / "sonata_testkit", *sorted((ROOT / "plugins").iterdir()), ROOT / "sonata"]
    found = []
    for folder in folders:
        if (folder / "pyproject.toml").exists():
            project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
            found.append(Distribution(folder, project["name"], project["version"], project))
    return found


def pip(python: Path | str, *words: str) -> None:
    """Run pip for an environment that need not have one. Raises CalledProcessError."""
    subprocess.run([*pip_command(), "--python", str(python), *words], check=True)


def pip_command() -> list[str]:
    """How to call pip here. Raises SystemExit where there is none."""
    for argv in ([PYTHON, "-m", "pip"], ["pip"], ["pip3"]):
        if (
            shutil.which(argv[0])
            and subprocess.run([*argv, "--version"], capture_output=True, check=False).returncode == 0
        ):
            return argv
    raise SystemExit("pip is missing. Install it: apt-get install python3-pip")


def make_environment(folder: Path, requirements: Path) -> Path:
    """A virtual environment of Debian's Python with exactly these requirements. Returns its interpreter."""
    python = folder / "bin/python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return python
    if folder.exists():
        shutil.rmtree(folder)
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip(
        python,
        "install",
        "-qq",
        "--no-deps",
        "--require-hashes",
        "--no-warn-script-location",
        "-r",
        str(requirements),
    )
    stamp.write_text(wanted)
    return python


def wheelhouse() -> Path:
    """A folder with the wheels of requirements/run.txt, fetched once: what installs without an index."""
    lock = ROOT / "requirements/run.txt"
    folder = ROOT / ".cache/wheels" / hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    if not folder.exists():
        part = folder.with_suffix(f".{os.getpid()}")
        words = ["-qq", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        subprocess.run([*pip_command(), "download", *words, "-d", str(part), "-r", str(lock)], check=True)
        part.rename(folder)
    return folder


def register(folder: Path) -> None:
    """Let an environment see the source folders and find their entry points."""
    packages = next((folder / "lib").glob("python3*/site-packages"))
    known = distributions()
    (packages / "workspace.pth").write_text("".join(f"{dist.folder}/src\n" for dist in known))
    for old in packages.glob("sonata*.dist-info"):
        shutil.rmtree(old)
    for dist in known:
        info = packages / f"{dist.module}-{dist.version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist.name}\nVersion: {dist.version}\n")
        (info / "RECORD").write_text("")
        (info / "INSTALLER").write_text("workspace\n")
        (info / "entry_points.txt").write_text(entry_points_text(dist))
    _program(folder, packages)


def entry_points_text(dist: Distribution) -> str:
    """The entry points as installed metadata has them."""
    lines = []
    for group, members in dist.entry_points.items():
        lines.append(f"[{group}]")
        lines.extend(f"{name} = {target}" for name, target in members.items())
    return "\n".join([*lines, ""])


def _program(folder: Path, packages: Path) -> None:
    """The `sonata` of the workspace: the real launcher finds this file and, by it, the path file."""
    program = folder / "bin/sonata"
    launch = ROOT / "sonata/src/sonata/launch.py"
    program.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -X utf8 -I "{launch}" "$@"\n')
    program.chmod(0o755)


def prepare() -> Path:
    """The workspace's own environment, up to date. Returns its interpreter."""
    python = make_environment(VENV, ROOT / "requirements/dev.txt")
    register(VENV)
    return python


def install_packages(wanted: dict[str, str]) -> list[str]:
    """Install the Debian packages whose program (or file) is missing; `wanted` maps those to package names.

    Returns the packages that are still missing: without root or apt-get nothing is installed.
    """
    missing = sorted({package for program, package in wanted.items() if not present(program)})
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return missing
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print("$ apt-get install --no-install-recommends", *missing, flush=True)
    subprocess.run(["apt-get", "update", "-qq"], env=environ, check=False)
    argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    done = subprocess.run(argv, env=environ, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
    return sorted({package for program, package in wanted.items() if not present(program)})


def present(program: str) -> bool:
    """Whether a program is on the path (helper folders included), or a file by its full name."""
    if program.startswith("/"):
        return os.path.exists(program)
    folders = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/libexec/podman:/usr/lib/podman"
    return shutil.which(program, path=folders) is not None
