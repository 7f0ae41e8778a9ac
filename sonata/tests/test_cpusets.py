"""Lists of processors: one within another."""

import pytest

from sonata.host.cpusets import is_within


@pytest.mark.parametrize(
    ("asked", "there", "is_in"),
    [
        ("0", "0-1", True),
        ("0,1", "0-1", True),
        ("0-1", "0-1", True),
        ("2", "0-1", False),
        ("0-2", "0-1", False),
        ("0-999999999999", "0-63", False),
        ("1,3", "0-1,3-4", True),
        ("1-3", "0-1,3-4", False),
    ],
)
def test_lists_within_lists(asked: str, there: str, is_in: bool) -> None:
    assert is_within(asked, there) is is_in
