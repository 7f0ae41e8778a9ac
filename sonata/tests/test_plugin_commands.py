"""`plugin ls`, `inspect` and `check`: bundled plugins are ok, and what is wrong with another one is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

ODD = """
from sonata_core.errors import HostLacks
from sonata_core.hookspecs.net import NetHooks
from sonata_core.markers import hookimpl
from sonata_core.models.net import NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command

class Odd(NetHooks):
    def __init__(self, context):
        {begin}

    @hookimpl
    def plugin_info(self):
        return PluginInfo(name="odd", version="1", summary="odd", contract="{contract}")

    @hookimpl
    def net_facts(self):
        return NetFacts(modes=("odd",))

    @hookimpl
    def net_attach(self, netns, request):
        raise NotImplementedError

    @hookimpl
    def {detach}(self, netns, request, attached):
        {end}
"""


def run(tmp_path: Path, *words: str, code: int = 0) -> str:
    argv = [sys.executable, "-m", "sonata", f"--root={tmp_path}/graph", f"--runroot={tmp_path}/run", *words]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}/site"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def install(tmp_path: Path, **changes: str) -> None:
    """A third party's network plugin with something wrong."""
    parts = {"begin": "pass", "contract": "net/1.0", "detach": "net_detach", "end": "return None", **changes}
    info = tmp_path / "site" / "sonata_net_odd-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site" / "sonata_net_odd.py").write_text(ODD.format(**parts))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sonata-net-odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sonata.net.v1]\nodd = sonata_net_odd:Odd\n")


def test_the_list(tmp_path: Path) -> None:
    rows = {(row["Kind"], row["Name"]): row for row in json.loads(run(tmp_path, "plugin", "ls", "--format", "json"))}
    crun = rows["runtime", "crun"]
    assert crun["Distribution"] == "sonata-runtime-crun"
    assert crun["Contract"] == "runtime/1.0"
    assert crun["File"].endswith("sonata_runtime_crun/plugin.py")
    assert {"overlay", "vfs"} <= {name for kind, name in rows if kind == "storage"}
    assert run(tmp_path, "plugin", "ls").split("\n")[0].split() == [
        *("KIND", "NAME", "DISTRIBUTION", "VERSION", "CONTRACT", "FILE", "STATE")
    ]
    assert "storage/vfs ok\n" in run(tmp_path, "plugin", "ls", "--format", "{{.Kind}}/{{.Name}} {{.State}}")
    assert "storage/vfs\n" in run(tmp_path, "plugin", "ls", "-q")


def test_inspect(tmp_path: Path) -> None:
    (found,) = json.loads(run(tmp_path, "plugin", "inspect", "storage", "overlay"))
    assert found["State"] == "ok"
    assert "StorageCheck" in found["Capabilities"]
    assert found["Facts"]["format"] == "overlay-trusted"
    assert (
        run(tmp_path, "plugin", "inspect", "--format", "{{.Summary}}", "runtime/crun") == "Runs containers with crun\n"
    )
    assert 'no plugin "absent" is installed' in run(tmp_path, "plugin", "inspect", "absent", code=125)
    assert 'no kind of plugins is named "x"' in run(tmp_path, "plugin", "inspect", "x/y", code=125)


@pytest.mark.parametrize(
    "name", ["runtime crun", "runtime runc", "net netavark", "storage overlay", "storage vfs", "transport oci"]
)
def test_bundled_plugins_keep_their_contract(tmp_path: Path, name: str) -> None:
    shown = json.loads(run(tmp_path, "plugin", "check", *name.split(), "--format", "json"))
    assert {row["outcome"] for row in shown} <= {"passed", "not run"}, shown
    assert {"P-01", "P-02", "P-03"} < {row["clause"] for row in shown}
    assert not [name for name in os.listdir("/var/tmp") if name.startswith("sonata-plugin-check-")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"begin": "print('hello')"}, "P-03: failed: its constructor prints hello"),
        (
            {"begin": "context.run_command(Command(argv=('/bin/true',)))"},
            "P-03: failed: its constructor runs /bin/true",
        ),
        ({"begin": "raise KeyError('x')"}, "P-03: failed:"),
        ({"contract": "net/9.0"}, "P-01: failed: the contract 'net/9.0'"),
        ({"detach": "net_detatch"}, "P-02: failed:"),
        ({"end": "raise OSError('gone')"}, "N-03: failed: PluginCrashed"),
    ],
)
def test_what_is_wrong_with_a_plugin(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    install(tmp_path, **changes)
    assert said in run(tmp_path, "plugin", "check", "net", "odd", code=1)


def test_the_state_of_what_cannot_be_used(tmp_path: Path) -> None:
    install(tmp_path, begin="raise HostLacks('no odd program', 'install it')")
    assert "odd unavailable: no odd program\n" in run(tmp_path, "plugin", "ls", "--format", "{{.Name}} {{.State}}")
    shown = run(tmp_path, "plugin", "check", "net", "odd")
    assert "P-03: passed: it says why it cannot be used here: no odd program" in shown
    assert "N-03: not run" in shown
