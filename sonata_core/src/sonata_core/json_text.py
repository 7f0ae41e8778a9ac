"""JSON as the standard library's `json` reads and writes it, with its accelerator and without its weight.

`json` brings `re` and with it `enum`: 3 ms of a start that is to take 30. What is out of the ordinary (an
encoding other than UTF-8, indentation, an error to be worded) is left to `json` itself.
"""

from __future__ import annotations

from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import IO

_SPACE = " \t\n\r"
_ODD = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class _Reading:
    """What the scanner asks its decoder for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}

    @staticmethod
    def parse_constant(name: str) -> float:
        return {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}[name]


class _Strict(_Reading):
    @staticmethod
    def parse_constant(name: str) -> float:
        raise ValueError(f"{name} is no JSON value")


_scan = make_scanner(_Reading)  # type: ignore[arg-type]  # typeshed wants a decoder
_scan_strictly = make_scanner(_Strict)  # type: ignore[arg-type]


def loads(text: str | bytes | bytearray, *, constants: bool = True) -> Any:
    """The value that a document says. Raises ValueError with line and column.

    Without `constants`, NaN and the infinities are refused, as the standard would have it.
    """
    if not isinstance(text, str):
        if text.startswith(_ODD) or 0 in text[:4]:
            return _ordinary(text)
        text = text.decode("utf-8", "surrogatepass")
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        value, end = (_scan if constants else _scan_strictly)(text, start)
    except (StopIteration, SystemError):
        # The scanner takes its errors from `json.decoder`; where that was never imported it fails without one.
        return _ordinary(text)
    if text[end:].strip(_SPACE):
        return _ordinary(text)
    return value


def load(file: IO[Any]) -> Any:
    """As `loads`, from a file."""
    return loads(file.read())


def _ordinary(text: str | bytes | bytearray) -> Any:
    import json

    return json.loads(text)


def dumps(
    value: Any,
    *,
    separators: tuple[str, str] = (", ", ": "),
    sort_keys: bool = False,
    ensure_ascii: bool = True,
    indent: int | None = None,
) -> str:
    """A document that says the value. Raises TypeError for what JSON has no word for."""
    if indent is not None:
        import json

        if separators == (", ", ": "):
            return json.dumps(value, sort_keys=sort_keys, ensure_ascii=ensure_ascii, indent=indent)
        return json.dumps(value, sort_keys=sort_keys, ensure_ascii=ensure_ascii, indent=indent, separators=separators)
    item, key = separators
    quote = encode_basestring_ascii if ensure_ascii else encode_basestring
    write = make_encoder({}, _refuse, quote, None, key, item, sort_keys, False, True)
    return "".join(write(value, 0))


def dump(value: Any, file: IO[str]) -> None:
    """As `dumps`, into a file."""
    file.write(dumps(value))


def _refuse(value: Any) -> Any:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
