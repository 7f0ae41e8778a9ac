"""A slot holds exactly one provider of a group."""

from __future__ import annotations

from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Generic, TypeVar, cast

    from sonata_core.border import Border
    from sonata_core.groups import Group
    from sonata_core.models.plugin import PluginInfo

    H = TypeVar("H")
    C = TypeVar("C")
else:

    class Generic:
        def __class_getitem__(cls, _item):
            return cls

    H = C = None

    def cast(_kind, value):
        return value


class _Relay:
    """Calls a plugin that was checked before, through the border and without pluggy."""

    def __init__(self, plugin: object, border: Border, backend: str) -> None:
        self._plugin = plugin
        self._border = border
        self._backend = backend

    def __getattr__(self, hook: str) -> Any:
        function = getattr(self._plugin, hook)
        border, backend = self._border, self._backend

        def call(**given: Any) -> Any:
            return border.cross(backend, hook, function, given)

        setattr(self, hook, call)
        return call


class Slot(Generic[H]):
    """One chosen provider. `hook` is typed as the group's hookspecs; `plugin` is for the kit only."""

    hook: H

    def __init__(self, group: Group, name: str, plugin: object, offered: frozenset[str], relay: Any) -> None:
        self.group = group
        self.name = name
        self.plugin = plugin
        self.offered = offered
        self.hook = cast("H", relay)

    def info(self) -> PluginInfo:
        """What the plugin says of itself."""
        found: PluginInfo = self.hook.plugin_info()  # type: ignore[attr-defined]
        return found

    def offers(self, capability: type) -> bool:
        """Whether the plugin implements an optional capability."""
        return capability.__name__ in self.offered

    def require(self, capability: type[C]) -> C:
        """The hooks of an optional capability. Raises Unsupported naming backend and capability."""
        if not self.offers(capability):
            verb = capability.__name__.removeprefix(self.group.name.capitalize()).lower()
            raise Unsupported(
                f"{self.group.name} backend {self.name!r} does not offer {verb}",
                hint=f"`sonata plugin ls` shows the {self.group.name} backends that do",
                backend=self.name,
            )
        return cast("C", self.hook)


def seat(group: Group, name: str, plugin: object, border: Border) -> Slot[Any]:
    """Check a plugin against its group with pluggy and seat it. Raises PluginBrokeContract."""
    from sonata_core import seat as checking

    manager = checking.HookManager()
    offered = checking.check(group, name, plugin, manager)
    checking.watch(manager, border, name)
    return Slot(group, name, plugin, offered, manager.hook)


def seat_checked(group: Group, name: str, plugin: object, offered: frozenset[str], border: Border) -> Slot[Any]:
    """Seat a plugin that was found sound before and has not changed since."""
    return Slot(group, name, plugin, offered, _Relay(plugin, border, name))
