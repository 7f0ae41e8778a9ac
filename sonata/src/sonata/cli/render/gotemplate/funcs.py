"""The functions that a template may call: Go's own, and Podman's.

A function gets values as they are and raises `FuncError` with what Go would say. `PARAMETERS`
names the types where a function takes less than any value.
"""

from __future__ import annotations

from collections.abc import Mapping

from sonata.cli.render.gotemplate.fmt import show, sprint, sprintf
from sonata.cli.render.gotemplate.values import (
    MISSING,
    Struct,
    element_of,
    go_type,
    truth,
    zero_of,
)
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


_LONGEST = 1 << 20


class FuncError(Exception):
    """What a function says went wrong."""


def _nil(value: Any) -> bool:
    return value is None or value is MISSING


# Go's own


def _index(item: Any, *indexes: Any) -> Any:
    if item is MISSING or (item is None and not indexes):
        raise FuncError("index of untyped nil")
    for key in indexes:
        if _nil(item):
            raise FuncError("index of nil pointer" if item is None else "index of untyped nil")
        if isinstance(item, Mapping) and not isinstance(item, Struct):
            item = _index_map(item, key)
        elif isinstance(item, (list, tuple, str)):
            at = _position(key, len(item))
            if at == len(item):
                kind = "string" if isinstance(item, str) else "slice"
                raise FuncError(f"reflect: {kind} index out of range")
            item = item.encode()[at] if isinstance(item, str) else item[at]
        else:
            raise FuncError(f"can't index item of type {go_type(item)}")
    return item


def _index_map(item: Mapping[Any, Any], key: Any) -> Any:
    wanted = int if item and all(isinstance(name, int) for name in item) else str
    if not isinstance(key, wanted) or isinstance(key, bool):
        name = "string" if wanted is str else "int"
        raise FuncError(
            "value is nil; should be of type " + name
            if _nil(key)
            else f"value has type {go_type(key)}; should be {name}"
        )
    return item[key] if key in item else zero_of(element_of(item))


def _position(key: Any, length: int) -> int:
    if _nil(key):
        raise FuncError("cannot index slice/array with nil")
    if isinstance(key, bool) or not isinstance(key, int):
        raise FuncError(f"cannot index slice/array with type {go_type(key)}")
    if key < 0 or key > length:
        raise FuncError(f"index out of range: {key}")
    return key


def _slice(item: Any, *indexes: Any) -> Any:
    if _nil(item):
        raise FuncError("slice of untyped nil")
    if len(indexes) > 3:
        raise FuncError(f"too many slice indexes: {len(indexes)}")
    if not isinstance(item, (list, tuple, str)):
        raise FuncError(f"can't slice item of type {go_type(item)}")
    if isinstance(item, str) and len(indexes) == 3:
        raise FuncError("cannot 3-index slice a string")
    raw: Any = item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item
    places = [_position(index, len(raw)) for index in indexes]
    bounds = [*places, *[0, len(raw)][len(places) : 2]]
    for at in range(len(bounds) - 1):
        if bounds[at] > bounds[at + 1]:
            raise FuncError(f"invalid slice index: {bounds[at]} > {bounds[at + 1]}")
    cut = raw[bounds[0] : bounds[1]]
    return cut.decode("utf-8", "surrogateescape") if isinstance(item, str) else cut


def _len(item: Any) -> int:
    if _nil(item):
        raise FuncError("len of nil pointer" if item is None else "len of untyped nil")
    if isinstance(item, Struct) or not isinstance(item, (str, list, tuple, Mapping)):
        raise FuncError(f"len of type {go_type(item)}")
    return len(item.encode("utf-8", "surrogateescape")) if isinstance(item, str) else len(item)


def _kind(value: Any) -> str:
    """The basic kind that comparisons go by; empty for others."""
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return name
    return ""


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise FuncError("missing argument for comparison")
    return any([_equal(first, other) for other in others])


def _equal(first: Any, other: Any) -> bool:
    kinds = _kind(first), _kind(other)
    if _nil(first) or _nil(other):
        return _nil(first) and _nil(other)
    if kinds[0] != kinds[1]:
        raise FuncError("incompatible types for comparison")
    if kinds[0]:
        return bool(first == other)
    for value in (first, other):
        if isinstance(value, (list, tuple)) or (isinstance(value, Mapping) and not isinstance(value, Struct)):
            what = f"{go_type(value)}: {show(value)}"
            raise FuncError(f"non-comparable type {what}")
    if go_type(first) != go_type(other):
        raise FuncError("incompatible types for comparison")
    return bool(first == other)


def _ne(first: Any, other: Any) -> bool:
    return not _equal(first, other)


def _lt(first: Any, other: Any) -> bool:
    kinds = _kind(first), _kind(other)
    if not kinds[0] or not kinds[1]:
        raise FuncError("invalid type for comparison")
    if kinds[0] != kinds[1]:
        raise FuncError("incompatible types for comparison")
    if kinds[0] == "bool":
        raise FuncError("invalid type for comparison")
    return bool(first < other)


def _le(first: Any, other: Any) -> bool:
    return _lt(first, other) or _equal(first, other)


def _gt(first: Any, other: Any) -> bool:
    return not _le(first, other)


def _ge(first: Any, other: Any) -> bool:
    return not _lt(first, other)


def _not(value: Any) -> bool:
    return not truth(value)


def _print(*values: Any) -> str:
    return sprint(values)


def _println(*values: Any) -> str:
    return " ".join(show(value, top=False) for value in values) + "\n"


def _printf(form: str, *values: Any) -> str:
    return sprintf(form, values)


def _text(values: tuple[Any, ...]) -> str:
    return values[0] if len(values) == 1 and isinstance(values[0], str) else sprint([_shown(value) for value in values])


def _shown(value: Any) -> Any:
    return "<no value>" if value is MISSING else value


_HTML = {'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"}
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _html(*values: Any) -> str:
    return "".join(_HTML.get(sign, sign) for sign in _text(values))


def _js(*values: Any) -> str:
    made = []
    for sign in _text(values):
        plain = sign.isprintable() or ord(sign) > 0xFFFF
        made.append(_JS.get(sign) or (sign if plain else f"\\u{ord(sign):04X}"))
    return "".join(made)


def _urlquery(*values: Any) -> str:
    plain = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
    raw = _text(values).encode("utf-8", "surrogateescape")
    return "".join("+" if code == 0x20 else chr(code) if code in plain else f"%{code:02X}" for code in raw)


def _call(function: Any = MISSING, *values: Any) -> Any:
    if _nil(function):
        raise FuncError("call of nil")
    if not callable(function):
        raise FuncError(f"non-function {show(function)} of type {go_type(function)}")
    return function(*values)


# Podman's


def _json(value: Any) -> str:
    from sonata.cli.render.json import dumps

    return dumps(value)


def _join(items: Any, separator: str) -> str:
    return separator.join(item if isinstance(item, str) else show(item, top=False) for item in items)


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _pad(text: str, before: int, after: int) -> str:
    if min(before, after) < 0:
        raise FuncError("strings: negative Repeat count")
    if max(before, after) > _LONGEST:
        raise FuncError("strings: Repeat output length overflow")
    return " " * before + text + " " * after if text else text


def _truncate(text: str, length: int) -> str:
    if length < 0:
        raise FuncError(f"runtime error: slice bounds out of range [:{length}]")
    raw = text.encode("utf-8", "surrogateescape")
    return text if len(raw) < length else raw[:length].decode("utf-8", "surrogateescape")


def _title(text: str) -> str:
    made, inside = [], False
    for sign in text:
        made.append(sign if inside else sign.upper())
        inside = sign.isalnum() or sign in "_'" or (inside and not sign.isspace() and sign in "\u2019")
    return "".join(made)


def _unused(*_values: Any) -> Any:
    raise AssertionError("`and` and `or` are evaluated by the engine, word by word")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _unused,
    "call": _call,
    "eq": _eq,
    "ge": _ge,
    "gt": _gt,
    "html": _html,
    "index": _index,
    "join": _join,
    "js": _js,
    "json": _json,
    "le": _le,
    "len": _len,
    "lower": str.lower,
    "lt": _lt,
    "ne": _ne,
    "not": _not,
    "or": _unused,
    "pad": _pad,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "split": _split,
    "title": _title,
    "truncate": _truncate,
    "upper": str.upper,
    "urlquery": _urlquery,
}

PARAMETERS: dict[str, tuple[str, ...]] = {
    "call": ("*",),
    "eq": ("any", "*"),
    "ge": ("any", "any"),
    "gt": ("any", "any"),
    "html": ("*",),
    "index": ("any", "*"),
    "join": ("[]string", "string"),
    "js": ("*",),
    "json": ("interface {}",),
    "le": ("any", "any"),
    "len": ("any",),
    "lower": ("string",),
    "lt": ("any", "any"),
    "ne": ("any", "any"),
    "not": ("any",),
    "and": ("any", "*"),
    "or": ("any", "*"),
    "pad": ("string", "int", "int"),
    "print": ("*",),
    "printf": ("string", "*"),
    "println": ("*",),
    "slice": ("any", "*"),
    "split": ("string", "string"),
    "title": ("string",),
    "truncate": ("string", "int"),
    "upper": ("string",),
    "urlquery": ("*",),
}
"""Types of parameters; `*` is any number of any values."""
