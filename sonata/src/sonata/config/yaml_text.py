"""YAML as the Go libraries of container tools read it, by PyYAML (ADR 6), bounded.

Plain scalars follow those libraries where YAML 1.1 differs: `yes` is text, `1:30` is text, a date is text.
Anchors and aliases are refused, so that no value is larger than its text.
"""

from __future__ import annotations

import re

import yaml
from yaml import events

from sonata_core.lite import Any

DEEPEST = 32
_RESOLVED = (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", "~nN\0"),
)


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)  # type: ignore[arg-type]  # checked by what calls it
        if len(found) != len(node.value):
            line = node.start_mark.line + 1
            raise ValueError(f"line {line}: a key stands twice in the map that begins here")
        return found

    def integer(self, node: yaml.ScalarNode) -> int:
        text = node.value.replace("_", "")
        digits = text.lstrip("-+")
        if len(digits) > 1 and digits.isdecimal() and digits[0] == "0":
            return int(text, 8)
        return int(text, 0)


for _tag, _pattern, _first in _RESOLVED:
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first])
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.integer)


def loads(text: str) -> Any:
    """The value of one document. Raises ValueError with the line that is wrong, or that is not supported."""
    try:
        _check(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"line {mark.line + 1 if mark else 1}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {str(error).splitlines()[0]}") from error
    except (AttributeError, LookupError, TypeError, OverflowError) as error:  # `!!bool perhaps`, `!!int [1]`
        raise ValueError("a tag does not fit the value that it stands before") from error


def _check(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, events.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError(f"line {line}: anchors and aliases are not supported")
        if isinstance(event, events.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise ValueError(f"line {line}: nested deeper than {DEEPEST} levels")
        elif isinstance(event, events.CollectionEndEvent):
            depth -= 1
