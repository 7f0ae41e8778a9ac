"""Everything that crosses the border can be written as JSON and read back unchanged."""

import importlib
import json
import pkgutil
import types
from collections.abc import Mapping

import pytest

import sonata_core.models
from sonata_core.codec import freeze, thaw
from sonata_core.lite import StrEnum
from sonata_core.record import Record, fields_of

MODULES = [found.name for found in pkgutil.iter_modules(sonata_core.models.__path__)]


def records():
    for name in MODULES:
        module = importlib.import_module(f"sonata_core.models.{name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Record) and value.__module__ == module.__name__:
                yield value


def value_of(kind, full: bool):
    """A value of an annotated type: with all that may be there, or with as little as can be."""
    if isinstance(kind, types.UnionType):
        parts = [part for part in kind.__args__ if part is not type(None)]
        return value_of(parts[0], full) if full or type(None) not in kind.__args__ else None
    origin = getattr(kind, "__origin__", None)
    if origin is tuple:
        if kind.__args__[-1] is Ellipsis:
            return (value_of(kind.__args__[0], full),) * 2 if full else ()
        return tuple(value_of(part, full) for part in kind.__args__)
    if origin is Mapping:
        return {"one": value_of(kind.__args__[1], full), "a.b/c": value_of(kind.__args__[1], full)} if full else {}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return list(kind)[-1 if full else 0]
    if isinstance(kind, type) and issubclass(kind, Record):
        return made(kind, full)
    plain = {str: "wörd \n\x00", int: 2**53 + 1, bool: True, float: 0.1, bytes: bytes(range(256)), object: "any"}
    assert kind in plain, f"{kind!r} cannot cross the border"
    return plain[kind] if full else kind() if kind is not object else None


def made(cls, full: bool):
    return cls(**{name: value_of(kind, full) for name, kind in fields_of(cls).items()})


@pytest.mark.parametrize("cls", list(records()), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("full", [True, False], ids=["full", "bare"])
def test_survives_json(cls, full):
    value = made(cls, full)
    again = thaw(cls, json.loads(json.dumps(freeze(value))))
    assert again == value
    assert repr(again) == repr(value)


def test_there_are_models():
    assert len(list(records())) > 30
