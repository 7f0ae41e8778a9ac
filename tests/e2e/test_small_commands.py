"""pause, unpause, init and the prunes of single kinds, on real containers."""

from __future__ import annotations

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


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def state(store: PlainStore, name: str) -> str:
    return store.out("inspect", name, "--format", "{{.State.Status}}")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_pause_freezes_and_unpause_thaws(store: PlainStore) -> None:
    store.sleeper("a")
    store.sleeper("b")
    store.out("create", "--name", "c", IMAGE)
    assert store.out("pause", "a") == "a"
    assert state(store, "a") == "paused"
    assert "is already paused" in store.refused("pause", "a")
    assert "running containers" in store.refused("exec", "a", "true")
    all_paused = store.out("pause", "--all").splitlines()
    assert len(all_paused) == 1
    assert state(store, "b") == "paused"
    assert len(store.out("unpause", "-a").splitlines()) == 2
    assert (state(store, "a"), state(store, "b"), state(store, "c")) == ("running", "running", "created")
    assert "is not paused, can't unpause" in store.refused("unpause", "a")
    assert "provide at least one name" in store.refused("pause")


def test_init_creates_without_starting(store: PlainStore) -> None:
    store.out("create", "--network", "none", "--name", "a", IMAGE, "sh", "-c", "echo ran")
    assert store.out("init", "a") == "a"
    assert state(store, "a") == "initialized"
    assert store.out("logs", "a") == ""
    assert "has already been created in runtime" in store.refused("init", "a")
    assert store.out("init", "--all") == ""
    assert store.out("start", "-a", "a") == "ran"


def test_container_prune_leaves_what_runs(store: PlainStore) -> None:
    store.sleeper("up")
    ended = [store.out("create", "--label", "x=1", "--name", "old", IMAGE), store.out("create", "--name", "new", IMAGE)]
    assert store("container", "prune", stdin=b"n\n").stdout.startswith(b"WARNING! This will remove all non running")
    assert store.out("container", "prune", "-f", "--filter", "label=x=1") == ended[0]
    assert "is an invalid filter" in store.refused("container", "prune", "-f", "--filter", "name=new")
    assert store.out("container", "prune", stdin=b"y\n").endswith(ended[1])
    assert store.out("ps", "-a", "--format", "{{.Names}}") == "up"


def test_volume_prune_takes_anonymous_ones_unless_all(store: PlainStore) -> None:
    store.out("volume", "create", "named")
    store.out("create", "--name", "user", "-v", "used:/u", "-v", "/anonymous", IMAGE)
    store.out("create", "--name", "gone", "-v", "/other", IMAGE)
    names = set(store.out("volume", "ls", "-q").splitlines())
    store.out("rm", "gone")
    after = set(store.out("volume", "ls", "-q").splitlines())
    assert names == after  # rm without -v keeps it
    dry = store.out("volume", "prune", "--dry-run")
    assert len(dry) == 64
    assert store.out("volume", "prune", "-f") == dry
    assert store.out("volume", "prune", "-f", "--filter", "all=true") == "named"
    assert "No dangling volumes found" in store.out("volume", "prune", "--all")
    assert len(store.out("volume", "ls", "-q").splitlines()) == 2


def test_image_prune_takes_dangling_ones_unless_all(store: PlainStore) -> None:
    ident = store.out("images", "-q", "--no-trunc").removeprefix("sha256:")
    assert store.out("image", "prune", "-f") == ""
    store.out("untag", IMAGE)
    assert store.out("image", "prune", stdin=b"n\n").startswith("WARNING! This command removes all dangling images.")
    store.out("create", "--name", "user", ident)
    assert store.out("image", "prune", "-af") == ""
    store.out("rm", "user")
    assert store.out("image", "prune", "-f") == ident


def test_ports_of_a_container_that_publishes_none(store: PlainStore) -> None:
    store.sleeper("a")
    assert store.out("port", "a") == store.out("port", "a", "99") == store.out("port", "--latest") == ""


def test_storage_driver_that_is_not_installed_is_no_empty_store(store: PlainStore) -> None:
    for words in (["images"], ["run", "--rm", IMAGE, "true"], ["system", "df"]):
        assert "no storage backend 'bogus' is installed" in store.refused("--storage-driver", "bogus", *words)
    assert not list(store.base.glob("root/bogus*"))


def test_mtab_leads_to_the_table_of_mounts_unless_the_image_has_its_own(store: PlainStore, tmp_path: Path) -> None:
    plain = ("run", "--network", "none")
    assert (
        store.out(*plain, "--name", "a", IMAGE, "sh", "-c", "readlink /etc/mtab; echo own > /tmp/x") == "/proc/mounts"
    )
    assert "mtab" not in store.out("diff", "a")
    store.out(*plain, "--name", "b", IMAGE, "sh", "-c", "rm /etc/mtab; echo own > /etc/mtab")
    store.out("commit", "-q", "b", "localhost/own:1")
    assert store.out(*plain, "--rm", "localhost/own:1", "cat", "/etc/mtab") == "own"


def test_mtab_is_never_made_outside(store: PlainStore, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.mkdir()
    store.out("run", "--network", "none", "--name", "a", IMAGE, "sh", "-c", f"mv /etc /etc2; ln -s {canary} /etc")
    store.out("commit", "-q", "a", "localhost/link:1")
    store("run", "--rm", "--network", "none", "localhost/link:1", "true")
    assert list(canary.iterdir()) == []
