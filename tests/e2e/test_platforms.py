"""A local image counts only for the platform that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[PlainStore]:
    return PlainStore(tmp_path_factory.mktemp("platforms"), who=who)


@pytest.mark.parametrize("wanted", [["--platform=linux/arm64"], ["--arch=arm64"], ["--os=windows"], ["--variant=v9"]])
def test_another_platform_is_not_known(store: PlainStore, wanted: list[str]) -> None:
    done = store("create", "--pull=never", *wanted, IMAGE)
    assert done.returncode == 125
    assert b"image not known" in done.stderr


@pytest.mark.parametrize("wanted", [[], ["--os=linux"]])
def test_the_hosts_own_is(store: PlainStore, wanted: list[str]) -> None:
    store.out("rm", store.out("create", "--pull=never", *wanted, IMAGE, "true"))
