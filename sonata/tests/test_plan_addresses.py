"""Choosing a free subnet."""

import pytest

from sonata.plan.addresses import first_free, first_host
from sonata_core.errors import Conflict

POOLS = (("10.89.0.0/16", 24), ("10.90.0.0/15", 24))


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((), "10.88.0.0/16"),
        (("192.168.0.0/24",), "10.88.0.0/16"),
        (("10.88.5.0/24",), "10.89.0.0/24"),
        (("10.0.0.0/8", "fd00::/64"), None),
        (("10.88.0.0/16", "10.89.0.0/24", "10.89.1.128/25"), "10.89.2.0/24"),
        (("10.88.0.0/15",), "10.90.0.0/24"),
    ],
)
def test_the_first_free_subnet_overlaps_nothing(taken, expected) -> None:
    if expected is None:
        with pytest.raises(Conflict, match="could not find free subnet"):
            first_free(("10.88.0.0/16",), POOLS, taken)
    else:
        assert first_free(("10.88.0.0/16",), POOLS, taken) == expected


def test_the_gateway_is_the_first_host() -> None:
    assert first_host("10.88.0.0/16") == "10.88.0.1"
    assert first_host("fd00:1::/64") == "fd00:1::1"
