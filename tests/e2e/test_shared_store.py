"""The driver's folder beside Buildah: mounts that one of the two made earlier can still be taken away."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_peer("buildah")]


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def buildah(store: PlainStore, *words: str) -> str:
    where = ["--root", f"{store.base}/root", "--runroot", f"{store.base}/run", "--storage-driver", "overlay"]
    argv = ["buildah", *where, *words]
    inside = store.who.within(*argv)
    return subprocess.run(inside, check=True, capture_output=True, text=True, cwd="/").stdout


def mounted(store: PlainStore) -> list[tuple[str, str]]:
    """Where something is mounted in the driver's folder, and what mountinfo says of its propagation."""
    home = f"{store.base}/root/overlay"
    lines = store.who.mountinfo()
    return [(line[4].removeprefix(home), line[6]) for line in lines if f"{line[4]}/".startswith(f"{home}/")]


def test_what_buildah_binds_over_itself_hides_no_container(store: PlainStore) -> None:
    for name in ("one", "two"):
        store.sleeper(name)
    first, *others = mounted(store)
    assert first == ("", "-")
    assert len(others) == 2
    buildah(store, "images")
    # Bound once more, it would lie over the containers' mounts.
    assert mounted(store) == [first, *others]
    theirs = buildah(store, "from", "--pull-never", IMAGE).strip()
    buildah(store, "mount", theirs)
    assert store.out("exec", "one", "cat", "/proc/1/comm") == "sleep"
    store.out("rm", "-f", "-t0", "one", "two")
    assert len(mounted(store)) == 2
    buildah(store, "umount", theirs)
    buildah(store, "rm", theirs)
    store.out("run", "--rm", "--network=none", IMAGE, "true")
    assert mounted(store) == []


def test_the_configuration_can_forbid_it(store: PlainStore) -> None:
    store.options += ["--storage-opt", "overlay.skip_mount_home=true"]
    store.sleeper("one")
    assert [where for where, _ in mounted(store) if not where] == []
    store.out("rm", "-f", "-t0", "one")
