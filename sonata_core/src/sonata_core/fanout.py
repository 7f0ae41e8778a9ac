"""A fan-out holds any number of participants of a group."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import IMPL

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Concatenate, ParamSpec, TypeVar

    from sonata_core.border import Border
    from sonata_core.groups import Group

    P = ParamSpec("P")
    T = TypeVar("T")


class Fanout:
    """The enabled participants of a group, in the order of their names."""

    def __init__(self, group: Group, participants: list[tuple[str, object]], border: Border) -> None:
        self.group = group
        self.participants = sorted(participants, key=lambda pair: pair[0])
        self._border = border

    def gather(self, hook: Callable[Concatenate[Any, P], T], *_none: P.args, **given: P.kwargs) -> list[tuple[str, T]]:
        """Every participant's answer with its name, None left out. All or error: the first error is raised."""
        found = []
        for name, function in self._called(_name_of(hook)):
            answer = self._border.cross(name, _name_of(hook), function, given)
            if answer is not None:
                found.append((name, answer))
        return found

    def notify(self, hook: Callable[Concatenate[Any, P], T], *_none: P.args, **given: P.kwargs) -> None:
        """Tell every participant. What one raises is logged with its name and stops nobody."""
        for name, function in self._called(_name_of(hook)):
            try:
                self._border.cross(name, _name_of(hook), function, given)
            except Exception as error:
                self._border.log.error("participant_failed", group=self.group.name, participant=name, error=str(error))

    def _called(self, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        found = []
        for name, plugin in self.participants:
            marks = getattr(getattr(type(plugin), hook, None), IMPL, None)
            if marks is not None:
                rank = 0 if marks["tryfirst"] else 2 if marks["trylast"] else 1
                found.append((rank, name, getattr(plugin, hook)))
        found.sort(key=lambda row: (row[0], row[1]))
        return [(name, function) for _, name, function in found]


def _name_of(hook: Any) -> str:
    name: str = hook.__name__
    return name
