"""Patterns as Go reads them, and the labels that they choose."""

from __future__ import annotations

import pytest

from sonata.engine.containers.filters import has_label
from sonata.engine.globs import fits


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "abc", True),
        ("*", "a/b", False),
        ("*/*", "a/b", True),
        ("a*c", "abbbc", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[^a-c]x", "dx", True),
        ("[]x]", "]", False),
        (r"[\]x]", "]", True),
        ("[a-]", "a", False),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("a.c", "abc", False),
        ("[a", "a", False),
        ("a\\", "a", False),
        ("[z-a]", "b", False),
        ("", "", True),
        ("abc", "abcd", False),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert fits(pattern, text) is expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("com.example", True), ("com.*", True), ("*ex*=1", True), ("ex*", True), ("com.*=2", False), ("exa", False)],
)
def test_labels(wanted: str, expected: bool) -> None:
    assert has_label({"com.example": "1", "b/c": "2"}, wanted) is expected


def test_slashes_in_labels_are_letters() -> None:
    assert has_label({"a/b/c": "1"}, "a*c")
