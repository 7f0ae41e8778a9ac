"""Members of JSON objects keep their own words."""

import pytest

from sonata_core.errors import Damaged
from sonata_core.sdk.raw_json import raw_members, raw_object


def test_members_keep_their_words() -> None:
    text = '{ "b" : {"z": 1.50, "a" : [ 1e3 , "x \\" \\u00e9 <é" ] }\n, "a":null, "\\u003c" : -0 ,"b2":{}}'
    found = raw_members(text.encode(), "it")
    assert found == {"b": '{"z":1.50,"a":[1e3,"x \\" \\u00e9 \\u003cé"]}', "a": "null", "<": "-0", "b2": "{}"}
    written = raw_object(found)
    assert written.startswith(b'{"\\u003c":-0,"a":null,"b":{"z"')
    assert raw_members(written, "it") == found


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"a":}', b'{"a":1}x', b"\xff", b'{"a":' + b"[" * 99_999])
def test_what_is_no_object_is_damaged(text: bytes) -> None:
    with pytest.raises(Damaged, match=r"^it "):
        raw_members(text, "it")


def test_of_doubled_members_the_last_counts() -> None:
    assert raw_members(b'{"a":1,"a":{ }}', "it") == {"a": "{}"}
    assert raw_members(b" { } ", "it") == {}
