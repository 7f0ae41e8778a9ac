"""Where containers/storage's drivers keep a layer: what Podman, Buildah, Skopeo and CRI-O look for.

Podman 6 reference data: overlay's `<id>/{diff,link,lower,work}` with `l/<26 letters>`, vfs's `dir/<id>`.
"""

from __future__ import annotations

import os

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def check_overlay(store: str, chain: list[str]) -> None:
    """The layers of `chain`, the lowest first, lie as the overlay driver keeps them."""
    home = f"{store}/overlay"
    links: list[str] = []
    for layer in chain:
        folder = f"{home}/{layer}"
        link = _text(f"{folder}/link")
        assert len(link) == 26, link
        assert _LETTERS.issuperset(link), link
        assert os.readlink(f"{home}/l/{link}") == f"../{layer}/diff"
        assert os.path.isdir(f"{folder}/diff")
        assert os.path.isdir(f"{folder}/work")
        assert oct(os.lstat(f"{folder}/diff").st_mode & 0o777) == "0o555"
        assert os.path.isdir(f"{folder}/merged")
        if links:
            assert _text(f"{folder}/lower") == ":".join(f"l/{one}" for one in reversed(links))
        else:
            assert not os.path.exists(f"{folder}/lower")
        links.append(link)


def check_vfs(store: str, chain: list[str]) -> None:
    """The layers of `chain` lie as the vfs driver keeps them: whole, each in a folder of its name."""
    for layer in chain:
        assert os.path.isdir(f"{store}/vfs/dir/{layer}")
    assert os.path.exists(f"{store}/vfs/dir/{chain[-1]}/a"), "a child is no copy of its parent"


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


LAYOUTS = {"overlay": check_overlay, "vfs": check_vfs}
