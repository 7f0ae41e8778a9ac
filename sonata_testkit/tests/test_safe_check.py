"""The part of the kit that runs on users' hosts: it finds what is wrong, and leaves nothing behind."""

import os
from pathlib import Path

import pytest

from sonata_core.errors import AlreadyExists, BackendMissing
from sonata_core.models.storage import UnpackTarget
from sonata_storage_vfs.plugin import VfsStorage
from sonata_testkit.check import safe_check
from sonata_testkit.fixtures import make_context

PLUGINS = [
    ("storage", "overlay"),
    ("storage", "vfs"),
    ("runtime", "crun"),
    ("runtime", "runc"),
    ("net", "netavark"),
    ("net", "slirp4netns"),
    ("transport", "oci"),
    ("transport", "docker"),
    ("hooks", "dir"),
]


@pytest.mark.needs_root
@pytest.mark.parametrize(("group", "name"), PLUGINS)
def test_bundled_plugins(group: str, name: str, tmp_path: Path) -> None:
    before = set(os.listdir(tmp_path))
    rows = safe_check(group, name, make_context(name, tmp_path))
    assert {clause for clause, _, _ in rows} >= {"P-01", "P-02"}
    assert [row for row in rows if not row[1]] == []
    assert all(detail for _, _, detail in rows)
    assert set(os.listdir(tmp_path)) == before


def test_what_is_wrong_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = VfsStorage.storage_create

    def lax(self, layer, parent, options, staged) -> UnpackTarget:
        try:
            return right(self, layer=layer, parent=parent, options=options, staged=staged)
        except AlreadyExists:
            return self.storage_contents(layer)[0]

    lax.__dict__.update(right.__dict__)
    monkeypatch.setattr(VfsStorage, "storage_create", lax)
    failed = {row[0]: row[2] for row in safe_check("storage", "vfs", make_context("vfs", tmp_path)) if not row[1]}
    assert set(failed) == {"S-03"}
    assert "AlreadyExists" in failed["S-03"]


def test_an_unknown_plugin(tmp_path: Path) -> None:
    with pytest.raises(BackendMissing):
        safe_check("storage", "nothing", make_context("nothing", tmp_path))
