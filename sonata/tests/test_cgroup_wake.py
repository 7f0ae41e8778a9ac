"""Waking the kernel's lock on group moves changes nothing and never fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonata.host import cgroups


@pytest.mark.needs_root
def test_waking_moves_nobody() -> None:
    before = cgroups.of_process()
    cgroups.wake()
    assert cgroups.of_process() == before


def test_waking_where_nothing_may_be_written_is_silent(tmp_path: Path) -> None:
    cgroups.wake(str(tmp_path))
