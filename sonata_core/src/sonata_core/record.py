"""Frozen, slotted, keyword-only values at a hundredth of a dataclass's import cost.

`dataclasses` pulls in `inspect` (some 12 ms) and writes source code for each class (1.3 ms a
class). A `Record` is made by a metaclass that only notes names and defaults. A record's fields
are its annotations, which must be live objects: modules that define records do not use
`from __future__ import annotations`.
"""

from sonata_core.lite import TYPE_CHECKING, Any, dataclass_transform

if TYPE_CHECKING:
    from typing import Self

_MISSING = object()


class _RecordType(type):
    """Collects a record's fields from its annotations, and gives it slots."""

    _fields: "dict[str, Any]"
    _defaults: "dict[str, Any]"
    _setters: "tuple[tuple[str, Any, Any], ...]"

    def __new__(mcls, name: str, bases: "tuple[type, ...]", space: "dict[str, Any]") -> "_RecordType":
        fields: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
        for base in bases:
            fields.update(getattr(base, "_fields", {}))
            defaults.update(getattr(base, "_defaults", {}))
        own = space.get("__annotations__", {})
        for field in own:
            if field in space:
                defaults[field] = space.pop(field)
        fields.update(own)
        space["__slots__"] = tuple(own)
        space["_fields"] = fields
        space["_defaults"] = defaults
        space["_setters"] = ()
        return super().__new__(mcls, name, bases, space)

    def setters(cls) -> "tuple[tuple[str, Any, Any], ...]":
        """How to set each field: its slot's own setter, which a frozen record does not refuse, and its default."""
        defaults = cls._defaults
        cls._setters = tuple(
            (field, getattr(cls, field).__set__, defaults.get(field, _MISSING)) for field in cls._fields
        )
        return cls._setters


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record(metaclass=_RecordType):
    """Base of every value that crosses a border: frozen, compared by value, made by keyword."""

    if not TYPE_CHECKING:

        def __init__(self, **given):
            take = given.pop
            cls = type(self)
            for field, put, default in cls._setters or cls.setters():
                value = take(field, default)
                if value is _MISSING:
                    raise TypeError(f"{type(self).__name__} needs {field}")
                put(self, value)
            if given:
                raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(given))}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name}")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in type(self)._fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, field) for field in type(self)._fields))

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={getattr(self, field)!r}" for field in type(self)._fields)
        return f"{type(self).__name__}({shown})"

    def replace(self, **changes: object) -> "Self":
        """A copy with some fields changed. Raises TypeError for a field that the record lacks."""
        values = {field: getattr(self, field) for field in type(self)._fields}
        values.update(changes)
        return type(self)(**values)


def fields_of(cls: "type[Record]") -> "dict[str, Any]":
    """Field names of a record class with their annotations, in order of definition."""
    return dict(cls._fields)


def defaults_of(cls: "type[Record]") -> "dict[str, Any]":
    """Default values of a record class, by field."""
    return dict(cls._defaults)
