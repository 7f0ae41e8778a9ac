"""The installed program: which interpreter and packages it finds, and that nothing foreign is loaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sonata
import sonata_core

SCRIPT = Path(__file__).parents[1] / "bin" / "sonata"
IGNORED = shutil.ignore_patterns("__pycache__")


@pytest.fixture(params=["lib/python3.11/site-packages", "lib/python3.11/dist-packages", "lib/python3/dist-packages"])
def prefix(request, tmp_path):
    packages = tmp_path / "prefix" / request.param
    for package in (sonata, sonata_core):
        source = Path(package.__path__[0])
        shutil.copytree(source, packages / source.name, ignore=IGNORED)
    program = tmp_path / "prefix/bin/sonata"
    program.parent.mkdir()
    shutil.copy(SCRIPT, program)
    if "site-packages" in request.param:
        os.symlink(sys.executable, program.parent / "python3")
    return tmp_path / "prefix"


def run(*argv, **env):
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", **env}, cwd="/"
    )


def test_starts_from_its_own_prefix(prefix):
    assert run(prefix / "bin/sonata", "--version").stdout == "sonata version 0.1.0\n"


def test_follows_symbolic_links(prefix, tmp_path):
    os.symlink(prefix / "bin/sonata", tmp_path / "absolute")
    os.symlink("absolute", tmp_path / "relative")
    assert run(tmp_path / "relative", "--version").stdout == "sonata version 0.1.0\n"


def test_arguments_arrive_as_they_are(prefix):
    done = run(prefix / "bin/sonata", "no such * 'thing'")
    assert "unrecognized command `sonata no such * 'thing'`" in done.stderr
    assert run(prefix / "bin/sonata", "").stderr.startswith("Error: unrecognized command `sonata `\n")


def test_environment_and_user_packages_are_left_out(prefix, tmp_path):
    (tmp_path / "sonata_core.py").write_text("raise SystemExit('hijacked')\n")
    done = run(prefix / "bin/sonata", "--version", PYTHONPATH=str(tmp_path), PYTHONSTARTUP="x", HOME=str(tmp_path))
    assert done.stdout == "sonata version 0.1.0\n"


def test_paths_files_bring_site_back(prefix):
    packages = next((prefix / "lib").glob("*/*-packages"))
    elsewhere = prefix / "elsewhere"
    elsewhere.mkdir()
    shutil.move(packages / "sonata_core", elsewhere / "sonata_core")
    if packages.name == "dist-packages":
        pytest.skip("path files of this prefix are not read by the system's interpreter")
    (packages / "editable.pth").write_text(f"{elsewhere}\n")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert run(prefix / "bin/sonata", "--version").stdout == "sonata version 0.1.0\n"


def test_no_process_is_started_on_the_way(prefix):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    done = run("strace", "-f", "-e", "trace=process", prefix / "bin/sonata", "--version")
    assert "fork" not in done.stderr
    assert "clone" not in done.stderr
