"""Filling a volume: what is copied, and that nothing leads out of the image's root."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from sonata.engine.volumes.copyup import copy_up
from sonata_core.errors import Damaged

pytestmark = [pytest.mark.needs_root, pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")]
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "d").mkdir(parents=True)
    return made


def filled(root: Path, target: str = "/d", **options: bool) -> Path:
    volume = root.parent / "volume"
    volume.mkdir()
    assert copy_up(str(root), target, str(volume), **options)
    return volume


def test_owners_modes_times_links_and_capabilities(root: Path) -> None:
    (root / "d/file").write_text("content")
    os.setxattr(root / "d/file", "user.mark", b"x")
    os.chown(root / "d/file", 5, 6)
    (root / "d/file").chmod(0o4750)
    os.setxattr(root / "d/file", "security.capability", CAPABILITY)
    os.link(root / "d/file", root / "d/hard")
    (root / "d/link").symlink_to("file")
    os.utime(root / "d/link", ns=(10**18, 10**18), follow_symlinks=False)
    (root / "d/sub").mkdir(mode=0o711)
    os.mkfifo(root / "d/fifo")
    os.chown(root / "d", 7, 8)
    (root / "d").chmod(0o1750)
    volume = filled(root)
    seen = (volume / "file").stat()
    assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777, seen.st_nlink) == (5, 6, 0o4750, 2)
    assert (volume / "hard").samefile(volume / "file")
    assert os.getxattr(volume / "file", "security.capability") == CAPABILITY
    assert os.getxattr(volume / "file", "user.mark") == b"x"
    assert (volume / "link").lstat().st_mtime_ns == 10**18
    assert (volume / "sub").stat().st_mode & 0o7777 == 0o711
    assert sorted(os.listdir(volume)) == ["file", "hard", "link", "sub"]
    top = volume.stat()
    assert (top.st_uid, top.st_gid, top.st_mode & 0o7777) == (7, 8, 0o1750)


def test_a_volume_with_an_owner_keeps_it(root: Path) -> None:
    (root / "d/file").write_text("")
    os.chown(root / "d", 7, 8)
    top = filled(root, adopt=False).stat()
    assert (top.st_uid, top.st_gid) == (0, 0)


def test_nothing_to_copy(root: Path) -> None:
    volume = root.parent / "volume"
    volume.mkdir()
    (root / "file").write_text("")
    for target in ("/d", "/none", "/file", "/d/../../.."):
        assert not copy_up(str(root / "d"), target, str(volume))
    assert os.listdir(volume) == []


def test_links_are_followed_inside_the_root_alone(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("")
    (root / "d/in").write_text("")
    (root / "away").symlink_to(outside)
    (root / "up").symlink_to(f"../../..{outside}")
    (root / "near").symlink_to("/d")
    volume = root.parent / "volume"
    volume.mkdir()
    assert not copy_up(str(root), "/away", str(volume))
    assert not copy_up(str(root), "/up", str(volume))
    assert os.listdir(volume) == []
    volume.rmdir()
    assert os.listdir(filled(root, "/near")) == ["in"]


def test_folders_without_end_are_refused(root: Path) -> None:
    place = os.open(root / "d", os.O_RDONLY)
    for _ in range(250):
        os.mkdir("x", dir_fd=place)
        inner = os.open("x", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    volume = root.parent / "volume"
    volume.mkdir()
    with pytest.raises(Damaged, match="nested more than 200 deep"):
        copy_up(str(root), "/d", str(volume))
