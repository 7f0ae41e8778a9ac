"""save of several images and tags into one docker-archive: what lies in it, and that Podman reads it."""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root
OTHER = "localhost/other:1"


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    made.out("tag", IMAGE, "localhost/box:two")
    made.out("create", "--name", "c", IMAGE)
    (tmp_path / "file").write_text("more")
    made.out("cp", str(tmp_path / "file"), "c:/file")
    made.out("commit", "-q", "c", OTHER)
    yield made
    made.close()


def content(raw: bytes) -> tuple[list[str], list[dict[str, Any]], dict[str, dict[str, str]]]:
    """The members' names, and the two tables."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:

        def table(name: str) -> Any:
            file = tar.extractfile(name)
            assert file is not None
            return json.loads(file.read())

        return tar.getnames(), table("manifest.json"), table("repositories")


def test_two_images_share_a_layer(store: PlainStore) -> None:
    raw = store.raw("save", "-q", "-m", IMAGE, "localhost/box:two", OTHER)
    members, table, repositories = content(raw)
    assert [one["RepoTags"] for one in table] == [[IMAGE, "localhost/box:two"], [OTHER]]
    assert len(set(members)) == len(members)
    assert table[0]["Layers"] == table[1]["Layers"][:1]
    assert {name: set(tags) for name, tags in repositories.items()} == {
        "localhost/box": {"1", "two"},
        "localhost/other": {"1"},
    }
    assert store.raw("save", "-q", "-m", IMAGE, "localhost/box:two", OTHER) == raw


def test_more_names_are_more_tags(store: PlainStore) -> None:
    _, table, _ = content(store.raw("save", "-q", IMAGE, "new:name", "plain", OTHER))
    assert [one["RepoTags"] for one in table] == [["localhost/new:name", "localhost/plain:latest", OTHER, IMAGE]]
    assert "invalid additional tag" in store.refused("save", IMAGE, "B A")
    assert "normalized to untagged" in store.refused("save", IMAGE, f"x@sha256:{'0' * 64}")


def test_an_id_brings_no_name_and_a_pipe_takes_an_archive(store: PlainStore, tmp_path: Path) -> None:
    """As Podman; what lies beside a link is not touched, what it leads to is written."""
    ident = store.out("image", "inspect", "--format", "{{.Id}}", IMAGE)
    raw = store.raw("save", "-o", "/dev/stdout", ident[:12])
    assert [one["RepoTags"] for one in content(raw)[1]] == [[]]
    assert content(store.raw("save", "-q", "-m", ident, OTHER))[1][0]["RepoTags"] == []
    (tmp_path / "link").symlink_to("target.tar")
    store.out("save", "-q", "-o", str(tmp_path / "link"), ident)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target.tar").read_bytes() == raw
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with (tmp_path / "read").open("wb") as read, subprocess.Popen(["/bin/cat", str(pipe)], stdout=read) as reader:
        store.out("save", "-q", "-o", str(pipe), ident)
        assert reader.wait(timeout=60) == 0
    assert (tmp_path / "read").read_bytes() == raw


def test_sigterm_leaves_no_copy_of_what_came_through_a_pipe(
    store: PlainStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, conf = tmp_path / "spool", tmp_path / "containers.conf"
    spool.mkdir()
    conf.write_text(f'[engine]\nimage_copy_tmp_dir = "{spool}"\n')
    monkeypatch.setenv("CONTAINERS_CONF", str(conf))
    with subprocess.Popen([*store.program, "load", "-q"], stdin=subprocess.PIPE) as loading:
        assert loading.stdin is not None
        loading.stdin.write(b"0" * 1000)
        loading.stdin.flush()
        while not any(one.stat().st_size for one in spool.iterdir()):
            assert loading.poll() is None
            time.sleep(0.01)
        loading.terminate()
        assert loading.wait(timeout=60) == 143
    assert not list(spool.iterdir())


def test_all_names_and_the_last_manifest_are_what_was_pulled(store: PlainStore, tmp_path: Path) -> None:
    path = str(tmp_path / "names.tar")
    store.out("save", "-q", "-o", path, IMAGE, "x.example/y:1")
    store.out("pull", "-q", f"docker-archive:{path}")
    names = json.loads(store.out("image", "inspect", "--format", "{{json .RepoTags}}", IMAGE))
    assert {"x.example/y:1", IMAGE} <= set(names)
    # The manifest that came last is the image's, also where it had it before: what is pushed is what was pulled.
    layouts = [str(tmp_path / name) for name in ("one", "two")]
    store.out("push", "-q", IMAGE, f"oci:{layouts[0]}:x.example/one:1")
    zstd = ("--compression-format", "zstd")
    store.out("push", "-q", *zstd, IMAGE, f"oci:{layouts[1]}:x.example/two:1")
    seen = []
    for layout, name in zip((*layouts, layouts[0]), ("one", "two", "one"), strict=True):
        store.out("pull", "-q", f"oci:{layout}:x.example/{name}:1")
        seen.append(store.out("image", "inspect", "--format", "{{.Digest}}", f"x.example/{name}:1"))
    assert seen[0] == seen[2] != seen[1]


def test_a_pushed_archive_keeps_the_name_that_the_image_has_here(store: PlainStore, tmp_path: Path) -> None:
    """As Podman: beside the one that it is given, if any; an image that is named by its ID has none."""
    ident = store.out("image", "inspect", "--format", "{{.Id}}", IMAGE)
    for name, given, tags in (
        (IMAGE, "", [IMAGE]),
        ("box:two", ":x.example/y", ["x.example/y:latest", "localhost/box:two"]),
        (IMAGE, f":{IMAGE}", [IMAGE]),
        (ident, "", []),
    ):
        path = tmp_path / "pushed.tar"
        store.out("push", "-q", name, f"docker-archive:{path}{given}")
        _, table, _ = content(path.read_bytes())
        assert [one["RepoTags"] for one in table] == [tags]
        path.unlink()


def test_an_archive_from_the_web(store: PlainStore, tmp_path: Path) -> None:
    store.out("save", "-q", "-o", f"{tmp_path}/one.tar", OTHER)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            place = f"http://127.0.0.1:{server.server_port}"
            assert store.out("load", "-q", "-i", f"{place}/one.tar") == f"Loaded image: {OTHER}"
            assert f"downloading {place}/none.tar" in store.refused("load", "-i", f"{place}/none.tar")
        finally:
            server.shutdown()
            thread.join()
    gone = f"downloading {place}/one.tar: connection refused"
    assert gone in store.refused("load", "-i", f"{place}/one.tar")


def test_no_name_is_a_digest(store: PlainStore) -> None:
    for name in (f"sha256:{'a' * 64}", f"x@sha256:{'a' * 64}"):
        assert f"{name}: tag by digest not supported" in store.refused("tag", IMAGE, "fine:1", name)
    assert store("image", "exists", "fine:1").returncode == 1


def test_what_comes_back(store: PlainStore, tmp_path: Path) -> None:
    path = tmp_path / "both.tar"
    store.out("save", "-q", "--multi-image-archive", "-o", str(path), IMAGE, OTHER)
    ids = store.out("images", "-q", "--no-trunc").split()
    store.out("rm", "c")
    store.out("rmi", "-fa")
    loaded = store.out("load", "-q", "-i", str(path)).splitlines()
    assert loaded == [f"Loaded image: {IMAGE}", f"Loaded image: {OTHER}"]
    assert set(store.out("images", "-q", "--no-trunc").split()) == set(ids)


def test_a_failed_save_leaves_nothing(store: PlainStore, tmp_path: Path) -> None:
    path = tmp_path / "none.tar"
    assert "nosuch: image not known" in store.refused("save", "-q", "-m", "-o", str(path), IMAGE, "nosuch")
    assert "only docker-archive" in store.refused(
        "save", "-q", "-m", "--format=oci-archive", "-o", str(path), IMAGE, OTHER
    )
    assert not path.exists()


def test_the_configuration_may_say_so(store: PlainStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "containers.conf"
    conf.write_text("[engine]\nmulti_image_archive = true\n")
    monkeypatch.setenv("CONTAINERS_CONF", str(conf))
    assert len(content(store.raw("save", "-q", IMAGE, OTHER))[1]) == 2
    assert len(content(store.raw("save", "-q", "-m=false", IMAGE, OTHER))[1]) == 1


@pytest.mark.needs_peer("podman")
def test_podman_loads_it(store: PlainStore, tmp_path: Path) -> None:
    path = tmp_path / "both.tar"
    store.out("save", "-q", "-m", "-o", str(path), IMAGE, OTHER)
    with TemporaryDirectory() as runroot:  # which Podman wants shorter than 50 characters
        podman = ["podman", "--root", f"{tmp_path}/p", "--runroot", runroot, "--storage-driver=vfs"]
        done = subprocess.run([*podman, "load", "-q", "-i", str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Loaded", "image:", IMAGE, "Loaded", "image:", OTHER]
