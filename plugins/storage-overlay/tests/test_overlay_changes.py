"""Changes of a layer: links in layers lead nowhere, and what an upper folder hides stays hidden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sonata_storage_overlay.changes import find_changes


def changed(own: Path, *below: Path) -> list[tuple[str, str]]:
    return [(one.path, str(one.kind)) for one in find_changes([str(own)], [str(one) for one in below])]


def layer(base: Path, name: str, *files: str) -> Path:
    for file in files:
        (base / name / file).parent.mkdir(parents=True, exist_ok=True)
        (base / name / file).write_text(file)
    (base / name).mkdir(exist_ok=True)
    return base / name


def test_a_link_in_a_lower_layer_does_not_lead_out_of_it(tmp_path: Path) -> None:
    host = layer(tmp_path, "host", "secret", "x")
    lower = layer(tmp_path, "lower")
    (lower / "l").symlink_to(host)
    own = layer(tmp_path, "own", "l/x")
    assert changed(own, lower) == [("/l", "modified"), ("/l/x", "added")]


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_an_opaque_folder_above_hides_what_lies_deeper(tmp_path: Path) -> None:
    bottom = layer(tmp_path, "bottom", "a/b/old")
    middle = layer(tmp_path, "middle", "a/b/new")
    os.setxattr(middle / "a", "trusted.overlay.opaque", b"y")
    own = layer(tmp_path, "own", "a/b/old")
    assert ("/a/b/old", "added") in changed(own, middle, bottom)
