"""A push after a pull, or after another push, takes from next door what is there already."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata.image.blob_places import BlobPlaces
from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

PLAIN = "--tls-verify=false"


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


@pytest.mark.needs_root
@pytest.mark.parametrize("auth", ["", "bearer"])
def test_a_push_after_a_pull_uploads_nothing(store: PlainStore, auth: str) -> None:
    with FakeRegistry(auth=auth) as registry:
        login = "--creds=user:secret"
        store.out("push", "-q", PLAIN, login, IMAGE, f"docker://{registry.host}/first/box:1")
        assert registry.seen("PATCH", "/first/")
        registry.requests.clear()
        store.out("push", "-q", PLAIN, login, IMAGE, f"docker://{registry.host}/second/box:1")
        assert not registry.seen("PATCH", "/second/")
        assert not registry.seen("PUT", "/second/box/blobs/")
        assert registry.seen("POST", "from=first%2Fbox")
        (store.base / "root/sonata/blob-places.db").unlink()
        store.out("pull", "-q", PLAIN, login, f"{registry.host}/first/box:1")
        registry.requests.clear()
        name = f"{registry.host}/first/box:1"
        store.out("push", "-q", PLAIN, login, name, f"docker://{registry.host}/third/box:1")
        assert not registry.seen("PATCH", "/third/")
        kept = registry.manifests
        assert kept["third/box"]["1"] == kept["first/box"]["1"]
        (store.base / "root/sonata/blob-places.db").unlink()
        copied = f"docker://{registry.host}/copied/box:1"
        store.out("image", "copy", "-q", PLAIN, f"--src-{login[2:]}", f"--dest-{login[2:]}", f"docker://{name}", copied)
        assert not registry.seen("PATCH", "/copied/") + registry.seen("PUT", "/copied/box/blobs/")
        assert kept["copied/box"]["1"] == kept["first/box"]["1"]
        registry.trouble.refuse_mount = True
        store.out("push", "-q", PLAIN, login, name, f"docker://{registry.host}/fourth/box:1")
        assert registry.seen("PATCH", "/fourth/")
        assert not registry.uploads


def test_places_are_bounded_and_a_broken_file_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sonata/places.db"
    places = BlobPlaces(str(path))
    assert places.find("h", "sha256:a") == ()
    places.learn("h", "one", ["sha256:a", "sha256:b"])
    places.learn("h", "two", ["sha256:a"])
    assert places.find("h", "sha256:a") == ("two", "one")
    assert places.find("other", "sha256:a") == ()
    monkeypatch.setattr("sonata.image.blob_places.MOST", 10)
    for number in range(30):
        places.learn("h", "three", [f"sha256:{number}"])
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM places").fetchone()[0] <= 10
    database.close()
    assert places.find("h", "sha256:29") == ("three",)
    path.write_bytes(b"nonsense" * 1000)
    assert places.find("h", "sha256:29") == ()
    places.learn("h", "one", ["sha256:a"])
    assert places.find("h", "sha256:a") == ("one",)
    path.unlink()
    path.mkdir()
    places.learn("h", "one", ["sha256:a"])
    assert places.find("h", "sha256:a") == ()
