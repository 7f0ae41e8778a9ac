"""Trees taken away while somebody else takes them away too."""

import threading
from pathlib import Path

from sonata_core.sdk.trees import remove_tree


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
