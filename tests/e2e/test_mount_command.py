"""`mount` and `unmount` of containers: counted, listed, and never taken from under a container that runs."""

from __future__ import annotations

import json
import shutil
import subprocess
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


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def is_mount(store: PlainStore, path: str) -> bool:
    return path in (words[4] for words in store.who.mountinfo())


def test_mounts_are_counted(store: PlainStore) -> None:
    ident = store.out("create", "--name", "m", IMAGE, "sh")
    assert store.mounting("mount") == ""
    path = store.mounting("mount", "m")
    assert (store.who.seen(path) / "bin/busybox").is_file()
    subprocess.run(store.who.within("sh", "-c", f"echo on the host >{path}/made"), check=True)
    assert store.mounting("container", "mount", "m") == path
    assert store.mounting("mount") == f"{ident[:12]}  {path}"
    assert store.mounting("mount", "--notruncate") == f"{ident}  {path}"
    assert json.loads(store.mounting("mount", "--format", "json")) == [
        {"id": ident, "Names": ["m"], "mountpoint": path}
    ]
    assert store.mounting("unmount", "m") == "m"
    assert is_mount(store, path)
    assert store.mounting("umount", "m") == "m"
    assert not is_mount(store, path)
    assert store.mounting("container", "umount", "m") == "m"  # not mounted is success
    store.mounting("mount", "m")
    store.mounting("mount", "m")
    assert store.mounting("unmount", "-f", "--all") == ident
    assert not is_mount(store, path)
    assert store.out("diff", "m") == "A /made"


def test_what_runs_stays_mounted(store: PlainStore) -> None:
    store.sleeper("up")
    path = store.mounting("mount", "up")
    store.mounting("unmount", "-af")
    store.mounting("unmount", "up")
    assert is_mount(store, path)
    assert store.out("exec", "up", "echo", "alive") == "alive"
    store.out("rm", "-ft0", "up")
    assert not is_mount(store, path)


def test_wrong_words(store: PlainStore) -> None:
    assert 'unknown --format argument: "x"' in store.mounting_refused("mount", "--format", "x")
    assert "no such container" in store.mounting_refused("mount", "nosuch")


def test_who_has_no_right_is_sent_to_his_own_namespaces(store: PlainStore, who: Root) -> None:
    store.out("create", "--name", "m", IMAGE, "sh")
    if who.ordinary:
        told = 'cannot run command "sonata mount" in rootless mode, must execute `sonata unshare` first'
        assert told in store.refused("mount", "m")
    else:
        assert store.refused("unshare", "true") == "Error: please use unshare with rootless"
