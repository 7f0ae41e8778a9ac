"""A list of images is changed item by item: killed at any step it is as before or as it was to be, and it mends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonata.image.index import parse_list
from sonata.store.records import NewImage
from sonata.store.store import Store
from sonata_core.models.ids import ImageId

sys.path.insert(0, str(Path(__file__).parent))
from store_world import open_store

pytestmark = pytest.mark.heavy
LIST = ImageId("ab" * 32)
DIGESTS = [f"sha256:{sign * 64}" for sign in "01"]

KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_manifest_crash import LIST, items, open_store
store = open_store(Path(sys.argv[2]))
step, count = int(sys.argv[3]), 0
def hook(event, args):
    global count
    if event in ("os.rename", "os.mkdir") or (event == "open" and isinstance(args[2], int) and args[2] & os.O_CREAT):
        count += 1
        if count == step:
            os.kill(os.getpid(), 9)
sys.addaudithook(hook)
store.replace_items(store.find_image(LIST), items(int(sys.argv[4])))
print(count)
"""


def items(count: int) -> tuple[tuple[str, bytes], ...]:
    """A list of so many instances."""
    kind = "application/vnd.oci.image.manifest.v1+json"
    rows = [{"mediaType": kind, "digest": digest, "size": 3} for digest in DIGESTS[:count]]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": rows}
    places = {"": str(LIST), **{digest: "docker://x.example/y:z" for digest in DIGESTS[:count]}}
    return (
        ("manifest", json.dumps(index).encode()),
        ("instances.json", json.dumps(places).encode()),
        ("artifacts.json", b"{}"),
    )


def run(top: Path, step: int, count: int) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(top), str(step), str(count)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)


def made(top: Path, count: int) -> Store:
    store = open_store(top)
    store.put_image(NewImage(id=LIST, layer=None, big_data=items(count), names=("localhost/list:latest",)))
    assert store.check().left == ()
    return store


def found(store: Store) -> tuple[list[str], dict[str, str]]:
    record = store.find_image(LIST)
    assert record is not None
    images = parse_list(store.image_data(record, "manifest"))
    places: dict[str, str] = json.loads(store.image_data(record, "instances.json"))
    return [one.digest for one in images.entries or ()], places


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
def test_a_list_killed_at_any_step(tmp_path: Path, before: int, after: int) -> None:
    made(tmp_path / "count", before)
    steps = int(run(tmp_path / "count", 0, after).stdout)
    assert steps > 3
    late = 0
    for step in range(1, steps + 1):
        top = tmp_path / f"step{step}"
        store = made(top, before)
        assert run(top, step, after).returncode == -9
        digests, places = found(store)
        assert len(digests) in (before, after)
        assert all(digest in places for digest in digests)  # whatever is listed can be found
        kinds = {one.kind for one in store.check().left}
        assert kinds <= {"list", "temporary"}
        late += "list" in kinds
        assert store.check(repair=True).left == ()
        assert found(store) == (digests, places)
        record = store.find_image(LIST)
        assert record is not None
        store.replace_items(record, items(after))
        assert found(store)[0] == DIGESTS[:after]
        assert store.check().left == ()
    assert late  # a record that lagged behind was seen, and mended


def test_a_list_that_is_broken_is_no_late_one(tmp_path: Path) -> None:
    store = made(tmp_path, 2)
    (tmp_path / f"graph/overlay-images/{LIST}/instances.json").write_bytes(b"{")
    assert {one.kind for one in store.check().left} == {"image"}
