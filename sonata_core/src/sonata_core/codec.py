"""Our own JSON: records to plain data and back. For files and rows that we wrote ourselves.

`thaw` trusts what it reads and validates nothing; documents from strangers go through `admit`.
Fields with their default value are left out, so that stored records stay short and a new field
needs no migration.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from sonata_core.lite import TYPE_CHECKING, Any, StrEnum
from sonata_core.record import Record, defaults_of, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    R = TypeVar("R", bound=Record)

_MISSING = object()
_UNION: Any = type(int | None)
_thawers: dict[type, dict[str, Callable[[Any], Any]]] = {}


def freeze(value: Any) -> Any:
    """Plain data (what JSON can hold) for a record, or for a container of records."""
    if isinstance(value, Record):
        defaults = defaults_of(type(value))
        found = {}
        for field in fields_of(type(value)):
            content = getattr(value, field)
            if content != defaults.get(field, _MISSING):
                found[field] = freeze(content)
        return found
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [freeze(item) for item in value]
    if hasattr(value, "items"):
        return {key: freeze(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode("ascii")
    return value


def thaw(cls: type[R], data: dict[str, Any]) -> R:
    """The record that `freeze` made `data` from. Unknown keys are passed over: a newer version wrote them."""
    converters = _thawers.get(cls)
    if converters is None:
        converters = _thawers[cls] = {field: converter(kind) for field, kind in fields_of(cls).items()}
    return cls(**{field: converters[field](content) for field, content in data.items() if field in converters})


def converter(kind: Any) -> Callable[[Any], Any]:
    """A function that turns plain data into a value of an annotated type."""
    if isinstance(kind, _UNION):
        parts = [part for part in kind.__args__ if part is not type(None)]
        inner = converter(parts[0]) if len(parts) == 1 else _same
        return lambda data: None if data is None else inner(data)
    origin = getattr(kind, "__origin__", None)
    if origin is tuple:
        return _tuple_converter(kind.__args__)
    if origin is not None and hasattr(origin, "keys"):
        inner = converter(kind.__args__[1])
        return lambda data: {key: inner(item) for key, item in data.items()}
    if isinstance(kind, type) and issubclass(kind, Record):
        return lambda data: thaw(kind, data)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    return _bytes if kind is bytes else _same


def _bytes(data: Any) -> Any:
    return a2b_base64(data) if isinstance(data, str) else data


def _tuple_converter(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(args) == 2 and args[1] is Ellipsis:
        inner = converter(args[0])
        return lambda data: tuple(inner(item) for item in data)
    inners = [converter(arg) for arg in args]
    return lambda data: tuple(one(item) for one, item in zip(inners, data, strict=False))


def _same(data: Any) -> Any:
    return data
