"""Two writers of one folder: they take turns, also where the first one gives up."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from sonata_core.models.image import ManifestBytes
from sonata_core.sdk.manifests import digest_of
from sonata_transport_dir.sink import DirSink


def manifest(text: str) -> ManifestBytes:
    content = text.encode()
    return ManifestBytes(media_type="", digest=digest_of(content), content=content)


def write(folder: Path, text: str) -> None:
    with DirSink(str(folder)) as sink:
        sink.commit(manifest(text))


def test_a_folder_belongs_to_one_writer_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    with DirSink(str(folder)) as sink:
        other = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        later = threading.Thread(target=write, args=(folder, "second"))
        later.start()
        sink.commit(manifest("first"))
    later.join()
    assert (folder / "manifest.json").read_text() == "second"
    assert sorted(os.listdir(folder)) == ["manifest.json", "version"]


def test_a_writer_that_gives_up_takes_the_folder_away_from_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    with pytest.raises(ValueError, match="given up"), DirSink(str(folder)):
        later = threading.Thread(target=write, args=(folder, "second"))
        later.start()
        raise ValueError("given up")
    later.join()
    assert (folder / "manifest.json").read_text() == "second"
    write(folder, "third")
    assert (folder / "manifest.json").read_text() == "third"
