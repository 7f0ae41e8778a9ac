"""Command lines that are wrong, and what Podman 5.8 says of them: the same exit code, the same words.

The reference is `data/bad_flags.json`: words, exit code and stderr of Podman 5.8.6 with one created
container `c1` and one image. A few answers are meant to differ; they are named below, with the reason.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from both_ways import Root
from luck_world import IMAGE, World, own_network

__all__ = ["own_network"]
pytestmark = pytest.mark.needs_root

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data/bad_flags.json").read_text())

OURS = {
    "run --cpus -1 IMG true": "must not be negative",
    "run --oom-score-adj 2000 IMG true": "it lies between -1000 and 1000",
    "run --network container:nothing IMG true": 'no container with name or ID "nothing" found: no such container',
    "run --workdir relative IMG true": 'workdir "/relative" does not exist on container',
    "run --platform bogus/bogus/a/b IMG true": "platform must be of the form os/arch[/variant]",
    "run --group-add nosuch IMG true": "unable to find group nosuch: no matching entries in group file",
    "logs --since x c1": '"x"',
    "attach c1": "you can only attach to running containers",
    "top c1": "top can only be used on running containers",
    "inspect --type bogus c1": 'invalid type "bogus": must be',
    "inspect --format {{.Bogus}} c1": "can't evaluate field Bogus in type",
    "tag IMG UPPER": "repository name must be lowercase",
    "pull docker:x": "/docker:x",
    "pull bogus://x": "invalid reference format",
    "pull --creds x localhost:1/x": "could not read password from terminal",
    "load -i /nosuch": "/nosuch: no such file or directory",
    "network create --driver bogus n": 'failed to find driver or plugin "bogus"',
    "network rm podman": "default network podman cannot be removed",
    "volume create bad name": "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
}
"""Where Sonata refuses earlier, says more, or has less to offer: the words, and what it must say."""

UNLIMITED = "Resource limits are not supported and ignored on cgroups V1 rootless systems"
"""What an ordinary user is told where control groups of version 1 are root's alone, by Podman too."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("flags"), who)
    made.load()
    made.ok("create", "--name", "c1", IMAGE, "true")
    yield made
    made.clear()


def plain(text: str) -> list[str]:
    """What counts of a message: without ids, hints, and the program's own name."""
    text = re.sub(r"[0-9a-f]{64}", "ID", text).replace("podman", "sonata").replace("Podman", "Sonata")
    passed_over = ("  hint:", "Did you", "\t", "Trying to pull ")
    kept = [line for line in text.splitlines() if line and not line.startswith(passed_over)]
    return [line.removeprefix("Error: ").removeprefix("Warning: ") for line in kept]


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case["words"]).replace(IMAGE, "IMG"))
def test_as_podman(crowd: World, case: dict[str, Any]) -> None:
    words = case["words"]
    before = crowd.rows("container")
    done = crowd.do(*words)
    line = " ".join(words).replace(IMAGE, "IMG")
    if "--blkio-weight" in words and done.code == 0 and not done.err:
        assert list(Path("/sys/fs/cgroup/blkio").glob("*/blkio.bfq.weight")), "nothing takes the weight"
        return
    if crowd.who.ordinary and {"--blkio-weight", "--memory"} & set(words) and plain(done.err) == [UNLIMITED]:
        assert done.code == 0
        return
    if line in OURS:
        assert OURS[line] in done.err, done
        return
    assert done.code == case["code"], (done, case["stderr"])
    assert plain(done.err) == plain(case["stderr"]), done
    if done.code == 125:
        assert crowd.rows("container") == before
