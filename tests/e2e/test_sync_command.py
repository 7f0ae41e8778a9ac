"""image sync: what is listed, where it goes, and that a second run copies nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root

from sonata_testkit.registry import FakeRegistry

pytestmark = pytest.mark.needs_root
PLAIN = "--tls-verify=false"


class Mirror:
    """The program, and two registries."""

    def __init__(self, base: Path, source: FakeRegistry, goal: FakeRegistry, who: Root) -> None:
        self.who = who
        self.store = ["--root", f"{base}/root", "--runroot", f"{base}/run"]
        self.base, self.source, self.goal = base, source, goal

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.who.adopt(self.base, but=("root", "run"))
        command = self.who.argv([*self.store, "image", "sync", PLAIN, *words])
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def out(self, *words: str) -> str:
        """What it tells when all goes well."""
        done = self(*words)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def tags(self, repository: str) -> set[str]:
        """Of the goal."""
        return {tag for tag in self.goal.manifests.get(repository, {}) if ":" not in tag}


@pytest.fixture
def mirror(tmp_path: Path, who: Root) -> Iterator[Mirror]:
    with FakeRegistry() as source, FakeRegistry() as goal:
        for tag in ("1.0", "1.1", "1.1-rc1", "2.0", "latest"):
            source.add_image("team/app", tag, [b"base", tag.encode()], gzipped=True)
        source.add_image("team/tool", "v3", [b"base", b"tool"], gzipped=True)
        yield Mirror(tmp_path, source, goal, who)


def test_a_repository_and_again(mirror: Mirror) -> None:
    words = ("--src=docker", "--dest=docker", f"{mirror.source.host}/team/app", f"{mirror.goal.host}/copies")
    told = mirror.out("--dry-run", *words)
    assert "Would have copied image ref 1/5" in told
    assert "Would have synced 5 images from 1 sources" in told
    assert not mirror.goal.manifests
    one = (*words[:2], f"{words[2]}:1.0", words[3])
    assert "Synced 1 images" in mirror.out(*one)
    told = mirror.out("--dry-run", *words)
    assert "Already there: image ref" in told
    assert "Would have synced 4 images" in told
    mirror.goal.manifests.clear()
    assert "Synced 5 images from 1 sources" in mirror.out(*words)
    assert mirror.tags("copies/app") == {"1.0", "1.1", "1.1-rc1", "2.0", "latest"}
    mirror.goal.requests.clear()
    told = mirror.out(*words)
    assert told.count("Already there: image ref") == 5
    assert "Synced 0 images from 1 sources" in told
    assert not [one for one in mirror.goal.requests if one.method not in ("GET", "HEAD")]
    mirror.source.add_image("team/app", "latest", [b"new"], gzipped=True)
    assert "Synced 1 images" in mirror.out(*words)


@pytest.mark.parametrize(
    ("filters", "tags"),
    [
        (("tag=^1",), {"1.0", "1.1", "1.1-rc1"}),
        (("semver=>= 1.1",), {"1.1", "2.0"}),
        (("semver=1.x", "tag=1$"), {"1.1"}),
        (("semver=~1.1.0-0 || 2",), {"1.1", "1.1-rc1", "2.0"}),
    ],
)
def test_filters(mirror: Mirror, filters: tuple[str, ...], tags: set[str]) -> None:
    given = [f"--filter={one}" for one in filters]
    mirror.out("-s=docker", "-d=docker", *given, f"{mirror.source.host}/team/app", mirror.goal.host)
    assert mirror.tags("app") == tags


def test_names_in_the_destination(mirror: Mirror, tmp_path: Path) -> None:
    one = f"{mirror.source.host}/team/app:1.0"
    mirror.out("--src=docker", "--dest=docker", "--append-suffix=-copy", one, mirror.goal.host)
    assert mirror.tags("app") == {"1.0-copy"}
    mirror.out("--src=docker", "--dest=dir", "--scoped", f"--digestfile={tmp_path}/digests", one, f"{tmp_path}/tree")
    place = f"{tmp_path}/tree/{one}"
    assert Path(place, "manifest.json").is_file()
    digest = next(key for key in mirror.source.manifests["team/app"] if ":" in key)
    assert Path(tmp_path, "digests").read_text() == f"{digest} dir:{place}\n"
    again = ("--src=docker", "--dest=dir", "--scoped", f"--digestfile={tmp_path}/digests", one, f"{tmp_path}/tree")
    assert "Synced 0" in mirror.out(*again)
    assert Path(tmp_path, "digests").read_text() == f"{digest} dir:{place}\n"
    told = mirror.out("--src=docker", "--dest=dir", "--scoped", "--dry-run", one, f"{tmp_path}/none")
    assert "Would have synced 1" in told
    assert not Path(tmp_path, "none").exists()


def test_folders_back_into_a_registry(mirror: Mirror, tmp_path: Path) -> None:
    mirror.out("--src=docker", "--dest=dir", f"{mirror.source.host}/team/app", f"{tmp_path}/tree")
    assert sorted(path.name for path in (tmp_path / "tree").iterdir()) == [
        "app:1.0",
        "app:1.1",
        "app:1.1-rc1",
        "app:2.0",
        "app:latest",
    ]
    mirror.out("--src=dir", "--dest=docker", f"{tmp_path}/tree", f"{mirror.goal.host}/back")
    assert mirror.goal.manifests["back/app"]["2.0"] == mirror.source.manifests["team/app"]["2.0"]


def test_a_file_of_registries(mirror: Mirror, tmp_path: Path) -> None:
    listed = {
        mirror.source.host: {
            "images": {"team/tool": [], "team/none": ["1"]},
            "images-by-tag-regex": {"team/app": "^(latest|2.0)$"},
            "images-by-semver": {"team/app": ">= 2"},
            "tls-verify": False,
        }
    }
    path = tmp_path / "list.yml"
    path.write_text(json.dumps(listed))
    words = ("--src=yaml", "--dest=docker", str(path), mirror.goal.host)
    assert mirror(*words).returncode != 0
    done = mirror("--keep-going", *words)
    assert done.returncode != 0
    assert "Sync failed due to previous reported error(s) for one or more images" in done.stderr
    assert mirror.tags("app") == {"latest", "2.0"}
    assert mirror.tags("tool") == {"v3"}
    assert done.stderr.count("app:2.0 to ") == 1


def test_wrong_words(mirror: Mirror, tmp_path: Path) -> None:
    def told(*words: str) -> str:
        done = mirror(*words)
        assert done.returncode == 125
        return done.stderr

    assert "A source transport must be specified" in told("--dest=dir", "x", "y")
    assert "A destination transport must be specified" in told("--src=dir", "x", "y")
    assert "'oci' is not a valid source transport" in told("--src=oci", "--dest=dir", "x", "y")
    assert "consider using rsync instead" in told("--src=dir", "--dest=dir", "x", "y")
    assert "invalid filter" in told("--src=dir", "--dest=docker", "--filter=x", str(tmp_path), "h.example")
    assert "No images to sync found" in told("--src=dir", "--dest=docker", str(tmp_path), "h.example")
    assert "no range of versions" in told("--src=docker", "--dest=dir", "--filter=semver=a", "h.example/x", "y")


def test_a_failure_in_the_middle_leaves_what_was_done(mirror: Mirror, tmp_path: Path) -> None:
    listed = {mirror.source.host: {"images": {"team/tool": ["v3", "gone"], "team/app": ["1.0"]}, "tls-verify": False}}
    path, digests = tmp_path / "list.yml", tmp_path / "digests"
    path.write_text(json.dumps(listed))
    words = ("--src=yaml", "--dest=docker", f"--digestfile={digests}", str(path), mirror.goal.host)
    assert mirror(*words).returncode == 125
    assert [line.rpartition("/")[2] for line in digests.read_text().splitlines()] == ["tool:v3"]
    assert mirror("--keep-going", *words).returncode == 125
    assert [line.rpartition("/")[2] for line in digests.read_text().splitlines()] == ["tool:v3", "app:1.0"]
    refused = mirror("--src=yaml", "--dest=docker", "--digestfile=/nonexistent/x", str(path), mirror.goal.host)
    assert "open /nonexistent/x: no such file or directory" in refused.stderr
