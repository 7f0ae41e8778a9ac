"""Plugins by a third party: built and installed by themselves, found, used by `run`, and passing the kit."""

import json
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

pytest_plugins = ["installed"]

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import build  # noqa: E402
import workspace  # noqa: E402

EXAMPLES = ("net-example", "hooks-example")
NEEDED = ("sonata", "sonata-runtime-runc", "sonata-storage-vfs", "sonata-transport-docker-archive")
pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A folder with the examples' wheels."""
    out = tmp_path_factory.mktemp("x")
    for name in EXAMPLES:
        folder = ROOT / "tests/thirdparty" / name
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        dist = workspace.Distribution(folder, project["name"], project["version"], project)
        assert build.build(dist, out, ["build_wheel"], build.backend_folder())
    return out


@pytest.fixture
def one(fresh, examples, image):
    """An installation with the examples, whose networks are the example's."""
    made = fresh(*NEEDED)
    made.wheels = examples
    made.install("acme-net-example", "acme-hooks-example")
    made.conf.write_text('[network]\nnetwork_backend = "example"\n')
    made.sonata("pull", "--quiet", f"docker-archive:{image}")
    return made


def test_they_are_found_and_used_by_run(one):
    check_the_listing(one)
    check_the_network(one)
    check_the_participant(one)


def check_the_listing(one):
    rows = json.loads(one.sonata("plugin", "ls", "--format", "json").stdout)
    mine = {(row["Kind"], row["Name"]): row for row in rows if row["Name"] == "example"}
    assert set(mine) == {("net", "example"), ("hooks", "example")}
    assert mine["net", "example"]["Distribution"] == "acme-net-example"
    assert mine["hooks", "example"]["Version"] == "0.2.0"
    assert {row["State"] for row in mine.values()} == {"ok"}
    assert "failed" not in one.sonata("plugin", "check", "net", "example").stdout


def check_the_network(one):
    one.sonata("run", "-d", "--name", "web", "-p", "80", "localhost/web:1")
    port = one.sonata("port", "web", "80/tcp").stdout.strip().rsplit(":", 1)[1]
    assert b"A page from a container" in fetched(f"http://127.0.0.1:{port}/")
    links = {name for _, name in socket.if_nameindex() if name.startswith("ex")}
    ident = one.sonata("inspect", "web", "--format", "{{.Id}}").stdout.strip()
    assert f"ex{ident[:10]}0" in links
    address = one.sonata("inspect", "web", "--format", "{{.NetworkSettings.IPAddress}}").stdout.strip()
    assert address
    assert f"{address}\n" in one.sonata("exec", "web", "cat", "/proc/net/fib_trie").stdout
    one.sonata("rm", "-f", "-t", "0", "web")
    assert f"ex{ident[:10]}0" not in {name for _, name in socket.if_nameindex()}


def check_the_participant(one):
    note = ("--annotation", "org.acme.example=hello there")
    said = one.sonata(
        "run", "--rm", *note, "localhost/web:1", "sh", "-c", 'echo "$ACME_EXAMPLE"; grep " /acme " /proc/mounts'
    )
    lines = said.stdout.splitlines()
    assert lines[0] == "hello there"
    assert lines[1].startswith("tmpfs /acme tmpfs ")
    without = one.sonata("run", "--rm", "localhost/web:1", "sh", "-c", 'echo "[$ACME_EXAMPLE]"; ls /')
    assert without.stdout.startswith("[]\n")
    assert "acme" not in without.stdout
    events = next(one.folder.rglob("plugins/hooks-example/events")).read_text()
    assert {line.split()[0] for line in events.splitlines()} >= {"create", "start", "died"}


def test_the_kit_proves_them_as_installed(one, wheels, tmp_path):
    one.wheels = wheels
    one.install("--no-deps", "sonata-testkit")
    packages = next((one.folder / "venv/lib").glob("python3*/site-packages"))
    (packages / "pytest.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    for name in EXAMPLES:
        for path in (ROOT / "tests/thirdparty" / name / "tests").glob("test_*.py"):
            shutil.copy(path, tmp_path)
    argv = [one.python, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-clauses", tmp_path]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed       H-01 H-02 H-03 H-04 H-05 H-06 P-01 P-02 P-03" in done.stdout
    assert "N-01 N-02 N-03 N-04 N-05" in done.stdout
    assert "not run" not in done.stdout


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
