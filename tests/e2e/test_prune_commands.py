"""`prune` of all kinds: the words of its question, what goes, what stays, and that the disk has the room again."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]

ASKED = "Are you sure you want to continue? [y/N] "


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def disk(store: PlainStore) -> int:
    # The database takes its journal in when it is closed: what it has of room comes and goes with any command.
    argv = ["du", "-s", "--block-size=1", "--exclude=state.db*", f"{store.base}/root"]
    done = subprocess.run(argv, capture_output=True, check=True)
    return int(done.stdout.split()[0])


def unused(store: PlainStore) -> None:
    """A megabyte in each: a stopped container, a volume, a dangling image."""
    for name in ("gone", "image"):
        words = ("run", "--network=none", "--name", name, IMAGE, "sh", "-c", "head -c 1000000 /dev/urandom >/big")
        assert store(*words).returncode == 0
    store.out("commit", "-q", "image")
    store.out("rm", "image")
    path = store.out("volume", "create", "v")
    path = store.out("volume", "inspect", "--format={{.Mountpoint}}", path)
    Path(path, "big").write_bytes(os.urandom(1_000_000))
    store.out("network", "create", "--subnet=10.213.66.0/24", "n")


def test_questions_are_podmans_word_for_word(store: PlainStore) -> None:
    head = "WARNING! This command removes:\n\t- all stopped containers\n"
    head += "\t- all networks not used by at least one container\n"
    dangling = "\t- all dangling images\n\t- all dangling build cache\n"
    whole = "\t- all images without at least one container associated with them\n\t- all build cache\n"
    volumes, build = "\t- all volumes not used by at least one container\n", "\t- all build containers\n"
    store.out("volume", "create", "v")
    for words, text in (
        (("system", "prune"), f"{head}{dangling}\n"),
        (("system", "prune", "-a", "--volumes"), f"{head}{volumes}{whole}\n"),
        (("system", "prune", "--build"), f"{head}{build}{dangling}\n"),
        (("system", "prune", "-a", "--volumes", "--build", "--filter=label=x"), f"{head}{volumes}{build}{whole}\n"),
        (("container", "prune"), "WARNING! This will remove all non running containers.\n"),
        (("network", "prune"), "WARNING! This will remove all networks not used by at least one container.\n"),
        (("image", "prune"), "WARNING! This command removes all dangling images.\n"),
        (
            ("image", "prune", "-a"),
            "WARNING! This command removes all images without at least one container associated with them.\n",
        ),
        (
            ("volume", "prune", "-a"),
            "WARNING! This will remove all volumes not used by at least one container. "
            "The following volumes will be removed:\nv\n",
        ),
    ):
        assert store.raw(*words, stdin=b"n\n").decode() == text + ASKED
    silent = store("image", "prune")
    assert (silent.returncode, silent.stderr.splitlines()[0]) == (125, b"Error: EOF")
    store.out("volume", "rm", "v")
    assert store.out("volume", "prune", "-a").endswith(":\nNo dangling volumes found")


def test_it_frees_what_it_says_it_frees(store: PlainStore) -> None:
    unused(store)
    store.sleeper("lives")
    before = disk(store)
    (image,) = store.out("images", "-q", "--no-trunc", "--filter=dangling=true").split()
    gone = store.out("ps", "-aq", "--no-trunc", "--filter=name=gone")
    shown = store.out("system", "prune", "-f", "--volumes")
    freed = before - disk(store)
    assert shown.splitlines()[:-1] == [
        *("Deleted Containers", gone, "Deleted Volumes", "v", "Deleted Images", image.removeprefix("sha256:")),
        *("Deleted Networks", "n"),
    ]
    said = shown.splitlines()[-1].removeprefix("Total reclaimed space: ")
    assert said.endswith("MB")
    assert freed > 3_000_000
    assert abs(float(said.removesuffix("MB")) * 1e6 - freed) < freed / 100 + 20_000
    assert store.out("ps", "-q", "--format={{.Names}}") == "lives"
    assert store.out("exec", "lives", "echo", "still") == "still"
    assert store.out("system", "prune", "-f", "-a") == "Total reclaimed space: 0B"
    assert IMAGE in store.out("images", "--format={{.Repository}}:{{.Tag}}")
    store.out("rm", "-ft0", "lives")
    # Podman adds `dangling=true` only where nothing is said of it.
    assert store.out("image", "prune", "-f", "--filter=dangling=false")
    assert store.out("images", "-q") == ""


def test_what_df_calls_reclaimable_is_what_pruning_gives_back(store: PlainStore) -> None:
    unused(store)

    def row(kind: str) -> list[int]:
        form = "{{.Type}}|{{.RawSize}}|{{.RawReclaimable}}"
        lines = [line.split("|") for line in store.out("system", "df", "--format", form).splitlines()]
        return next([int(number) for number in line[1:]] for line in lines if line[0] == kind)

    whole = sum(int(line) for line in store.out("system", "df", "--format={{.RawSize}}").splitlines())
    database = os.stat(f"{store.base}/root/sonata/state.db").st_blocks * 512
    assert abs(whole - database - disk(store)) <= whole / 100
    for kind, words in (
        ("Containers", ("container",)),
        ("Local Volumes", ("volume", "-a")),
        ("Images", ("image", "-a")),
    ):
        said, before = row(kind)[1], disk(store)
        assert said > 1_000_000
        store.out(words[0], "prune", "-f", *words[1:])
        assert abs(before - disk(store) - said) < 60_000, kind


def test_filters_limit_what_goes(store: PlainStore) -> None:
    for name, label in (("a", "x=1"), ("b", "x=2"), ("c", "y=1")):
        store.out("create", "--name", name, "--label", label, IMAGE, "true")
        store.out("volume", "create", "--label", label, f"v{name}")
    names = "--format={{.Names}}"
    store.out("container", "prune", "-f", "--filter=label=x=1")
    assert store.out("ps", "-a", names).split() == ["b", "c"]
    store.out("container", "prune", "-f", "--filter=label!=x", "--filter=until=1h")
    assert store.out("ps", "-a", names).split() == ["b", "c"]
    store.out("container", "prune", "-f", "--filter=label!=x")
    assert store.out("ps", "-a", names).split() == ["b"]
    assert store.out("volume", "prune", "-f", "--filter=label=x=1") == ""
    assert store.out("volume", "prune", "-a", "-f", "--filter=label=x=1") == "va"
    assert store.out("volume", "prune", "-a", "--dry-run").split() == ["vb", "vc"]
    assert store.out("volume", "prune", "-f", "--filter=all=true", "--filter=label!=y").split() == ["vb"]
    assert store.out("image", "prune", "-a", "-f", "--filter=until=1h") == ""
    for words, text in (
        (("container", "prune", "-f", "--filter=name=x"), "name is an invalid filter"),
        (("volume", "prune", "-f", "--filter=id=x"), '"id" is an invalid volume filter'),
        (("image", "prune", "-f", "--filter=name=x"), 'invalid image filter "name"'),
        (("system", "prune", "-f", "--filter=x"), "filter input must be in the form of filter=value: x is invalid"),
        (("system", "prune", "-f", "--filter=until=x"), 'failed to parse value as time or duration: "x"'),
        (("system", "prune", "--external", "-a"), "system prune --external cannot be combined with other options"),
    ):
        assert text in store.refused(*words)


def test_what_comes_into_use_meanwhile_stays(store: PlainStore) -> None:
    """Prunes beside starts: a start may find its image gone, but no container loses one, and none is removed."""
    stop = threading.Event()

    def prune() -> None:
        while not stop.is_set():
            store("system", "prune", "-a", "-f", "--volumes")

    pruner = threading.Thread(target=prune)
    pruner.start()
    try:
        for number in range(6):
            store("load", "-q", "-i", f"{store.base}/box.tar")
            words = ("--name", f"c{number}", "-v", f"v{number}:/data", "--network=none", IMAGE, "sleep", "1000")
            if store("run", "-d", "--pull=never", *words).returncode == 0:
                store.out("exec", f"c{number}", "sh", "-c", "echo kept >/data/x; cat /data/x")
    finally:
        stop.set()
        pruner.join()
    for name in store.out("ps", "-a", "--format={{.Names}}").split():
        assert store.out("exec", name, "cat", "/data/x") == "kept"


@pytest.mark.rootful("the other engine is root's")
@pytest.mark.skipif(shutil.which("buildah") is None, reason="needs buildah")
def test_build_containers_and_images_that_only_they_use(store: PlainStore) -> None:
    buildah = ["buildah", "--root", f"{store.base}/root", "--runroot", f"{store.base}/run", "--storage-driver=overlay"]
    for name in ("one", "two"):
        subprocess.run([*buildah, "from", "--pull-never", "--name", name, IMAGE], check=True, capture_output=True)
    store.out("create", "--name=ours", IMAGE, "true")
    mounted = subprocess.run([*buildah, "mount", "one"], check=True, capture_output=True, text=True).stdout.strip()
    try:
        shown = store.out("system", "prune", "--build", "-f", "--filter=label=none").splitlines()
        assert (shown[0], len(shown)) == ("Deleted Containers", 3)
        left = subprocess.run(
            [*buildah, "containers", "-n", "--format={{.ContainerName}}"], check=True, capture_output=True, text=True
        )
        assert left.stdout.split() == ["one"]
        assert os.path.ismount(mounted)
    finally:
        subprocess.run([*buildah, "umount", "one"], check=True, capture_output=True)
    assert store.out("ps", "-a", "--format={{.Names}}") == "ours"
    store.out("rm", "ours")
    assert store.out("image", "prune", "-a", "-f") == ""
    assert len(store.out("image", "prune", "-a", "-f", "--external").split()) == 1
    assert store.out("images", "-q") == ""


@pytest.mark.rootful("the other engine is root's")
def test_what_no_record_names_is_external(store: PlainStore) -> None:
    stray = Path(store.base, "root/overlay", "ab" * 32)
    (stray / "diff").mkdir(parents=True)
    (stray / "diff/big").write_bytes(bytes(1000))
    (stray / "link").write_text("X" * 26)
    folder = Path(store.base, "root/overlay-containers", "cd" * 32)
    (folder / "userdata").mkdir(parents=True)
    store.out("create", "--name=ours", IMAGE, "true")
    assert store.out("system", "prune", "--external") == ""
    assert not stray.exists()
    assert not folder.exists()
    assert store.out("ps", "-a", "--format={{.Names}}") == "ours"
    assert store(*("run", "--rm", "--network=none", IMAGE, "true")).returncode == 0


def unreferenced(store: PlainStore) -> str:
    """A layer that no image and no container needs any more, as a killed pull leaves it; its id."""
    import json

    records = Path(store.base, "root/overlay-images/images.json")
    layers = [one["id"] for one in json.loads(Path(store.base, "root/overlay-layers/layers.json").read_text())]
    text = records.read_text()
    try:
        records.write_text("[]")
        found = [layer for layer in layers if layer in store("system", "check", "--max=0s").stdout.decode()]
    finally:
        records.write_text(text)
    assert found
    return found[0]


def test_check_is_quick_or_thorough_and_patient(store: PlainStore) -> None:
    layer = unreferenced(store)
    folder = Path(store.base, "root/overlay", layer, "diff")
    assert store.out("system", "check") == ""
    victim = next(Path(store.base, "root/overlay-images").glob("*/manifest"))
    data = victim.read_bytes()
    victim.write_bytes(bytes(len(data)))
    assert store.out("system", "check", "--quick") == ""
    assert "damage detected in local storage" in store.refused("system", "check")
    victim.write_bytes(data)
    records = Path(store.base, "root/overlay-images/images.json")
    records.write_text("[]")
    shutil.rmtree(next(records.parent.glob("[0-9a-f]" * 64)))
    assert "nothing is done about it" in store.out("system", "check", "--max=24h")
    assert "damage detected in local storage" in store.refused("system", "check", "--max=0s")
    assert store("system", "check", "--max=0s", "--repair").returncode == 0
    assert not folder.exists()
