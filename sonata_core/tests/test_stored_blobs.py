"""Blobs stored under a name only when they verify, also those that are hashed beside being written."""

import _thread
import hashlib
import os
import time

import pytest

from sonata_core.errors import Damaged
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor
from sonata_core.sdk.content import LARGE, Section, copy_verified, store_blob

SIZES = (1000, LARGE - 1, LARGE, LARGE + 12345)


def described(content, size=None):
    digest = Digest("sha256:" + hashlib.sha256(content).hexdigest())
    return Descriptor(media_type="x/y", digest=digest, size=len(content) if size is None else size)


class Source:
    """A file of `size` bytes whose blocks can be told apart, and a blob's name to store it under."""

    def __init__(self, folder, size):
        block = os.urandom(1 << 20)
        content = b"".join(b"%08d" % at + block[8:] for at in range(size // len(block) + 1))[:size]
        self.path = folder / "source"
        self.path.write_bytes(content)
        self.content = content
        self.target = folder / "stored" / "blob"
        self.target.parent.mkdir()

    def section(self):
        return Section(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), 0, len(self.content), os.close)

    def left(self):
        return os.listdir(self.target.parent)


class Meddled:
    """A stream that has somebody change the file after every block that was read."""

    def __init__(self, section, change):
        self._section = section
        self._change = change

    def readinto(self, buffer):
        count = self._section.readinto(buffer)
        self._change()
        return count


class Whole:
    """A stream that can only be read, not read into."""

    def __init__(self, section):
        self.read = section.read


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_is_stored_as_it_is(tmp_path, size):
    source = Source(tmp_path, size)
    for stream in (source.section(), Whole(source.section())):
        store_blob(str(source.target), described(source.content), stream)
        assert source.target.read_bytes() == source.content
        source.target.unlink()
    assert source.left() == []


@pytest.mark.parametrize("size", SIZES)
def test_what_does_not_verify_gets_no_name(tmp_path, size):
    source = Source(tmp_path, size)
    wrong = described(source.content[:-1] + bytes([source.content[-1] ^ 1]))
    with pytest.raises(Damaged, match="does not verify"):
        store_blob(str(source.target), wrong, source.section())
    with pytest.raises(Damaged, match="more than the"):
        store_blob(str(source.target), described(source.content, size - 1), source.section())
    with pytest.raises(Damaged, match="were announced"):
        store_blob(str(source.target), described(source.content, size + 1), source.section())
    assert source.left() == []


def test_a_source_that_changes_while_it_is_copied_is_what_was_announced_or_nothing(tmp_path):
    source = Source(tmp_path, LARGE + 12345)
    fd = os.open(source.path, os.O_WRONLY)
    try:
        # The byte that was read first changes: too late to matter.
        store_blob(
            str(source.target), described(source.content), Meddled(source.section(), lambda: os.pwrite(fd, b"!", 0))
        )
        assert source.target.read_bytes() == source.content
        source.target.unlink()
        source.path.write_bytes(source.content)
        late = len(source.content) - 100
        with pytest.raises(Damaged, match="does not verify"):
            store_blob(
                str(source.target),
                described(source.content),
                Meddled(source.section(), lambda: os.pwrite(fd, b"\0\0\0", late)),
            )
        with pytest.raises(Damaged, match="shorter"):
            store_blob(
                str(source.target),
                described(source.content),
                Meddled(source.section(), lambda: os.ftruncate(fd, late)),
            )
    finally:
        os.close(fd)
    assert source.left() == []


def test_an_error_of_the_writer_ends_the_thread(tmp_path):
    source = Source(tmp_path, LARGE)
    before = _thread._count()

    def full(chunk):
        raise OSError(28, "full")

    for _ in range(5):
        with pytest.raises(OSError, match="full"):
            copy_verified(source.section(), full, described(source.content))
    while _thread._count() > before:
        time.sleep(0.001)
