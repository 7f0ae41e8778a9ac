"""One store, several engines: what Sonata writes, Podman, Skopeo and Buildah read and run; and the other way round."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata.store.store import Store
from sonata.store.usage import image_size

sys.path.insert(0, str(Path(__file__).parent))
from store_world import (
    BUSYBOX,
    busybox_layers,
    new_container,
    open_store,
    put_image,
    run,
)

NEWER = os.environ.get("SONATA_PODMAN_NEWER", "")
"""A command that runs a newer Podman (and, with PODMAN58_CMD in its environment, its companions) on this host."""
needs_newer = pytest.mark.skipif(not NEWER, reason="SONATA_PODMAN_NEWER names no newer Podman")
pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_peer,
    pytest.mark.skipif(not (shutil.which("podman") and shutil.which("skopeo")), reason="needs podman and skopeo"),
    pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="needs busybox-static"),
]
NAME = "localhost/from-sonata:1"
LIMITS = ("--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000")


class World:
    def __init__(self, top: Path, driver: str) -> None:
        self.top, self.driver = top, driver
        self.store: Store = open_store(top, driver)
        self.roots = ("--root", self.store.place.graph, "--runroot", self.store.place.run)

    def podman(self, *argv: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        extra = ("--tmpdir", str(self.top / "tmp"), "--cgroup-manager", "cgroupfs")
        return run("podman", *self.roots, "--storage-driver", self.driver, *extra, *argv, check=check)

    def newer(self, *argv: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        extra = ("--tmpdir", str(self.top / "tmp-newer"))
        return run(*NEWER.split(), *self.roots, "--storage-driver", self.driver, *extra, *argv, check=check)

    def reference(self, name: str) -> str:
        place = self.store.place
        return f"containers-storage:[{self.driver}@{place.graph}+{place.run}]{name}"


@pytest.fixture(params=["overlay", "vfs"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    # Podman 4 refuses a run root of more than 50 characters, which pytest's own folder would give.
    top = tempfile.mkdtemp(prefix="sonata-", dir="/tmp")
    yield World(Path(top), request.param)
    for patience in range(20):
        unmount_below(top, str(tmp_path))
        # The clean-up of `podman run --rm` may come late, and mounts the driver's home again.
        shutil.rmtree(top, ignore_errors=patience < 19)
        if not os.path.exists(top):
            return
        time.sleep(0.2)


def unmount_below(*tops: str) -> None:
    """Podman makes the driver's home a mount of its own, and that outlives it."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line.split()[4] for line in file]
    for path in reversed([path for path in mounts if path.startswith(tops)]):
        subprocess.run(["umount", "-l", path], check=False)
    if NEWER:
        script = f"grep -o '{tops[0]}[^ ]*' /proc/self/mountinfo | sort -ru | xargs -r umount -l"
        environ = {**os.environ, "PODMAN58_CMD": "sh"}
        subprocess.run([*NEWER.split(), "-c", script], check=False, env=environ)


def test_podman_lists_and_runs_what_we_wrote(world: World) -> None:
    image = put_image(world.store, NAME, busybox_layers())
    listed = json.loads(world.podman("images", "--format", "json").stdout)
    assert [one["Id"] for one in listed] == [image.id]
    assert listed[0]["Names"] == [NAME]
    assert listed[0]["Digest"] == image.digest
    assert listed[0]["Size"] == image_size(image, world.store.layers())
    out = world.podman("run", *LIMITS, "--rm", "--network", "none", NAME, "cat", "/etc/hello").stdout
    assert out == "hello from below\n"
    assert world.podman("rmi", NAME).returncode == 0
    assert world.store.images() == []
    assert world.store.layers() == {}


def test_skopeo_copies_with_the_same_digests(world: World, tmp_path: Path) -> None:
    image = put_image(world.store, NAME, busybox_layers())
    folder = tmp_path / "copy"
    run("skopeo", "--insecure-policy", "copy", "--preserve-digests", world.reference(NAME), f"dir:{folder}")
    assert (folder / "manifest.json").read_bytes() == world.store.image_data(image, "manifest")
    layers = [one["digest"][7:] for one in json.loads((folder / "manifest.json").read_text())["layers"]]
    assert all((folder / layer).exists() for layer in layers)


def test_podman_sees_our_container_and_keeps_its_image(world: World) -> None:
    image = put_image(world.store, NAME, busybox_layers())
    record = new_container(world.store, image, "ours", volatile=True)
    shown = json.loads(world.podman("ps", "-a", "--external", "--format", "json").stdout)
    assert [one["Id"] for one in shown] == [record.id]
    refused = world.podman("rmi", NAME, check=False)
    assert refused.returncode != 0
    assert "in use" in refused.stderr
    assert world.store.find_image(NAME) is not None
    world.podman("rm", "--force", record.id, check=False)
    assert world.store.containers() == []
    assert record.layer not in world.store.layers()


def test_buildah_builds_on_what_we_wrote(world: World) -> None:
    if not shutil.which("buildah"):
        pytest.skip("needs buildah")
    put_image(world.store, NAME, busybox_layers())
    buildah = ("buildah", *world.roots, "--storage-driver", world.driver)
    name = run(*buildah, "from", "--pull-never", NAME).stdout.strip()
    assert any(name in one.names for one in world.store.containers())
    run(*buildah, "config", "--label", "a=b", name)
    run(*buildah, "commit", name, "localhost/built:1")
    built = world.store.find_image("localhost/built:1")
    assert built is not None
    run(*buildah, "rm", name)
    assert world.store.containers() == []
    assert world.store.delete_image(built) != ()


def test_we_read_and_delete_what_skopeo_wrote(world: World, tmp_path: Path) -> None:
    source = World(tmp_path / "source", world.driver)
    image = put_image(source.store, NAME, busybox_layers())
    folder = tmp_path / "copy"
    run("skopeo", "--insecure-policy", "copy", source.reference(NAME), f"dir:{folder}")
    run("skopeo", "--insecure-policy", "copy", f"dir:{folder}", world.reference("localhost/theirs:1"))
    theirs = world.store.find_image("localhost/theirs:1")
    assert theirs is not None
    assert theirs.id == image.id
    assert theirs.layer == image.layer
    mine = new_container(world.store, theirs, "on-theirs")
    assert world.store.layers()[mine.layer].parent == theirs.layer
    world.store.delete_container(mine.id)
    assert len(world.store.delete_image(theirs)) == 2
    assert world.podman("images", "--quiet").stdout == ""


@needs_newer
def test_a_newer_podman_runs_and_checks_it(world: World) -> None:
    image = put_image(world.store, NAME, busybox_layers())
    new_container(world.store, image, "ours")
    listed = json.loads(world.newer("images", "--format", "json").stdout)
    assert [one["Id"] for one in listed] == [image.id]
    out = world.newer("run", "--rm", "--network", "none", NAME, "cat", "/etc/hello").stdout
    assert out == "hello from below\n"
    done = world.newer("system", "check", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.store.find_container("ours") is not None


def test_sixteen_writers_lose_nothing(world: World, tmp_path: Path) -> None:
    """Half of them ours, half Skopeo, all at once on one store."""
    folders = []
    for number in range(8):
        source = open_store(tmp_path / f"source{number}", world.driver)
        files = [{"n/": b"", f"n/{number}": b"x" * number}]
        put_image(source, NAME, files, mark=str(number))
        place = source.place
        folder = tmp_path / f"dir{number}"
        reference = f"containers-storage:[{world.driver}@{place.graph}+{place.run}]{NAME}"
        run("skopeo", "--insecure-policy", "copy", reference, f"dir:{folder}")
        folders.append(folder)
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from store_world import open_store, put_image, new_container;"
        "store = open_store(Path(sys.argv[2]), sys.argv[3]); n = sys.argv[4];"
        "image = put_image(store, f'localhost/ours:{n}', [{'o/': b'', 'o/' + n: n.encode()}], mark='ours' + n);"
        "new_container(store, image, 'c' + n)"
    )
    here = str(Path(__file__).parent)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    working = []
    for number in range(8):
        argv = [sys.executable, "-c", script, here, str(world.top), world.driver, str(number)]
        working.append(subprocess.Popen(argv, stderr=subprocess.PIPE, env=environ))
        target = world.reference(f"localhost/theirs:{number}")
        argv = ["skopeo", "--insecure-policy", "copy", "-q", f"dir:{folders[number]}", target]
        working.append(subprocess.Popen(argv, stderr=subprocess.PIPE))
    for one in working:
        _, error = one.communicate(timeout=120)
        assert one.returncode == 0, error.decode()
    names = {name for image in world.store.images() for name in image.names}
    assert names == {f"localhost/{who}:{n}" for who in ("ours", "theirs") for n in range(8)}
    assert {name for one in world.store.containers() for name in one.names} == {f"c{n}" for n in range(8)}
    assert len(world.store.layers()) == 24
    assert len(json.loads(world.podman("images", "--format", "json").stdout)) == 16
