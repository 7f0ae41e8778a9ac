"""Resolution inside a root: nothing that lies in the root leads out of it."""

import os

import pytest

from sonata_core.errors import Damaged
from sonata_core.sdk.safepath import (
    exists_in_root,
    make_folders,
    open_in_root,
    open_parent,
    read_in_root,
    remove_tree,
    stat_in_root,
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "canary").write_bytes(b"outside")
    inside = tmp_path / "root"
    inside.mkdir()
    fd = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    yield inside, fd
    os.close(fd)
    assert (tmp_path / "canary").read_bytes() == b"outside"


@pytest.mark.parametrize("way", ["../canary", "/../canary", "../../../../etc/passwd", "a/../../canary"])
def test_dots_stop_at_the_root(root, way):
    inside, fd = root
    (inside / "a").mkdir()
    with pytest.raises(FileNotFoundError):
        read_in_root(fd, way)


def test_absolute_links_start_at_the_root(root):
    inside, fd = root
    (inside / "etc").mkdir()
    (inside / "etc/passwd").write_bytes(b"mine")
    (inside / "link").symlink_to("/etc")
    assert read_in_root(fd, "link/passwd") == b"mine"
    assert read_in_root(fd, b"/link/../etc/passwd") == b"mine"


def test_links_to_the_outside_stay_inside(root, tmp_path):
    inside, fd = root
    (inside / "up").symlink_to(str(tmp_path))
    (inside / "dots").symlink_to("../../../../../../" + str(tmp_path))
    for way in ("up/canary", "dots/canary"):
        assert not exists_in_root(fd, way)


def test_links_of_proc_are_refused():
    slash = os.open("/", os.O_PATH)
    try:
        with pytest.raises(OSError, match="symbolic links"):
            open_in_root(slash, "proc/self/cwd", os.O_PATH)
    finally:
        os.close(slash)


def test_descriptors_close_on_exec(root):
    inside, fd = root
    (inside / "f").touch()
    got = open_in_root(fd, "f", os.O_RDONLY)
    assert not os.get_inheritable(got)
    os.close(got)


def test_a_nul_is_refused(root):
    with pytest.raises(OSError):
        open_in_root(root[1], b"a\0b", os.O_RDONLY)


def test_reading_is_bounded_and_takes_regular_files_only(root):
    inside, fd = root
    (inside / "big").write_bytes(b"x" * 100)
    assert read_in_root(fd, "big", 100) == b"x" * 100
    with pytest.raises(Damaged, match="longer than 99"):
        read_in_root(fd, "big", 99)
    os.mkfifo(inside / "fifo")
    with pytest.raises(Damaged, match="regular"):
        read_in_root(fd, "fifo")


def test_open_parent(root):
    inside, fd = root
    (inside / "d").mkdir()
    (inside / "l").symlink_to("/d")
    folder, name = open_parent(fd, "l/f")
    assert name == b"f"
    assert os.fstat(folder).st_ino == (inside / "d").stat().st_ino
    os.close(folder)
    for bad in ("/", "..", "a/..", ""):
        with pytest.raises(OSError):
            open_parent(fd, bad)


def test_make_folders(root):
    inside, fd = root
    (inside / "real").mkdir()
    (inside / "link").symlink_to("/real")
    (inside / "dangling").symlink_to("/nowhere")
    new = []
    os.close(make_folders(fd, "link/a/b", 0o700, lambda made: new.append(os.fstat(made).st_ino)))
    assert (inside / "real/a/b").is_dir()
    assert len(new) == 2
    with pytest.raises(FileNotFoundError):
        make_folders(fd, "dangling/x")
    os.close(make_folders(fd, "../../up"))
    assert (inside / "up").is_dir()


def test_stat_without_following(root):
    inside, fd = root
    (inside / "l").symlink_to("nowhere")
    assert stat_in_root(fd, "l", follow=False).st_size == 7
    with pytest.raises(FileNotFoundError):
        stat_in_root(fd, "l")


@pytest.mark.heavy
def test_remove_tree_follows_nothing_and_knows_no_depth(root, tmp_path):
    inside, fd = root
    outside = tmp_path / "kept"
    outside.mkdir()
    (outside / "file").touch()
    at = os.open(inside, os.O_PATH)
    for level in range(3000):
        os.mkdir("deep", dir_fd=at)
        os.symlink(str(outside), "link", dir_fd=at)
        if level % 500 == 0:
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        inner = os.open("deep", os.O_PATH, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    remove_tree(fd, "deep")
    assert not (inside / "deep").exists()
    remove_tree(fd, "link")
    assert (outside / "file").exists()
    remove_tree(fd, "absent")
