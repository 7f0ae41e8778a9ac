"""Checking plugins with pluggy, and relaying calls through it. Imported on a cold start only.

A plugin that was checked once is not checked again while neither it nor the core changes:
`slot` then calls it without pluggy (ADR 0002).
"""

from __future__ import annotations

import time

import pluggy  # noqa: TID253 - this module is itself imported inside functions

from sonata_core.errors import PluginBrokeContract, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import IMPL, PROJECT, SPEC

if TYPE_CHECKING:
    from sonata_core.border import Border
    from sonata_core.groups import Group


class HookManager(pluggy.PluginManager):
    """pluggy's manager, reading Sonata's own marks."""

    def __init__(self) -> None:
        super().__init__(PROJECT)

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> Any:
        return getattr(getattr(module_or_class, name, None), SPEC, None)

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        implementation = getattr(type(plugin), name, None)
        return getattr(implementation, IMPL, None)


def hooks_of(spec: type) -> frozenset[str]:
    """Names of the hooks that a hookspec class declares, inherited ones included."""
    return frozenset(name for name in dir(spec) if hasattr(getattr(spec, name, None), SPEC))


def implemented(plugin: object) -> frozenset[str]:
    """Names of the hooks that a plugin marks as implemented."""
    cls = type(plugin)
    return frozenset(name for name in dir(cls) if hasattr(getattr(cls, name, None), IMPL))


def check(group: Group, name: str, plugin: object, manager: HookManager) -> frozenset[str]:
    """Register and verify one plugin; the capabilities that it offers, by class name.

    Raises PluginBrokeContract naming the hooks that are missing, misspelt or half there.
    """
    for spec in (group.required, *group.optional):
        manager.add_hookspecs(spec)
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        raise PluginBrokeContract(f"{group.name} plugin {name!r}: {error}", backend=name) from error
    own = implemented(plugin)
    missing = hooks_of(group.required) - own
    if missing:
        raise PluginBrokeContract(f"{group.name} plugin {name!r} lacks {', '.join(sorted(missing))}", backend=name)
    offered = set()
    for capability in group.optional:
        wanted = hooks_of(capability)
        if wanted <= own:
            offered.add(capability.__name__)
        elif wanted & own:
            lacking = ", ".join(sorted(wanted - own))
            raise PluginBrokeContract(
                f"{group.name} plugin {name!r} implements only half of {capability.__name__}: it lacks {lacking}",
                backend=name,
            )
    return frozenset(offered)


def watch(manager: HookManager, border: Border, backend: str) -> None:
    """Put the border around every call that the manager relays."""
    started: list[int] = []

    def before(_hook: str, _methods: Any, _given: Any) -> None:
        if border.guard is not None:
            border.guard()
        started.append(time.monotonic_ns())

    def after(outcome: Any, hook: str, _methods: Any, _given: Any) -> None:
        border.note(backend, hook, started.pop())
        error = outcome.exception
        if error is not None and not isinstance(error, SonataError) and isinstance(error, Exception):
            crashed = border.crashed(backend, hook, error)
            crashed.__cause__ = error
            outcome.force_exception(crashed)

    manager.add_hookcall_monitoring(before, after)
