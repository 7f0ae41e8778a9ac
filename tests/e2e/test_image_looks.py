"""image tree, on images that are built upon each other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root
UPON = "localhost/upon:1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path)
    made.out("create", "--name", "c", IMAGE)
    (tmp_path / "file").write_text("more")
    made.out("cp", str(tmp_path / "file"), "c:/file")
    made.out("commit", "-q", "c", UPON)
    made.out("tag", UPON, "localhost/upon:two")
    made.out("rm", "c")
    yield made
    made.close()


def test_tree_names_layers_and_tags(store: PlainStore) -> None:
    lines = store.out("image", "tree", UPON).splitlines()
    image = store.out("images", "-q", UPON).split()[0]
    assert lines[0] == f"Image ID: {image}"
    assert set(lines[1].removeprefix("Tags:     [").rstrip("]").split()) == {UPON, "localhost/upon:two"}
    assert lines[3] == "Image Layers"
    assert lines[4].startswith("├── ID: ")
    assert lines[4].endswith(f"Top Layer of: [{IMAGE}]")
    assert lines[5].startswith("└── ID: ")
    assert len(lines) == 6
    assert "nosuch: image not known" in store.refused("image", "tree", "nosuch")


def test_tree_of_what_is_built_upon_it(store: PlainStore) -> None:
    own = store.out("image", "tree", IMAGE).splitlines()
    upon = store.out("image", "tree", "--whatrequires", IMAGE).splitlines()
    assert upon[:4] == own[:4]
    assert [line.endswith(f"[{IMAGE}]") for line in upon[4:]] == [True, False]
    assert "localhost/upon:two" in upon[5]
    assert len(own) == 5


@pytest.mark.needs_peer("podman")
def test_podman_draws_the_same(store: PlainStore, tmp_path: Path) -> None:
    with TemporaryDirectory() as runroot:  # which Podman wants shorter than 50 characters
        podman = ["podman", "--root", f"{tmp_path}/root", "--runroot", runroot, "--storage-driver=overlay"]
        for words in (("image", "tree", UPON), ("image", "tree", "--whatrequires", IMAGE)):
            done = subprocess.run([*podman, *words], capture_output=True, text=True, check=False)
            assert done.stdout.rstrip("\n") == store.out(*words), done.stderr
