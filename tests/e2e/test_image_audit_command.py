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
    assert lines[0].split() == ["SEVERITY", "ID", "LAYER", "PATH", "DETAIL"]
    rows = [(line.split()[0], line.split()[1], line.split()[3]) for line in lines[1 : lines.index("")]]
    assert rows == [
        ("high", "secret-environment", "environment"),
        ("medium", "link-above-root", "out"),
        ("low", "private-key-encrypted", "srv/\\x1b[31mred.p12"),
        ("low", "setuid-usual", "bin/su"),
        ("info", "unsigned", "policy"),
    ]
    told = dict(line.split(":", 1) for line in lines[lines.index("") + 1 :])
    assert told["Image"].split()[1] == image
    assert told["Findings"].strip() == "1 high, 1 medium, 2 low, 1 info"
    assert told["Layers"].strip().startswith("3, ")
    assert told["Waste"].strip().startswith("100kB")
    assert told["Policy"].split() == [f"docker://{image}", "accepted", "by", "default"]
    assert "hunter22" not in "".join(lines)


def test_json_and_templates(bare: World, image: str) -> None:  # noqa: F811
    found = json.loads(bare.ok("image", "audit", "--format=json", image))
    assert found["Names"] == [image]
    assert [one["Wasted"] for one in found["Layers"]] == [0, 100_000, 0]
    ids = [one["Id"] for one in found["Findings"]]
    assert sorted(ids) == ["link-above-root", "private-key-encrypted", "secret-environment", "setuid-usual", "unsigned"]
    assert {one["Layer"] for one in found["Findings"]} <= {"", *(one["Digest"] for one in found["Layers"])}
    assert bare.ok("image", "audit", "--format={{.ID}}", image).split() == ids
    listed = bare.ok("image", "audit", "--severity=medium", "--format={{.Severity}} {{.Kind}}", image)
    assert listed.splitlines() == ["high secret", "medium link"]


def test_sarif(bare: World, image: str) -> None:  # noqa: F811
    found = json.loads(bare.ok("image", "audit", "--skip=trust", "--format=sarif", image))
    assert found["version"] == "2.1.0"
    (run,) = found["runs"]
    rules = [one["id"] for one in run["tool"]["driver"]["rules"]]
    assert rules == ["link-above-root", "private-key-encrypted", "secret-environment", "setuid-usual"]
    assert [rules[one["ruleIndex"]] == one["ruleId"] for one in run["results"]] == [True] * 4
    assert {one["level"] for one in run["results"]} == {"error", "warning", "note"}


def test_the_exit_code_that_a_script_asks_for(bare: World, image: str) -> None:  # noqa: F811
    for word in ("setuid,device", "any", "low", "high", "secret-environment"):
        assert bare.do("image", "audit", f"--fail-on={word}", "--severity=critical", image).code == 1, word
    for word in ("device", "critical"):
        assert bare.do("image", "audit", f"--fail-on={word}", "--fail-on", "capability", image).code == 0, word
    assert bare.do("image", "audit", "--fail-on=high", "--skip=secret", image).code == 0
    assert bare.do("image", "audit", "--fail-on=high", "--check=secret,link", image).code == 1
    bare.fails(125, "there is no such check", "image", "audit", "--fail-on=nothing", image)
    bare.fails(125, "--fail-on names no check that is looked for", *FAILING, "--check=link", image)
    bare.fails(125, "nosuch: image not known", "image", "audit", "nosuch")


FAILING = ("image", "audit", "--fail-on=secret")


def test_what_is_known_and_accepted(bare: World, image: str) -> None:  # noqa: F811
    known = bare.base / "known"
    known.write_text("secret-* environment # of a test\nsetuid-usual bin/s?\ndevice*\nlink-above-root until=2001-01-01")
    given = ("image", "audit", "--fail-on=high", f"--ignore-file={known}", image)
    done = bare.do(*given)
    assert done.code == 0
    assert "\nIgnored:    2\nUnused:     device* of the ignore list takes nothing\n" in done.out
    assert "link-above-root" in done.out
    known.write_text("secret environment\n")
    bare.fails(
        125, f"{known}: line 1 of the ignore list: there is no check secret", *FAILING, f"--ignore-file={known}", image
    )
    bare.fails(125, "no such file", *FAILING, "--ignore-file=/nonexistent", image)


def test_the_same_in_every_place(bare: World, image: str) -> None:  # noqa: F811
    def told(name: str) -> list[object]:
        found = json.loads(bare.ok("image", "audit", "--format=json", name))
        layers = [(one["Digest"], one["Wasted"]) for one in found["Layers"]]
        return [found["Id"], layers, [{**one, "Path": one["Path"]} for one in found["Findings"]]]

    wanted = told(image)
    for place in ("oci", "dir", "oci-archive", "docker-archive"):
        bare.ok("image", "copy", "-q", f"containers-storage:{image}", f"{place}:{bare.base}/{place}")
        found = told(f"{place}:{bare.base}/{place}")
        assert found[1:] == wanted[1:], place
        assert (found[0] != wanted[0]) is place.startswith("oci"), place
    assert told(f"containers-storage:{image}") == wanted
    policy = bare.base / "policy.json"
    policy.write_text('{"default": [{"type": "reject"}]}')
    done = bare.do("image", "audit", f"--signature-policy={policy}", "--fail-on=trust", f"oci:{bare.base}/oci")
    assert done.code == 1
    assert "policy-rejected" in done.out
    bare.fails(125, "the image here is one for", "image", "audit", "--platform=linux/s390x", image)


def test_a_blob_that_is_another(bare: World, image: str) -> None:  # noqa: F811
    bare.ok("image", "copy", "-q", f"containers-storage:{image}", f"dir:{bare.base}/dir")
    blob = max((bare.base / "dir").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    assert bare.do("image", "audit", f"dir:{bare.base}/dir").code == 125


def test_nothing_is_written_or_left_mounted(bare: World, image: str) -> None:  # noqa: F811
    before = sorted(str(path) for path in Path(bare.root).rglob("*"))
    bare.ok("image", "audit", image)
    assert sorted(str(path) for path in Path(bare.root).rglob("*")) == before
    assert bare.mounts() == []
