"""Members of a JSON object passed on in their own words, as Go's `json.RawMessage` does.

What is only passed on keeps the order of its members, its numbers and its escapes, so that it gets the digest that
other tools compute.
"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.manifests import load_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPACE = " \t\n\r"
_ESCAPED = (("<", "003c"), (">", "003e"), ("&", "0026"), ("\u2028", "2028"), ("\u2029", "2029"))


def raw_members(content: bytes, what: str) -> dict[str, str]:
    """Each member's value as compact text, safe inside HTML as Go writes it; of doubled ones the last. Raises Damaged.

    `what` names the object in messages.
    """
    import json

    load_object(content, what)
    text = content.decode()
    scan = json.JSONDecoder().raw_decode
    found: dict[str, str] = {}
    at = _after(text, text.index("{") + 1)
    while text[at] != "}":
        name, end = scan(text, at)
        start = _after(text, _after(text, end) + 1)
        _, end = scan(text, start)
        found[name] = _compact(text[start:end])
        at = _after(text, end)
        if text[at] == ",":
            at = _after(text, at + 1)
    return found


def raw_object(members: Mapping[str, str]) -> bytes:
    """The object that has these members, sorted as Go sorts a map."""
    return ("{" + ",".join(f"{go_text(name)}:{members[name]}" for name in sorted(members)) + "}").encode()


def go_text(value: object) -> str:
    """JSON as Go writes it: compact, and safe inside HTML. The order of members is kept."""
    from sonata_core import json_text

    return _safe(json_text.dumps(value, separators=(",", ":"), ensure_ascii=False))


def _compact(text: str) -> str:
    import re

    return _safe(re.sub(r'("(?:[^"\\]|\\.)*")|[ \t\n\r]+', lambda found: found[1] or "", text))


def _safe(text: str) -> str:
    for plain, escaped in _ESCAPED:
        text = text.replace(plain, f"\\u{escaped}")
    return text


def _after(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at
