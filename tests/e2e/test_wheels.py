"""What is built installs and runs without the repository, and backends are swapped by installing another."""

import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

pytest_plugins = ["installed"]

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "sonata",
    "sonata-runtime-runc",
    "sonata-net-netavark",
    "sonata-storage-vfs",
    "sonata-transport-docker-archive",
)
ALL = sorted(path.parent.name for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")])


def test_every_distribution_is_built(wheels):
    kinds = [[path.name for path in wheels.glob(pattern)] for pattern in ("*.whl", "*.tar.gz")]
    assert [len(names) for names in kinds] == [len(ALL), len(ALL)]
    assert all("py3-none-any" in name for name in kinds[0])


def test_a_wheel_holds_its_module_alone(wheels):
    for path in wheels.glob("*.whl"):
        module, version = path.name.split("-")[:2]
        tops = {name.split("/")[0] for name in zipfile.ZipFile(path).namelist()}
        assert tops <= {module, f"{module}-{version}.dist-info", f"{module}-{version}.data"}


def test_an_sdist_builds_the_same_wheel_by_itself(wheels, tmp_path):
    for path in sorted(wheels.glob("*.tar.gz")):
        subprocess.run(["tar", "-xzf", path, "-C", tmp_path, "--no-same-owner"], check=True)
        folder = tmp_path / path.name.removesuffix(".tar.gz")
        code = "from setuptools import build_meta; build_meta.build_wheel('.')"
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        again = next(folder.glob("*.whl"))
        assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheels / again.name).namelist()


def test_the_contract_alone_says_who_provides_what(fresh):
    code = """
from sonata_core.catalog import Catalog
from sonata_core.errors import BackendMissing
from sonata_core.groups import GROUPS, RUNTIME
catalog = Catalog(None, lambda name: None)
assert [catalog.names(group) for group in GROUPS.values()] == [()] * 5
try:
    catalog.find(RUNTIME, "crun")
except BackendMissing as error:
    print(error, "|", error.hint)
"""
    one = fresh("sonata-core")
    done = subprocess.run([one.python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "no runtime backend 'crun' is installed (installed: none) | pip install sonata-runtime-crun\n"


def test_the_engine_alone_starts_and_says_what_is_missing(fresh):
    one = fresh("sonata")
    assert one.sonata("--version").stdout.startswith("sonata version ")
    assert "run" in one.sonata("--help").stdout
    said = one.sonata("run", "localhost/web:1", "true", code=125).stderr
    assert "no storage backend is installed" in said
    assert "pip install sonata-storage-overlay or sonata-storage-vfs" in said


@pytest.mark.needs_root
def test_a_missing_runtime_and_transport_are_named(fresh, image):
    one = fresh("sonata", "sonata-storage-vfs")
    said = one.sonata("pull", f"docker-archive:{image}", code=125).stderr
    assert "sonata-transport-docker-archive" in said
    one.install("sonata-transport-docker-archive")
    one.sonata("pull", "--quiet", f"docker-archive:{image}")
    said = one.sonata("run", "--network", "none", "localhost/web:1", "true", code=125).stderr
    assert "no runtime backend is installed" in said
    assert "pip install sonata-runtime-crun or sonata-runtime-runc" in said


@pytest.mark.needs_root
def test_one_of_each_runs_a_container_and_another_takes_its_place(fresh, image):
    one = fresh(*SMALL)
    one.conf.write_text('[engine]\nruntime = "runc"\n')
    one.sonata("pull", "--quiet", f"docker-archive:{image}")
    one.sonata("run", "-d", "--name", "web", "-p", "80", "localhost/web:1")
    port = one.sonata("port", "web", "80/tcp").stdout.strip().rsplit(":", 1)[1]
    assert b"A page from a container" in fetched(f"http://127.0.0.1:{port}/")
    assert one.sonata("inspect", "web", "--format", "{{.OCIRuntime}}").stdout == "runc\n"
    assert one.sonata("exec", "web", "cat", "/proc/1/comm").stdout == "httpd\n"

    one.conf.write_text('[engine]\nruntime = "crun"\n')
    said = one.sonata("run", "--rm", "localhost/web:1", "true", code=125).stderr
    assert "pip install sonata-runtime-crun" in said
    one.install("sonata-runtime-crun")
    one.sonata("run", "-d", "--name", "other", "localhost/web:1")
    assert one.sonata("inspect", "other", "--format", "{{.OCIRuntime}}").stdout == "crun\n"
    one.sonata("stop", "-t", "0", "web")
    one.sonata("start", "web")
    assert one.sonata("inspect", "web", "--format", "{{.OCIRuntime}}").stdout == "runc\n", "what is recorded stays"


def fetched(url):
    trouble = None
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=2) as page:
                return page.read()
        except OSError as error:
            trouble = error
            time.sleep(0.05)
    raise AssertionError(f"nothing answers at {url}: {trouble}")


@pytest.fixture
def launched(fresh):
    one = fresh("sonata")
    packages = next((one.folder / "venv/lib").glob("python3*/site-packages"))
    trap = f"open({str(one.folder / 'site-was-loaded')!r}, 'w')\n"
    (packages / "sitecustomize.py").write_text(trap)
    (packages / "usercustomize.py").write_text(trap)
    return one


def test_the_launcher_finds_its_own_and_loads_no_site(launched, tmp_path):
    program = launched.program
    (tmp_path / "absolute").symlink_to(program)
    (tmp_path / "relative").symlink_to("../" * len(tmp_path.parts[1:]) + str(program).lstrip("/"))
    (tmp_path / "two").symlink_to("relative")
    ways = [[program], *([tmp_path / name] for name in ("absolute", "relative", "two"))]
    ways.append([f"PATH={program.parent}:/usr/bin:/bin", "sonata"])
    ways.append(
        [launched.python, "-I", "-S", next(launched.folder.glob("venv/lib/python3*/site-packages/sonata/launch.py"))]
    )
    for way in ways:
        argv = ["/usr/bin/env", "-i", *map(str, way), "--version"]
        done = subprocess.run(argv, capture_output=True, text=True, cwd="/", check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "sonata version 0.1.0\n", ""), way
    assert not (launched.folder / "site-was-loaded").exists()


def test_the_launcher_listens_to_no_python_variable(launched, tmp_path):
    (tmp_path / "sonata").mkdir()
    (tmp_path / "sonata/__init__.py").write_text("raise SystemExit('hijacked')\n")
    env = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nonexistent", "PYTHONSTARTUP": "x", "PATH": "/usr/bin:/bin"}
    argv = [launched.program, "--version"]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    assert done.stdout == "sonata version 0.1.0\n", done.stderr
