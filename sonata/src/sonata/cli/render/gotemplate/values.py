"""What templates work on: Go's values in Python's clothes.

`str`, `bool`, `int`, `float`, lists and dictionaries stand for themselves (a dictionary is a map; one
whose values are all strings is a `map[string]string`). A `Struct` has named members, of which some are
computed; asking it for another is an error, where asking a map is none. None is nil.
"""

from __future__ import annotations

from collections.abc import Mapping

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Missing:
    """No value at all, as reflect's zero Value: a key that a map does not have."""

    def __repr__(self) -> str:
        return "<no value>"


MISSING = _Missing()


class Struct(Mapping[str, Any]):
    """A Go struct. A member that is callable is a method: it is called with what stands after it.

    `type_name` is what Go calls it (`containers.psReporter`); `shown` names the members that make up
    its printed form, in order; `json` is what `json` writes for it, by default those members.
    """

    __slots__ = ("_members", "json", "shown", "type_name")

    def __init__(
        self, type_name: str, members: Mapping[str, Any], shown: tuple[str, ...] | None = None, json: Any = None
    ) -> None:
        self.type_name = type_name
        self._members = members
        plain = shown if shown is not None else tuple(name for name in members if not callable(members[name]))
        self.shown = plain
        self.json = json

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def as_json(self) -> Any:
        """What stands for it in JSON."""
        return {name: self[name] for name in self.shown} if self.json is None else self.json


class GoMap(dict[Any, Any]):
    """A map whose element type is known even where it is empty."""

    element = "interface {}"

    @classmethod
    def of(cls, content: Mapping[Any, Any], element: str) -> GoMap:
        """A map of that element type (`string`, `int`, `[]string`)."""
        made = cls(content)
        made.element = element
        return made


class NilMap(dict[str, Any]):
    """A map that was never made: empty, and `null` in JSON."""

    def as_json(self) -> None:
        """Nothing."""


class NilList(list[Any]):
    """A slice that was never made: empty, and `null` in JSON."""

    def as_json(self) -> None:
        """Nothing."""


class Duration(int):
    """A time.Duration in nanoseconds; prints as Go prints it: 1h2m3.5s."""

    def methods(self) -> dict[str, Callable[[], Any]]:
        """What a template may call on it."""
        return {
            "Hours": lambda: self / 3_600_000_000_000,
            "Microseconds": lambda: self // 1000,
            "Milliseconds": lambda: self // 1_000_000,
            "Minutes": lambda: self / 60_000_000_000,
            "Nanoseconds": lambda: int(self),
            "Seconds": lambda: self / 1_000_000_000,
            "String": lambda: str(self),
        }

    def __str__(self) -> str:
        if not self:
            return "0s"
        sign, left = ("-" if self < 0 else ""), abs(int(self))
        if left < 1_000_000_000:
            for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
                if left >= size:
                    return f"{sign}{_decimal(left, size)}{unit}"
        minutes, rest = divmod(left, 60_000_000_000)
        hours, minutes = divmod(minutes, 60)
        head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{sign}{head}{_decimal(rest, 1_000_000_000)}s"


def _decimal(amount: int, unit: int) -> str:
    whole, part = divmod(amount, unit)
    digits = f"{part:0{len(str(unit)) - 1}d}".rstrip("0") if unit > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)


def zero_of(element: str) -> Any:
    """The zero value of a type, by name; MISSING where that is a nil interface."""
    if element == "string":
        return ""
    if element == "bool":
        return False
    if element.startswith(("int", "uint", "float")) and not element.startswith("interface"):
        return 0
    if element.startswith("[]"):
        return []
    if element.startswith("map["):
        return {}
    return MISSING


def element_of(value: Mapping[Any, Any]) -> str:
    """The element type of a map: what it says of itself, or what its values have in common."""
    if isinstance(value, GoMap):
        return value.element
    kinds = {go_type(item) for item in value.values()}
    return kinds.pop() if len(kinds) == 1 else "string" if not kinds else "interface {}"


_NAMES = {bool: "bool", int: "int", float: "float64", str: "string", Duration: "time.Duration"}


def go_type(value: Any) -> str:
    """A value's type as Go names it."""
    if value is None or value is MISSING:
        return "interface {}" if value is MISSING else "<nil>"
    if isinstance(value, Struct):
        return value.type_name
    if isinstance(value, Mapping):
        key = "int" if value and all(isinstance(name, int) for name in value) else "string"
        return f"map[{key}]{element_of(value)}"
    if isinstance(value, (list, tuple)):
        kinds = {go_type(item) for item in value}
        return "[]" + (kinds.pop() if len(kinds) == 1 else "string" if not kinds else "interface {}")
    return str(_NAMES.get(type(value)) or getattr(value, "type_name", type(value).__name__))


def truth(value: Any) -> bool:
    """Whether `if` takes it: not zero, not empty, not nil. A struct is always true."""
    if value is None or value is MISSING:
        return False
    return True if isinstance(value, Struct) or hasattr(value, "type_name") else bool(value)


def sorted_items(value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """A map's entries in the order in which Go prints and ranges over them."""
    return sorted(value.items(), key=lambda item: item[0])
