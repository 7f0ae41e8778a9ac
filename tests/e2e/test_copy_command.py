"""`cp`: the rules for paths as Podman 5.8 has them, volumes, owners, streams, and a container that swaps links."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
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
FILL = (
    "busybox mkdir -p /d/s /e /tmp; echo 1 >/d/1; echo 2 >/d/s/2; echo t >/t; busybox ln -s /t /lt;"
    "busybox ln -s /d /ld; busybox ln -s ../../../../../etc/nowhere /dang; busybox mkfifo /d/fifo;"
    "busybox ln -s / /up; busybox chown -R 5:6 /d /t"
)


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


@pytest.fixture(params=["running", "stopped"])
def filled(request: pytest.FixtureRequest, store: PlainStore) -> PlainStore:
    options = ("--network", "none", "--workdir", "/tmp", "-v", "vol:/vol", "--tmpfs", "/tf")
    script = FILL + ("; busybox touch /ready; exec sleep 1000" if request.param == "running" else "")
    store.out(
        "run", *(["-d"] if request.param == "running" else []), "--name", "c", *options, IMAGE, "sh", "-c", script
    )
    while request.param == "running" and store("exec", "c", "test", "-e", "/ready").returncode:
        pass
    return store


def tree(folder: Path) -> str:
    """Everything below a folder, which is emptied."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    shutil.rmtree(folder)
    folder.mkdir()
    return " ".join(found)


OUT = {
    ("/t", ""): "t",
    ("/t", "/new"): "new",
    ("/t", "/no/"): "!could not be found on the host",
    ("/t", "/no/x"): "!could not be found on the host",
    ("/lt", ""): "t",
    ("/ld", ""): "d d/1 d/fifo d/s d/s/2",
    ("/ld/", ""): "d d/1 d/fifo d/s d/s/2",
    ("/ld/.", ""): "1 fifo s s/2",
    ("/d", "/new"): "new new/1 new/fifo new/s new/s/2",
    ("/d/.", "/new"): "new new/1 new/fifo new/s new/s/2",
    ("/up/up/t", ""): "t",
    ("/../../t", ""): "t",
    ("../t", ""): "t",
    ("/t/", ""): "t",
    ("/t/.", "/new"): "new",
    ("/lt/", ""): "t",
    ("/t/../t", ""): "t",
    ("/nosuch/", ""): '!"/nosuch/" could not be found on container c: no such file or directory',
    ("/nosuch", ""): '!"/nosuch" could not be found on container c: no such file or directory',
    ("/dang", ""): '!"/dang" could not be found on container c: no such file or directory',
}


def test_out_of_a_container(filled: PlainStore, tmp_path: Path) -> None:
    (out := tmp_path / "out").mkdir()
    for (source, target), expected in OUT.items():
        if expected.startswith("!"):
            assert expected[1:] in filled.refused("cp", f"c:{source}", f"{out}{target}"), source
            continue
        filled.out("cp", f"c:{source}", f"{out}{target}")
        assert tree(out) == expected, (source, target)
    (out / "file").write_text("x")
    assert "destination must be a directory when copying a directory" in filled.refused("cp", "c:/d", f"{out}/file")
    assert f"stat {out}/file/: not a directory" in filled.refused("cp", "c:/t", f"{out}/file/")
    filled.out("cp", "c:/t", f"{out}/file")
    assert (out / "file").read_text() == "t\n"
    assert (out / "file").stat().st_uid == filled.who.uid


IN = {
    ("file", "/e"): "file",
    ("file", "/e/n"): "n",
    ("file", "/e/no/"): '!"/e/no/" could not be found on container c: no such file or directory',
    ("file", "/e/no/x"): '!"/e/no/x" could not be found on container c: no such file or directory',
    ("src", "/e"): "src src/a src/sub src/sub/b",
    ("src", "/e/new"): "new new/a new/sub new/sub/b",
    ("src/.", "/e/new"): "new new/a new/sub new/sub/b",
    ("src/.", "/e"): "a sub sub/b",
    ("src/", "/e/"): "src src/a src/sub src/sub/b",
    ("link", "/e"): "link",
    ("dlink", "/e"): "dlink dlink/a dlink/sub dlink/sub/b",
    ("file", "/up/up/e"): "file",
    ("src", "/t"): "!destination must be a directory when copying a directory",
    ("file/", "/e"): "!/home/file/: not a directory",
    ("file/.", "/e"): "!/home/file/.: not a directory",
    ("file", "/t/"): "!copying to container: copier: put: /t (/t): exists but is not a directory",
    ("nosuch", "/e"): "!could not be found on the host",
}


def test_into_a_container(filled: PlainStore, tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    (out := tmp_path / "out").mkdir()
    (home / "src/sub").mkdir(parents=True)
    (home / "src/a").write_text("a")
    (home / "src/sub/b").write_text("b")
    (home / "file").write_text("f\n")
    (home / "link").symlink_to("file")
    (home / "dlink").symlink_to("src")
    filled.out("cp", "c:/e", f"{out}/empty")
    for (source, target), expected in IN.items():
        if expected.startswith("!"):
            assert expected[1:] in filled.refused("cp", f"{home}/{source}", f"c:{target}"), source
            continue
        filled.out("cp", f"{home}/{source}", f"c:{target}")
        filled.out("cp", "c:/e/.", str(out / "seen"))
        shutil.rmtree(out / "empty", ignore_errors=True)
        assert tree(out).replace("seen/", "").removeprefix("seen ") == expected, (source, target)
        empty(filled)
    filled.out("cp", f"{home}/file", "c:/lt")
    assert names(filled.raw("cp", "c:/t", "-"))["t"].size == 2
    filled.out("cp", f"{home}/file", "c:rel")
    assert names(filled.raw("cp", "c:/tmp/rel", "-")).keys() == {"rel"}


def empty(store: PlainStore) -> None:
    """Make /e of the container an empty folder again, running or not, through its root on the host."""
    pid = store.out("inspect", "c", "--format", "{{.State.Pid}}")
    if pid != "0" and store.who.ordinary:  # whose files there the host's root cannot make
        store.out("exec", "c", "sh", "-c", "busybox rm -r /e; busybox mkdir /e")
        return
    if pid != "0":
        root = Path(f"/proc/{pid}/root")
        shutil.rmtree(root / "e")
        (root / "e").mkdir()
        return
    for one in store.base.glob("root/overlay/*/diff/e"):
        shutil.rmtree(one)
        one.mkdir()
        store.who.give(str(one))


def names(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: one for one in tar}


def test_streams_owners_and_kinds(filled: PlainStore, tmp_path: Path) -> None:
    members = names(filled.raw("cp", "c:/d", "-"))
    assert sorted(members) == ["d", "d/1", "d/fifo", "d/s", "d/s/2"]
    assert members["d/1"].uid == 0  # --archive gives all to the container's user
    assert names(filled.raw("cp", "-a=false", "c:/d", "-"))["d/1"].uid == 5
    assert sorted(names(filled.raw("cp", "c:/d/.", "-"))) == ["1", "fifo", "s", "s/2"]
    (tmp_path / "x").mkdir()
    (tmp_path / "x/f").write_text("stream")
    os.chown(tmp_path / "x/f", 70, 80)
    packed = subprocess.run(["tar", "cz", "-C", str(tmp_path), "x"], capture_output=True, check=True).stdout
    filled.out("cp", "-", "c:/e", stdin=packed)
    assert names(filled.raw("cp", "-a=false", "c:/e/x/f", "-"))["f"].uid == 0
    filled.out("cp", "-a=false", "-", "c:/e", stdin=packed)
    assert names(filled.raw("cp", "-a=false", "c:/e/x/f", "-"))["f"].uid == 70
    assert b"destination must be a directory when copying from stdin" in filled("cp", "-", "c:/t", stdin=packed).stderr
    assert b"source must be a (compressed) tar archive" in filled("cp", "-", "c:/e", stdin=b"x" * 2000).stderr
    (tmp_path / "d").write_text("now a file")
    assert "file exists" in filled.refused("cp", str(tmp_path / "d"), "c:/")
    filled.out("cp", "--overwrite", str(tmp_path / "d"), "c:/")
    assert names(filled.raw("cp", "c:/d", "-"))["d"].isreg()


def test_volumes_and_tmpfs(filled: PlainStore, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("volume")
    filled.out("cp", str(tmp_path / "f"), "c:/vol/in")
    kept = filled.out("volume", "inspect", "vol", "--format", "{{.Mountpoint}}")
    assert Path(kept, "in").read_text() == "volume"
    filled.out("cp", "c:/vol/in", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "volume"
    if filled.out("inspect", "c", "--format", "{{.State.Status}}") == "running":
        filled.out("cp", str(tmp_path / "f"), "c:/tf/in")
        assert filled.out("exec", "c", "cat", "/tf/in") == "volume"


def test_between_containers_and_refusals(filled: PlainStore, tmp_path: Path) -> None:
    filled.out("create", "--name", "other", "--user", "9:9", IMAGE)
    filled.out("cp", "c:/d", "other:/tmp")
    members = names(filled.raw("cp", "-a=false", "other:/tmp/d", "-"))
    assert (members["d/s/2"].uid, members["d/s/2"].size) == (9, 2)
    assert 'container "nosuch" does not exist' in filled.refused("cp", "c:/t", "nosuch:/x")
    assert "name or ID cannot be empty" in filled.refused("cp", "/a", "/b")
    assert "you must specify paths" in filled.refused("cp", "c:", str(tmp_path))


ROUNDS = 300


@pytest.mark.rootful("the host's root swaps them")
def test_a_container_that_swaps_links_reaches_nothing_outside(store: PlainStore, tmp_path: Path) -> None:
    """/w/here is by turns a folder, a link to the host's canary folder by absolute path, and a link up and out."""
    canary = tmp_path / "canary"
    (canary / "secret").mkdir(parents=True)
    (canary / "secret/file").write_text("the host's")
    store.sleeper("c")
    store.out("exec", "c", "busybox", "mkdir", "-p", "/w/real")
    store.out("exec", "c", "sh", "-c", "echo mine >/w/real/file")
    root = Path(f"/proc/{store.out('inspect', 'c', '--format', '{{.State.Pid}}')}/root/w")
    stop = threading.Event()
    swaps = [0]

    def swap() -> None:
        links = (
            "real",
            str(canary / "secret"),
            "../../../../../../.." + str(canary / "secret"),
            "/proc/1/root" + str(canary / "secret"),
        )
        while not stop.is_set():
            for link in links:
                os.symlink(link, root / "next")
                os.replace(root / "next", root / "here")
                swaps[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        race(store, tmp_path)
    finally:
        stop.set()
        thread.join()
    assert swaps[0] > ROUNDS
    assert sorted(path.name for path in (canary / "secret").iterdir()) == ["file"]
    assert (canary / "secret/file").read_text() == "the host's"


def race(store: PlainStore, tmp_path: Path) -> None:
    """Copy in and out many times in this process, which is quicker than starting the program as often."""
    from sonata.assemble import open_engine
    from sonata.engine.containers.copy import CopyOptions, copy_between
    from sonata.engine.containers.copy_sides import ContainerSide, Side
    from sonata_core.errors import SonataError

    engine = open_engine({"storage.graphroot": f"{store.base}/root", "storage.runroot": f"{store.base}/run"})
    (tmp_path / "planted").write_text("planted")
    (out := tmp_path / "out").mkdir()
    good = 0
    try:
        for number in range(ROUNDS):
            try:
                with ContainerSide(engine, "c") as side:
                    copy_between((Side(), f"{tmp_path}/planted"), (side, "/w/here"), CopyOptions(overwrite=True))
                    copy_between((side, "/w/here/."), (Side(), f"{out}/{number}"), CopyOptions(devices=False))
                good += 1
            except SonataError:
                continue
    finally:
        engine.close()
    texts = {path.read_text() for path in out.rglob("file") if path.is_file()}
    assert "the host's" not in texts
    assert good
