"""YAML as the Go tools read it: scalars, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonata.config.yaml_text import loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("-12", -12),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("~", None),
        ("", None),
        ("'0644'", "0644"),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a:\n- b: 1\n  c: [x, 'y z']\n", {"a": [{"b": 1, "c": ["x", "y z"]}]}),
        ("# only\n---\na: b # said\n", {"a": "b"}),
    ],
)
def test_values(text: str, value: Any) -> None:
    found = loads(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &b 1\nc: *b\n", "line 1: anchors"),
        ("a: 1\na: 2\n", "stands twice"),
        ("a: 1\n  b: 2\n", "line 2: "),
        ("[" * 100_000, "nested deeper than 32"),
        ("- " * 100_000, "nested deeper than 32"),
        ("a: !!python/object:os.system x", "line 1: "),
        ("a: [1", "line "),
        ("{a: 1}\n---\n{b: 2}\n", "line 2: "),
        ("? [a]\n: b\n", "line 1: "),
        ("\x00", "it is not YAML"),
        ("0b2: x\na: 0o9", None),
    ],
)
def test_refusals(text: str, says: str | None) -> None:
    if says is None:
        assert loads(text) == {"0b2": "x", "a": "0o9"}
        return
    with pytest.raises(ValueError, match=says):
        loads(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(codec="ascii", min_codepoint=32)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc ", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_json_is_yaml(value: Any) -> None:
    assert loads(json.dumps(value)) == value
