"""Trees taken away while somebody else takes them away too."""

import os
import threading
from pathlib import Path

import pytest

from sonata_core.sdk.trees import remove_tree, tree_usage


def test_several_may_remove_one_tree_at_once(tmp_path: Path) -> None:
    for turn in range(15):
        top = tmp_path / str(turn)
        for folder in range(6):
            (top / str(folder) / "in").mkdir(parents=True)
            for name in range(20):
                (top / str(folder) / "in" / str(name)).touch()
        troubles: list[BaseException] = []

        def remove(path: str = str(top), troubles: list[BaseException] = troubles) -> None:
            try:
                remove_tree(path)
            except OSError as error:
                troubles.append(error)

        several = [threading.Thread(target=remove) for _ in range(4)]
        for one in several:
            one.start()
        for one in several:
            one.join()
        assert troubles == []
        assert not top.exists()


def test_a_link_is_removed_and_not_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(str(tmp_path / "link"))
    remove_tree(str(tmp_path / "link"))
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.heavy
def test_a_tree_may_be_deeper_than_a_process_may_have_open_folders(tmp_path: Path) -> None:
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    (top := tmp_path / "deep").mkdir()
    try:
        os.chdir(top)
        for _ in range(2000):
            os.mkdir("d")
            os.chdir("d")
        Path("file").touch()
    finally:
        os.fchdir(here)
        os.close(here)
    assert tree_usage(str(top))[1] > 1000
    remove_tree(str(top))
    assert not top.exists()


def test_what_comes_while_it_is_removed_goes_too(tmp_path: Path) -> None:
    """A monitor that has not heard yet may write one more file."""
    (top := tmp_path / "busy").mkdir()
    for name in range(50):
        (top / str(name)).touch()
    begun = threading.Event()

    def write() -> None:
        for name in range(3000):
            try:
                (top / f"late{name}").touch()
            except FileNotFoundError:
                return
            finally:
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    remove_tree(str(top))
    writer.join()
    assert not top.exists()
