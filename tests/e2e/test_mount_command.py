"""`mount` and `unmount` of containers: counted, listed, and never taken from under a container that runs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path)
    yield made
    made.close()


def test_mounts_are_counted(store: PlainStore) -> None:
    ident = store.out("create", "--name", "m", IMAGE, "sh")
    assert store.out("mount") == ""
    path = store.out("mount", "m")
    assert Path(path, "bin/busybox").is_file()
    Path(path, "made").write_text("on the host")
    assert store.out("container", "mount", "m") == path
    assert store.out("mount") == f"{ident[:12]}  {path}"
    assert store.out("mount", "--notruncate") == f"{ident}  {path}"
    assert json.loads(store.out("mount", "--format", "json")) == [{"id": ident, "Names": ["m"], "mountpoint": path}]
    assert 'unknown --format argument: "x"' in store.refused("mount", "--format", "x")
    assert store.out("unmount", "m") == "m"
    assert os.path.ismount(path)
    assert store.out("umount", "m") == "m"
    assert not os.path.ismount(path)
    assert store.out("container", "umount", "m") == "m"  # not mounted is success
    store.out("mount", "m")
    store.out("mount", "m")
    assert store.out("unmount", "-f", "--all") == ident
    assert not os.path.ismount(path)
    assert store.out("diff", "m") == "A /made"
    assert "no such container" in store.refused("mount", "nosuch")


def test_what_runs_stays_mounted(store: PlainStore) -> None:
    store.sleeper("up")
    path = store.out("mount", "up")
    store.out("unmount", "-af")
    store.out("unmount", "up")
    assert os.path.ismount(path)
    assert store.out("exec", "up", "echo", "alive") == "alive"
    store.out("rm", "-ft0", "up")
    assert not os.path.ismount(path)
