"""Times as Go writes them."""

import pytest

from sonata.model.times import ZERO, go_time, nanoseconds, rfc3339


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T23:29:02.27969245Z", 1795303742279692450),
        ("2026-11-21T23:29:02+02:00", 1795296542000000000),
        ("2024-02-29T12:00:00.5-01:30", 1709213400500000000),
        ("1969-12-31T23:59:59Z", -1000000000),
    ],
)
def test_nanoseconds(text, value):
    assert nanoseconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "2026-11-21", "2026-13-21T00:00:00Z", "2026-11-21T23:29:02", "2026-11-21T23:29:02+2"]
)
def test_what_is_no_time(text):
    with pytest.raises(ValueError):
        nanoseconds(text)


def test_round_trip():
    for text in ("2026-11-21T23:29:02.27969245Z", "2026-01-01T00:00:00Z", "2000-02-29T23:59:59.000000001Z"):
        assert rfc3339(nanoseconds(text)) == text
    assert rfc3339(0) == ZERO


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2020-01-02T03:04:05.123400000Z", "2020-01-02T03:04:05.1234Z"),
        ("2020-01-02T03:04:05.000Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.12345678999Z", "2020-01-02T03:04:05.123456789Z"),
        ("1970-01-01T00:00:01+00:00", "1970-01-01T00:00:01Z"),
        ("2020-01-02T03:04:05.50-07:30", "2020-01-02T03:04:05.5-07:30"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("", ""),
        ("yesterday", "yesterday"),
    ],
)
def test_times_as_go_writes_them_again(text: str, told: str) -> None:
    assert go_time(text) == told
