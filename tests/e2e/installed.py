"""Wheels, built once for all tests, and fresh environments to install them into."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import workspace  # noqa: E402

Installation = Callable[..., "Installed"]


def run(*argv: object, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program as from an empty shell; the exit code must be the one that is given."""
    environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **env}
    done = subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, env=environ, cwd="/", check=False
    )
    assert done.returncode == code, f"{argv}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class Installed:
    """A plain virtual environment with some of our wheels, and a store of its own."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.wheels = wheels
        self.python = folder / "venv/bin/python3"
        self.program = folder / "venv/bin/sonata"
        self.conf = folder / "containers.conf"
        self.conf.write_text("")
        run("/usr/bin/python3", "-m", "venv", "--without-pip", folder / "venv")

    def install(self, *names: str) -> None:
        """Install distributions by name, and what they need from the folder of wheels alone."""
        links = [f"--find-links={self.wheels}", f"--find-links={workspace.wheelhouse()}"]
        words = ["install", "--quiet", "--no-index", *links, *names]
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        argv = [*workspace.pip_command(), "--isolated", "--python", str(self.python), *words]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def sonata(self, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the installed program on this installation's store and configuration."""
        store = ["--root", self.folder / "r", "--runroot", self.folder / "v"]
        return run(self.program, *store, *words, code=code, CONTAINERS_CONF=str(self.conf))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist of every distribution."""
    out = tmp_path_factory.mktemp("w")
    run(sys.executable, "-B", ROOT / "tools/build.py", "--out", out)
    return out


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Iterator[Callable[..., Installed]]:
    """Make environments with the distributions that are named; their stores are taken away at the end."""
    made: list[Installed] = []

    def make(*names: str) -> Installed:
        one = Installed(tmp_path_factory.mktemp("i"), wheels)
        one.install(*names)
        made.append(one)
        return one

    yield make
    for one in made:
        if (one.folder / "r").exists() and one.program.exists():
            one.sonata("rm", "--all", "--force", "--time", "0")
        for mounted in sorted(_mounts_below(one.folder), reverse=True):
            run("umount", "-l", mounted)
        shutil.rmtree(one.folder)


def _mounts_below(folder: Path) -> list[str]:
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place for place in places if place.startswith(f"{folder}/")]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small image as a docker-archive: `localhost/web:1`."""
    path = tmp_path_factory.mktemp("a") / "web.tar"
    run(sys.executable, "-B", ROOT / "tools/make_image.py", path, "localhost/web:1")
    return path
