"""Hostile archives and documents through every door that takes one: nothing outside changes, nothing hangs or grows."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import hostile_archives
import hostile_manifests
from luck_world import World, busybox_layer, own_network, tar_of, world, write_archive
from peak import watched

from sonata_testkit.registry import FakeRegistry

__all__ = ["own_network", "world"]
pytestmark = pytest.mark.needs_root
SECONDS = 60
"""More than any of them may take, on a slow machine."""
KILOBYTES = 250_000
"""More memory than any of them may need."""


class Doors:
    """A world with a canary beside it, and a look at both after every command."""

    def __init__(self, made: World, folder: Path) -> None:
        self.world, self.folder = made, folder
        self.canary = folder / "canary"
        self.canary.mkdir()
        (self.canary / "file").write_text("safe")
        self.before = self.look()
        made.load()
        made.ok("create", "--name", "c", "--network", "none", "localhost/box:latest", "true")
        made.ok("volume", "create", "v")
        self.kept = made.ok("images", "-q", "--no-trunc")

    def look(self) -> list[tuple[object, ...]]:
        """What must not change: the canary, and names that archives try to make on the host."""
        found: list[tuple[object, ...]] = [("/made", os.path.lexists("/made"))]
        for path in (self.canary, *sorted(self.canary.iterdir())):
            seen = path.lstat()
            found.append(
                (path.name, seen.st_mode, seen.st_uid, seen.st_gid, seen.st_nlink, seen.st_mtime_ns, seen.st_size)
            )
        return found

    def through(self, name: str, *words: str, data: Path | None = None) -> str:
        """Run a command on something hostile; its standard output. It succeeds, or says in a line why not."""
        said = self.folder / "said"
        with open(data or os.devnull, "rb") as given, open(said, "wb") as err, open(self.folder / "out", "wb") as out:
            process = subprocess.Popen(self.world.argv(*words), env=self.world.env, stdin=given, stdout=out, stderr=err)
        used = watched(process, SECONDS)
        text = said.read_text(errors="replace")
        assert process.returncode in (0, 125), (name, words, process.returncode, text[-2000:])
        assert "Traceback" not in text, (name, words, text[-3000:])
        assert process.returncode == 0 or "Error: " in text, (name, words, text[-2000:])
        assert "\x1b" not in text, (name, words, "what a stranger wrote reaches the terminal")
        assert used < KILOBYTES, (name, words, used)
        assert self.look() == self.before, (name, words)
        return (self.folder / "out").read_text(errors="replace")

    def forget(self) -> None:
        """Remove every image that came in."""
        new = set(self.world.ok("images", "-aq", "--no-trunc").split()) - set(self.kept.split())
        if new:
            self.world.ok("rmi", "-f", *new)

    def close(self, name: str) -> None:
        """The store is sound, and holds what it held."""
        self.forget()
        assert self.world.ok("images", "-q", "--no-trunc") == self.kept
        found = self.world.do("system", "check")
        assert found.code == 0, (name, found)
        assert list((self.world.base / "scratch").iterdir()) == []


@pytest.fixture
def doors(world: World, tmp_path: Path) -> Doors:
    return Doors(world, tmp_path)


ARCHIVES = hostile_archives.corpus()
DOCUMENTS = hostile_manifests.corpus()
GROUP = 12


def groups(names: list[str], count: int) -> list[object]:
    """Several to a test, for most of its time goes into its world. So many run always, all others in the long check."""
    drawn = random.Random(2026).sample(names, count)
    rest = [name for name in names if name not in drawn]
    always: list[object] = [drawn[at : at + GROUP] for at in range(0, count, GROUP)]
    return always + [pytest.param(rest[at : at + GROUP], marks=pytest.mark.slow) for at in range(0, len(rest), GROUP)]


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(ARCHIVES) >= 300
    assert len(DOCUMENTS) >= 60


@pytest.mark.parametrize("names", groups(list(ARCHIVES), 24), ids=lambda names: names[0])
def test_archives(doors: Doors, names: list[str]) -> None:
    raw, image = doors.folder / "raw.tar", doors.folder / "image.tar"
    for name in names:
        content = ARCHIVES[name](str(doors.canary))
        raw.write_bytes(content)
        doors.through(name, "import", str(raw), "localhost/hostile:1")
        doors.through(name, "load", "-i", str(raw))
        write_archive(image, "localhost/hostile:2", [busybox_layer(), content], {})
        doors.through(name, "load", "-i", str(image))
        doors.through(name, "volume", "import", "v", str(raw))
        doors.through(name, "cp", "-", "c:/tmp", data=raw)
        layout = doors.folder / "layout"
        made = hostile_manifests.Layout(layout, tar_of(("f", b"x")))
        blob = made.put(content, hostile_manifests.LAYER)
        made.finish(made.document(made.manifest(layers=[made.layer, blob]), hostile_manifests.MANIFEST))
        doors.through(name, "pull", "-q", f"oci:{layout}:x")
        assert "\x1b" not in doors.through(name, "image", "audit", f"oci:{layout}:x"), name
        shutil.rmtree(layout)
        doors.forget()
    doors.close(names[0])


@pytest.mark.parametrize("names", groups(list(DOCUMENTS), 24), ids=lambda names: names[0])
def test_documents(doors: Doors, registry: FakeRegistry, names: list[str]) -> None:
    for name in names:
        layout, copied = doors.folder / "layout", doors.folder / "copied"
        DOCUMENTS[name](hostile_manifests.Layout(layout, tar_of(("f", b"x"))))
        as_an_artifact(doors, name, served(registry, layout))
        doors.through(name, "pull", "-q", f"oci:{layout}:x")
        assert "\x1b" not in doors.through(name, "image", "audit", f"oci:{layout}:x"), name
        doors.through(name, "image", "copy", "-q", f"oci:{layout}:x", f"dir:{copied}")
        doors.through(name, "image", "copy", "-q", "--all", f"oci:{layout}:x", f"oci:{copied}-all:x")
        doors.through(name, "manifest", "inspect", f"oci:{layout}:x")
        for place in (layout, copied, Path(f"{copied}-all")):
            shutil.rmtree(place, ignore_errors=True)
        doors.forget()
    doors.close(names[0])


@pytest.fixture
def registry(own_network: None) -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


def served(registry: FakeRegistry, layout: Path) -> str:
    """What a layout offers as a registry would, and the name that it has there."""
    offered = json.loads((layout / "index.json").read_text())["manifests"][0]
    blobs = {f"sha256:{path.name}": path.read_bytes() for path in (layout / "blobs/sha256").iterdir()}
    registry.blobs["h"] = blobs
    kind = str(offered["mediaType"])
    registry.manifests["h"] = {digest: (kind, content) for digest, content in blobs.items()}
    registry.manifests["h"]["x"] = (kind, blobs.get(offered["digest"], b""))
    return f"{registry.host}/h:x"


def as_an_artifact(doors: Doors, name: str, artifact: str) -> None:
    """Whatever is an artifact of them is looked at, handed out and removed again; the others leave nothing."""
    files = doors.folder / "files"
    files.mkdir()
    doors.through(name, "artifact", "pull", "-q", "--retry=0", "--tls-verify=false", artifact)
    if doors.through(name, "artifact", "ls", "-q"):
        doors.through(name, "artifact", "inspect", artifact)
        doors.through(name, "artifact", "extract", artifact, str(files))
        assert all(path.is_file() and not path.is_symlink() for path in files.iterdir()), name
        doors.world.ok("artifact", "rm", artifact)
    shutil.rmtree(files)
