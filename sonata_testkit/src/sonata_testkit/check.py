"""The part of each suite that may be run on a user's host: it changes nothing outside a folder of its own.

No container is made, nothing is mounted, no network is touched; a storage driver is tried in a store
that is removed afterwards.
"""

from __future__ import annotations

import importlib
import inspect
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.border import Border
from sonata_core.errors import BackendMissing, SonataError
from sonata_core.groups import GROUPS, Group
from sonata_core.models.storage import StoreRoot
from sonata_core.slot import seat
from sonata_testkit.clauses import clauses_of
from sonata_testkit.fixtures import KeptLog, Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext

_EVERY = ("test_info_names_the_plugin_and_its_contract", "test_required_hooks_are_there_and_capabilities_whole")
_SAFE = {
    "runtime": (
        "sonata_testkit.runtime:RuntimeConformance",
        ("test_facts", "test_delete_of_absent", "test_explaining_is_pure_and_never_empty"),
    ),
    "net": (
        "sonata_testkit.net:NetConformance",
        ("test_facts", "test_plans_never_collide", "test_what_is_wished_is_planned_or_refused"),
    ),
    "storage": (
        "sonata_testkit.storage:StorageConformance",
        (
            "test_facts",
            "test_key_reuse",
            "test_layout_is_the_peers",
            "test_usage_is_what_removing_would_free",
            "test_mounts_are_equal_after_a_restart",
            "test_removing_what_is_not_there",
            "test_stage",
            "test_info_and_list",
            "test_what_is_unknown_is_not_found",
        ),
    ),
    "transport": ("sonata_testkit.transport:TransportConformance", ("test_nonsense_is_a_usage_error",)),
    "hooks": (
        "sonata_testkit.hooks:HooksConformance",
        (
            "test_the_spec_is_not_changed",
            "test_everything_says_where_it_comes_from",
            "test_an_adjustment_is_sound_data",
        ),
    ),
}
_FACTS = {"runtime": "runtime_facts", "net": "net_facts", "storage": "storage_facts", "transport": "transport_facts"}


def safe_check(group: Group | str, name: str, context: PluginContext) -> list[tuple[str, bool, str]]:
    """Try an installed plugin: for each clause that was tried, whether it holds, and what was found.

    `context` gives configuration, facts and programs; folders and stores are replaced by temporary ones.
    A capability that the plugin does not offer holds, with `not offered: …`. Raises BackendMissing for a
    plugin that is not installed.
    """
    wanted = GROUPS[group] if isinstance(group, str) else group
    cls = _find(wanted, name)
    with tempfile.TemporaryDirectory(prefix="sonata-check-") as folder:
        own = _own(context, folder)
        try:
            given = _given(wanted, name, cls, own)
        except SonataError as error:
            return [("P-03", False, error.message)]
        return _try_all(wanted, given)


def _find(group: Group, name: str) -> Any:
    from importlib.metadata import entry_points

    for point in entry_points(group=group.entry_points, name=name):
        return point.load()
    raise BackendMissing(f"no {group.name} backend {name!r} is installed", hint="`sonata plugin ls` lists them")


def _own(context: PluginContext, folder: str) -> PluginContext:
    return context.replace(
        root=f"{folder}/root",
        run=f"{folder}/run",
        cache=f"{folder}/cache",
        stores=(StoreRoot(path=f"{folder}/graph", run=f"{folder}/graph-run"),),
        run_command=Runner(context.run_command),
    )


def _given(group: Group, name: str, cls: Any, context: PluginContext) -> dict[str, Any]:
    """What the suite's fixtures would give."""
    from pathlib import Path

    backend = cls(context)
    slot = seat(group, name, backend, Border(group.name, KeptLog()))
    given: dict[str, Any] = {
        "backend": backend,
        "plugin_context": context,
        "slot": slot,
        "hook": slot.hook,
        "tmp_path": Path(context.root).parent,
    }
    if group.name in _FACTS:
        given["facts"] = getattr(slot.hook, _FACTS[group.name])()
    if group.name == "storage":
        from sonata_testkit.storage import Layers

        given["layers"] = Layers(slot.hook, context.stores[0].path)
    elif group.name == "net":
        from sonata_testkit.net_stage import Lab

        given["lab"] = Lab(slot, given["facts"], given["tmp_path"])
    elif group.name == "hooks":
        from sonata_testkit.containers import make_spec

        given.update(spec=make_spec(["/bin/sh"], "/kit", {}), annotations={})
    return given


def _try_all(group: Group, given: dict[str, Any]) -> list[tuple[str, bool, str]]:
    target, names = _SAFE[group.name]
    module, _, suite_name = target.partition(":")
    suite = getattr(importlib.import_module(module), suite_name)()
    rows = []
    for test in (*_EVERY, *names):
        method = getattr(suite, test)
        passed, detail = _try(method, given)
        rows += [(clause, passed, detail) for clause in clauses_of(method)]
        if group.name == "storage":
            _empty(given)
    return rows


def _empty(given: dict[str, Any]) -> None:
    """Take the layers of one test away before the next, children before parents."""
    layers = given["layers"]
    for _ in range(8):
        for layer in layers.hook.storage_list():
            try:
                layers.remove(layer)
            except SonataError:
                continue


def _try(method: Callable[..., object], given: dict[str, Any]) -> tuple[bool, str]:
    arguments = {name: given[name] for name in inspect.signature(method).parameters}
    text = inspect.cleandoc(method.__doc__ or method.__name__.removeprefix("test_").replace("_", " "))
    try:
        method(**arguments)
    except pytest.skip.Exception as skipped:
        return True, str(skipped.msg)
    except (AssertionError, pytest.fail.Exception, SonataError) as error:
        return False, f"{text}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return True, text
