"""Finding plugins by name. The only module that imports stevedore.

stevedore's scan and pluggy's check take some 60 ms together; their outcome is kept in a memo
that holds for as long as no folder of the import path changes and the plugin's module is the
same file.
"""

from __future__ import annotations

import sys

from sonata_core.border import Border
from sonata_core.errors import BackendMissing, IncompatiblePlugin, PluginBrokeContract, PluginFault, SonataError
from sonata_core.fanout import Fanout
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.memo import Memo, stamp_of
from sonata_core.record import Record
from sonata_core.slot import Slot, seat, seat_checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext
    from sonata_core.groups import Group


class Found(Record):
    """An installed plugin: `target` is `module:class`, `distribution` who brings it."""

    group: str
    name: str
    target: str
    distribution: str
    version: str


class Listed(Record):
    """A plugin as `plugin ls` shows it: `status` is ok, unavailable or broken, with the reason."""

    group: str
    name: str
    distribution: str
    version: str
    contract: str
    file: str
    status: str
    reason: str = ""
    hint: str = ""
    """What would make an unavailable one available, where it knows."""


class Catalog:
    """Knows the installed plugins. `memo` may be None: then every start is cold."""

    def __init__(self, memo: Memo | None, make_border: Callable[[str], Border]) -> None:
        self._memo = memo
        self._make_border = make_border
        self._known: dict[str, tuple[Found, ...]] = {}

    def names(self, group: Group) -> tuple[str, ...]:
        """Names of the installed plugins of a group, sorted."""
        return tuple(sorted(found.name for found in self.installed(group)))

    def installed(self, group: Group) -> tuple[Found, ...]:
        """The installed plugins of a group. Raises PluginFault where two distributions claim one name."""
        known = self._known.get(group.entry_points)
        if known is None:
            known = self._known[group.entry_points] = self._look(group)
        return known

    def _look(self, group: Group) -> tuple[Found, ...]:
        from sonata_core.codec import freeze, thaw

        stamp = _path_stamp()
        key = f"plugins-{group.entry_points}"
        kept = self._memo.get(key, stamp) if self._memo else None
        if kept is not None:
            return tuple(thaw(Found, row) for row in kept)
        found = _scan(group)
        if self._memo:
            self._memo.put(key, stamp, freeze(found))
        return found

    def load(self, group: Group, name: str, make_context: Callable[[str], PluginContext]) -> Slot[Any]:
        """Import, construct and seat one plugin.

        Raises BackendMissing, PluginBrokeContract, PluginCrashed, and what its constructor raises
        (Unavailable).
        """
        found = self.find(group, name)
        cls, file = _import(found)
        border = self._make_border(group.name)
        plugin = border.cross(name, "__init__", cls, {"context": make_context(name)})
        key = f"checked-{group.entry_points}-{name}"
        stamp = stamp_of(file, __file__) + found.version
        offered = self._memo.get(key, stamp) if self._memo else None
        if offered is not None:
            return seat_checked(group, name, plugin, frozenset(offered), border)
        slot = seat(group, name, plugin, border)
        _welcome(group, name, slot)
        if self._memo:
            self._memo.put(key, stamp, sorted(slot.offered))
        return slot

    def fanout(self, group: Group, make_context: Callable[[str], PluginContext]) -> Fanout:
        """Construct all participants of a fan-out group. Each is checked as a slot's provider is."""
        participants = [
            (found.name, self.load(group, found.name, make_context).plugin) for found in self.installed(group)
        ]
        return Fanout(group, participants, self._make_border(group.name))

    def find(self, group: Group, name: str) -> Found:
        """One installed plugin. Raises BackendMissing that names what is installed and what to install."""
        installed = self.installed(group)
        for found in installed:
            if found.name == name:
                return found
        have = ", ".join(sorted(one.name for one in installed)) or "none"
        wanted = [dist for dist in group.distributions if name in dist.split("-", 2)[-1]] or list(group.distributions)
        raise BackendMissing(
            f"no {group.name} backend {name!r} is installed (installed: {have})",
            hint="pip install " + " or ".join(wanted),
            group=group.name,
            name=name,
        )

    def survey(self, group: Group, make_context: Callable[[str], PluginContext], probe: str) -> tuple[Listed, ...]:
        """Every installed plugin of a group with its state; `probe` names the hook that says whether it can run."""
        rows = []
        for found in self.installed(group):
            status, reason, hint, contract, file = "ok", "", "", "", ""
            try:
                file = _import(found)[1]
                slot = self.load(group, found.name, make_context)
                contract = slot.info().contract
                if probe:
                    getattr(slot.hook, probe)()
            except PluginFault as error:
                status, reason = "broken", error.message
            except SonataError as error:
                status, reason, hint = "unavailable", error.message, error.hint or ""
            rows.append(
                Listed(
                    group=group.name,
                    name=found.name,
                    distribution=found.distribution,
                    version=found.version,
                    contract=contract,
                    file=file,
                    status=status,
                    reason=reason,
                    hint=hint,
                )
            )
        return tuple(rows)


def _path_stamp() -> str:
    return sys.version + stamp_of(*(path for path in sys.path if not path.endswith(".zip")))


def _scan(group: Group) -> tuple[Found, ...]:
    from importlib.metadata import distributions

    from stevedore import _cache
    from stevedore.extension import ExtensionManager

    # stevedore's own cache lies under the user's home; ours replaces it.
    _cache._c._disable_caching = True
    manager: Any = ExtensionManager(namespace=group.entry_points, invoke_on_load=False, on_load_failure_callback=_quiet)
    # stevedore's entry points do not say which distribution they come from.
    owners: dict[tuple[str, str], dict[str, str]] = {}
    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group == group.entry_points:
                owners.setdefault((point.name, point.value), {})[distribution.name] = distribution.version
    seen: dict[str, Found] = {}
    for point in manager.list_entry_points():
        for owner, version in owners.get((point.name, point.value), {"": ""}).items():
            found = Found(group=group.name, name=point.name, target=point.value, distribution=owner, version=version)
            _require_single(group, seen.setdefault(point.name, found), found)
    return tuple(seen[name] for name in sorted(seen))


def _require_single(group: Group, known: Found, found: Found) -> None:
    if known.distribution != found.distribution:
        raise PluginFault(
            f"two distributions offer the {group.name} backend {found.name!r}: "
            f"{known.distribution} and {found.distribution}",
            hint="uninstall one of them",
        )


def _quiet(_manager: Any, _point: Any, _error: Any) -> None:
    """A plugin that cannot be imported is reported when it is loaded, not when it is listed."""


def load_class(found: Found) -> Any:
    """An installed plugin's class, not constructed. Raises PluginBrokeContract where it cannot be imported."""
    return _import(found)[0]


def _import(found: Found) -> tuple[Any, str]:
    module_name, _, attribute = found.target.partition(":")
    try:
        __import__(module_name)
    except ImportError as error:
        raise PluginBrokeContract(
            f"{found.group} plugin {found.name!r} of {found.distribution} cannot be imported: {error}",
            hint=f"pip install --force-reinstall {found.distribution}",
        ) from error
    module = sys.modules[module_name]
    try:
        return getattr(module, attribute), module.__file__ or ""
    except AttributeError as error:
        raise PluginBrokeContract(f"{found.group} plugin {found.name!r}: {error}", backend=found.name) from error


def _welcome(group: Group, name: str, slot: Slot[Any]) -> None:
    contract = slot.info().contract
    kind, _, version = contract.partition("/")
    major, _, minor = version.partition(".")
    if kind != group.name or not major.isdigit() or not minor.isdigit():
        raise PluginBrokeContract(
            f"{group.name} plugin {name!r} states the contract {contract!r}; it must be such as {group.contract!r}",
            backend=name,
        )
    if (int(major), int(minor)) > (group.major, group.minor):
        raise IncompatiblePlugin(
            f"{group.name} plugin {name!r} is written for contract {contract}, this core has {group.contract}",
            hint="pip install --upgrade sonata-core",
            backend=name,
        )
