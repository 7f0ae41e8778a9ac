"""image audit, on an image made for it: what is printed, as JSON, and the exit code that a script asks for."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from luck_world import World, bare, tar_of  # noqa: F401 - a fixture

pytestmark = pytest.mark.needs_root


def setuid(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.mode = 0o4755
    return made


@pytest.fixture
def image(bare: World) -> str:  # noqa: F811
    first = tar_of(setuid("bin/su"), ("out", "→ ../../etc"), ("big", b"x" * 100_000))
    second = tar_of((".wh.big", b""), ("srv/\x1b[31mred.p12", b"0"))
    return bare.load("localhost/odd:1", [first, second], Env=["PATH=/bin", "DB_PASSWORD=hunter22"], User="7")


def test_the_table_and_the_summary(bare: World, image: str) -> None:  # noqa: F811
    lines = bare.ok("image", "audit", image).splitlines()
    assert lines[0].split() == ["KIND", "LAYER", "PATH", "DETAIL"]
    rows = {(line.split()[0], line.split()[2]) for line in lines[1 : lines.index("")]}
    assert rows == {
        ("setuid", "bin/su"),
        ("link", "out"),
        ("secret", "environment"),
        ("secret", "srv/\\x1b[31mred.p12"),
    }
    told = dict(line.split(":", 1) for line in lines[lines.index("") + 1 :])
    assert told["Image"].split()[1] == image
    assert told["Layers"].strip().startswith("3, ")
    assert told["Waste"].strip().startswith("100kB")
    assert told["Policy"].split() == [f"docker://{image}", "accepted", "by", "default"]
    assert "hunter22" not in "".join(lines)


def test_json(bare: World, image: str) -> None:  # noqa: F811
    found = json.loads(bare.ok("image", "audit", "--format=json", image))
    assert found["Names"] == [image]
    assert [one["Wasted"] for one in found["Layers"]] == [0, 100_000, 0]
    kinds = [one["Kind"] for one in found["Findings"]]
    assert sorted(kinds) == ["link", "secret", "secret", "setuid"]
    assert {one["Layer"] for one in found["Findings"]} <= {"", *(one["Digest"] for one in found["Layers"])}
    assert bare.ok("image", "audit", "--format={{.Kind}}", image).split() == kinds


def test_the_exit_code_that_a_script_asks_for(bare: World, image: str) -> None:  # noqa: F811
    assert bare.do("image", "audit", "--fail-on=setuid,device", image).code == 1
    assert bare.do("image", "audit", "--fail-on=any", image).code == 1
    assert bare.do("image", "audit", "--fail-on=device", "--fail-on", "capability", image).code == 0
    bare.fails(125, "there is no such kind", "image", "audit", "--fail-on=nothing", image)
    bare.fails(125, "nosuch: image not known", "image", "audit", "nosuch")


def test_nothing_is_written_or_left_mounted(bare: World, image: str) -> None:  # noqa: F811
    before = sorted(str(path) for path in Path(bare.root).rglob("*"))
    bare.ok("image", "audit", image)
    assert sorted(str(path) for path in Path(bare.root).rglob("*")) == before
    assert bare.mounts() == []
