"""A stranger's JSON, taken apart with care: every value is checked for its type before it is used."""

from __future__ import annotations

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


class Fields:
    """Typed access to one JSON object; `what` names it in messages. A null is as good as absent."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise Damaged(f"{what} is not a JSON object")
        self.value: dict[str, Any] = value
        self.what = what

    def text(self, key: str) -> str:
        """A string, empty where absent."""
        return str(self._typed(key, str, ""))

    def whole(self, key: str) -> int:
        """A whole number, 0 where absent."""
        value = self._typed(key, int, 0)
        if isinstance(value, bool) or not -(1 << 63) <= value < 1 << 63:
            raise Damaged(f"{self.what}: {key} is not a whole number of 64 bits")
        return int(value)

    def flag(self, key: str) -> bool:
        """A boolean, false where absent."""
        return bool(self._typed(key, bool, False))

    def items(self, key: str) -> list[Any]:
        """A list of anything, empty where absent."""
        return list(self._typed(key, list, []))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, empty where absent."""
        values = self.items(key)
        if not all(isinstance(value, str) for value in values):
            raise Damaged(f"{self.what}: {key} holds something that is not a string")
        return tuple(values)

    def optional_texts(self, key: str) -> tuple[str, ...] | None:
        """A list of strings, None where absent or null. A lone string counts as a list of one, as in old images."""
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            return (value,)
        return self.texts(key)

    def text_map(self, key: str) -> dict[str, str]:
        """An object of strings, empty where absent."""
        values = self._typed(key, dict, {})
        if not all(isinstance(value, str) for value in values.values()):
            raise Damaged(f"{self.what}: {key} holds something that is not a string")
        return dict(values)

    def keys(self, key: str) -> tuple[str, ...]:
        """The keys of an object that serves as a set, sorted; empty where absent."""
        return tuple(sorted(self._typed(key, dict, {})))

    def part(self, key: str) -> Fields | None:
        """An inner object, None where absent."""
        value = self.value.get(key)
        return None if value is None else Fields(value, f"{self.what}: {key}")

    def _typed(self, key: str, kind: type, default: Any) -> Any:
        value = self.value.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise Damaged(f"{self.what}: {key} is not {_KINDS[kind]}")
        return value


_KINDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
