"""`diff` of containers and images, against what was done in them, for each driver."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
WORK = "echo x >/etc/x; echo y >/tmp/y; busybox mkdir /tmp/d; busybox rm /bin/env; busybox chmod 700 /bin"
CHANGED = "C /bin\nD /bin/env\nC /etc\nA /etc/x\nC /tmp\nA /tmp/d\nA /tmp/y"
"""What Podman 5.8 says after that work."""


@pytest.fixture(params=["overlay", "vfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, request.param, who=who)
    yield made
    made.close()


def test_a_container_differs_by_what_was_done_in_it(store: PlainStore) -> None:
    store.out("run", "--name", "a", "--network", "none", IMAGE, "sh", "-c", WORK)
    store.out("create", "--name", "b", IMAGE)
    assert store.out("diff", "a") == CHANGED
    assert store.out("container", "diff", "a", "b") == CHANGED
    assert store.out("diff", "a", IMAGE) == CHANGED
    back = CHANGED.replace("A ", "X ").replace("D ", "A ").replace("X ", "D ")
    assert store.out("diff", "b", "a") == back
    assert store.out("diff", "b") == ""
    assert json.loads(store.out("diff", "--format", "json", "a")) == {
        "changed": ["/bin", "/etc", "/tmp"],
        "added": ["/etc/x", "/tmp/d", "/tmp/y"],
        "deleted": ["/bin/env"],
    }
    assert store.out("diff", "--latest") == ""


def test_an_image_differs_by_its_top_layer(store: PlainStore) -> None:
    lines = store.out("image", "diff", IMAGE).splitlines()
    assert lines[:2] == ["A /bin", "A /bin/busybox"]
    assert lines[-1] == "A /tmp"
    assert store.out("diff", IMAGE).splitlines() == lines


def test_refusals_are_podmans(store: PlainStore) -> None:
    assert store.refused("diff", "nosuch") == "Error: nosuch not found: layer not known"
    assert store.refused("image", "diff", "nosuch") == "Error: nosuch not found: nosuch: image not known"
    assert store.refused("container", "diff", IMAGE) == f"Error: {IMAGE} not found: container not known"
    assert store.refused("diff", "--format", "{{.}}", IMAGE) == "Error: only supported value for '--format' is 'json'"


def test_users_of_the_container_that_it_changed_itself_are_shown(store: PlainStore) -> None:
    script = "rm /etc/group; echo more:x:9:9::/: >>/etc/passwd; echo x >/etc/own"
    store.out("run", "--name=root", "--network=none", IMAGE, "sh", "-c", f"mkdir -p /etc; touch /etc/group; {script}")
    shown = store.out("diff", "root").splitlines()
    assert any(line[2:] == "/etc/passwd" for line in shown)
    store.out("run", "--name=other", "--network=none", "--user=4321", IMAGE, "true")
    assert not any(line.endswith(("/etc/passwd", "/etc/group")) for line in store.out("diff", "other").splitlines())
