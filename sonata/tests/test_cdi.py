"""CDI: names, documents of strangers, and devices in real containers."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata.engine.containers import cdi
from sonata.plan.cdi import Document, chosen, qualified
from sonata_core.errors import UsageError

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

GOOD: dict[str, Any] = {
    "cdiVersion": "0.6.0",
    "kind": "acme.com/thing",
    "containerEdits": {"env": ["COMMON=1"]},
    "devices": [
        {
            "name": "one",
            "containerEdits": {
                "env": ["THING=one"],
                "deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/full", "permissions": "rw"}],
                "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/opt/thing", "options": ["ro", "bind"]}],
                "additionalGids": [4321],
            },
        },
        {"name": "two", "containerEdits": {"env": ["OTHER=two"]}},
    ],
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("vendor.com/class=name", ("vendor.com/class", "name")),
        ("nvidia.com/gpu=0", ("nvidia.com/gpu", "0")),
        ("nvidia.com/gpu=GPU-1:2.x", ("nvidia.com/gpu", "GPU-1:2.x")),
        ("/dev/null", None),
        ("vendor.com/class", None),
        ("vendor.com/cl.ass=x", None),
        ("1vendor/class=x", None),
        ("vendor/class=", None),
        ("vendor/class=x/y", None),
        ("vendor/class=-x", None),
    ],
)
def test_qualified_names(text: str, found: object) -> None:
    assert qualified(text) == found


def changed(where: str, value: object) -> dict[str, Any]:
    made = copy.deepcopy(GOOD)
    place: Any = made
    *path, last = where.split(".")
    for part in path:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    return made


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("cdiVersion", "9.0.0"),
        ("kind", "nothing"),
        ("kind", 3),
        ("devices", []),
        ("devices", "x"),
        ("devices", [GOOD["devices"][0]] * 2),
        ("devices.0.name", 0),
        ("devices.0.name", "../x"),
        ("devices.0.containerEdits.env", ["NOVALUE"]),
        ("devices.0.containerEdits.env", ["A=" + "x" * 5000]),
        ("devices.0.containerEdits.env", ["A=b"] * 5000),
        ("devices.0.containerEdits.env", [1]),
        ("devices.0.containerEdits.deviceNodes", [{"path": "dev/x"}]),
        ("devices.0.containerEdits.deviceNodes", [{"path": "/dev/../etc/x"}]),
        ("devices.0.containerEdits.deviceNodes", [{"path": "/dev/x", "major": -1}]),
        ("devices.0.containerEdits.deviceNodes", [{"path": "/dev/x", "type": "z"}]),
        ("devices.0.containerEdits.deviceNodes", [{"path": "/dev/x", "permissions": "rx"}]),
        ("devices.0.containerEdits.mounts", [{"hostPath": "/x", "containerPath": "y"}]),
        ("devices.0.containerEdits.mounts", [{"hostPath": "x", "containerPath": "/y"}]),
        ("devices.0.containerEdits.hooks", [{"hookName": "whenever", "path": "/x"}]),
        ("devices.0.containerEdits.hooks", [{"hookName": "prestart", "path": "x"}]),
        ("devices.0.containerEdits.hooks", [{"hookName": "prestart", "path": "/x", "timeout": -1}]),
        ("devices.0.containerEdits.additionalGids", [-1]),
        ("devices.0.containerEdits.additionalGids", [True]),
        ("devices.0.containerEdits.intelRdt", {"closID": 3}),
        ("devices.0.containerEdits.netDevices", []),
        ("containerEdits", []),
    ],
)
def test_wrong_documents_are_refused(where: str, value: object) -> None:
    Document("good.json", GOOD)
    with pytest.raises(UsageError, match=r"CDI specification bad\.json: "):
        Document("bad.json", changed(where, value))


def test_edits_of_a_document_come_once_and_first() -> None:
    document = Document("good.json", GOOD)
    names = ["acme.com/thing=two", "acme.com/thing=one", "acme.com/thing=two"]
    edits = chosen(names, dict.fromkeys(names, document))
    assert [one["env"] for one in edits] == [["COMMON=1"], ["OTHER=two"], ["THING=one"]]
    with pytest.raises(UsageError, match=r"unresolvable CDI devices acme\.com/thing=x, a\.b/c=d"):
        chosen(["acme.com/thing=x", "a.b/c=d"], {})


def write(folder: Path, name: str, content: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_later_folders_win_and_doubles_are_nobodys(tmp_path: Path) -> None:
    first = write(tmp_path / "a", "x.json", GOOD)
    second = write(tmp_path / "b", "y.json", changed("devices.1.name", "three"))
    found, troubles = cdi.devices((str(first), str(second), str(tmp_path / "absent")))
    assert troubles == []
    assert {name: Path(one.source).name for name, one in found.items()} == {
        "acme.com/thing=one": "y.json",
        "acme.com/thing=two": "x.json",
        "acme.com/thing=three": "y.json",
    }
    write(first, "z.json", GOOD)
    found, troubles = cdi.devices((str(first),))
    assert found == {}
    assert "is in" in troubles[0]


def test_hostile_files_are_left_out_and_told(tmp_path: Path) -> None:
    write(tmp_path, "good.json", GOOD)
    write(tmp_path, "broken.json", "{")
    write(tmp_path, "deep.json", "[" * 100000)
    write(tmp_path, "deep.yaml", "[" * 100000)
    write(tmp_path, "big.json", " " * (cdi.LARGEST + 1))
    write(tmp_path, "other.txt", "not read")
    write(tmp_path, "text.yaml", "a: &b 1")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    (tmp_path / "folder.json").mkdir()
    found, troubles = cdi.devices((str(tmp_path),))
    assert set(found) == {"acme.com/thing=one", "acme.com/thing=two"}
    assert len(troubles) == 9


# real containers


@pytest.fixture(scope="module")
def world(tmp_path_factory: Any) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path_factory.mktemp("cdi")))
    yield made
    made.end()


live = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]


def marked(function: Any) -> Any:
    for mark in live:
        function = mark(function)
    return function


def run(world: LiveWorld, folder: Path, *words: str, script: str) -> str:
    asked = (f"--cdi-spec-dir={folder}", "run", "--rm", "--network=none", *words, "--rootfs", world.rootfs)
    return world.ok(*asked, "sh", "-c", script)


SEEN = "echo $COMMON$THING; cat /opt/thing; id; busybox stat -c %t:%T /dev/thing; echo x > /opt/thing || echo ro"


@marked
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_device_brings_all_that_its_specification_says(world: LiveWorld, tmp_path: Path, form: str) -> None:
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\ncat > {tmp_path}/state\necho "$1 $H" > {tmp_path}/ran\n')
    hook.chmod(0o755)
    made = copy.deepcopy(GOOD)
    made["devices"][0]["containerEdits"]["hooks"] = [
        {"hookName": "createRuntime", "path": str(hook), "args": ["hook", "word"], "env": ["H=v", "PATH=/usr/bin:/bin"]}
    ]
    folder = write(tmp_path / "cdi", f"acme.{form}", made if form == "json" else as_yaml(made))
    found = run(world, folder, "--device=acme.com/thing=one", script=SEEN + " 2>/dev/null").splitlines()
    assert found[0] == "1one"
    assert found[1] == Path("/etc/hostname").read_text().strip()
    assert "4321" in found[2]
    assert found[3] == "1:7"
    assert found[4] == "ro"
    assert (tmp_path / "ran").read_text() == "word v\n"
    assert json.loads((tmp_path / "state").read_text())["pid"] > 0


def as_yaml(value: Any, indent: int = 0) -> str:
    """Block style, as tools write it."""
    pad = " " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{key}:{_below(item, indent)}" for key, item in value.items())
    return "".join(f"{pad}-{_below(item, indent)}" for item in value)


def _below(item: Any, indent: int) -> str:
    return "\n" + as_yaml(item, indent + 2) if isinstance(item, dict | list) else f" {json.dumps(item)}\n"


@marked
def test_gpus_are_names_of_nvidias_kind(world: LiveWorld, tmp_path: Path) -> None:
    made = {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": [{"name": name, "containerEdits": {"env": [f"GPU_{name}=yes"]}} for name in ("0", "all")],
    }
    folder = write(tmp_path / "cdi", "nvidia.json", made)
    assert run(world, folder, "--gpus=all", script="echo $GPU_all$GPU_0") == "yes"
    assert run(world, folder, "--gpus=0", "--gpus=all", script="echo $GPU_all$GPU_0") == "yesyes"


@marked
def test_what_there_is_not_is_named_with_where_it_was_looked_for(world: LiveWorld, tmp_path: Path) -> None:
    folder = write(tmp_path / "cdi", "broken.json", "{")
    words = (f"--cdi-spec-dir={folder}", "run", "--rm", "--network=none")
    done = world.run(*words, "--device=acme.com/thing=none", "--rootfs", world.rootfs, "true")
    assert done.returncode == 126
    assert "setting up CDI devices: unresolvable CDI devices acme.com/thing=none" in done.stderr
    assert str(folder) in done.stderr
    assert "broken.json" in done.stderr
    done = world.run(*words, "--gpus=all", "--rootfs", world.rootfs, "true")
    assert "unresolvable CDI devices nvidia.com/gpu=all" in done.stderr
    assert world.ok("ps", "-aq") == ""


@marked
def test_the_folders_may_stand_in_the_configuration(world: LiveWorld, tmp_path: Path) -> None:
    folder = write(tmp_path / "cdi", "acme.json", GOOD)
    conf = tmp_path / "containers.conf"
    conf.write_text(f'[engine]\ncdi_spec_dirs = ["{folder}"]\n')
    env = {**os.environ, "CONTAINERS_CONF": str(conf)}
    words = ("run", "--rm", "--network=none", "--device=acme.com/thing=two", "--rootfs", world.rootfs)
    assert world.ok(*words, "sh", "-c", "echo $OTHER", env=env) == "two"
