"""Which backend: what was asked for, else what the configuration says, else the first that works here."""

from __future__ import annotations

import os

from sonata_core.errors import BackendMissing, SonataError, Unavailable
from sonata_core.groups import RUNTIME, STORAGE, Group
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

DEFAULT_ORDER = {"runtime": ("crun", "runc"), "storage": ("overlay", "vfs")}
_FACTS = {"runtime": "runtime_facts", "storage": "storage_facts", "net": "net_facts"}


def runtime_name(engine: Engine, asked: str = "") -> str:
    """The runtime for a new container. Raises Unavailable with each candidate's own reason."""
    wanted = os.path.basename(asked or engine.overrides.runtime or engine.config.engine.runtime)
    if wanted:
        engine.runtime(wanted).hook.runtime_facts()
        return wanted
    return first_that_works(engine, RUNTIME)


def storage_name(engine: Engine) -> str:
    """The storage driver of this store: as asked for, else what lies there, else as configured, else what works.

    Raises BackendMissing for a configured one that nobody offers.
    """
    wanted = engine.config.storage.driver
    graph = engine.config.storage.graph_root
    if wanted:
        # A misspelt one would read as an empty store. Our own are not looked up: that is dear on the way of `ps`.
        if wanted not in DEFAULT_ORDER["storage"]:
            engine.catalog.find(STORAGE, wanted)
        return wanted if engine.config.storage.driver_asked else _begun(engine, wanted)
    there = [name for name in engine.catalog.names(STORAGE) if os.path.isdir(f"{graph}/{name}-layers")]
    if len(there) == 1:
        return there[0]
    if there:
        raise Unavailable(
            f"{graph} contains several storage drivers: {', '.join(there)}",
            hint="choose one with --storage-driver or `driver` in storage.conf",
        )
    return first_that_works(engine, STORAGE)


def _begun(engine: Engine, wanted: str) -> str:
    """The driver that a store was begun with, whatever a file says now: with another one it would look empty."""
    graph = engine.config.storage.graph_root
    if os.path.isdir(f"{graph}/{wanted}-layers"):
        return wanted
    there = [name for name in DEFAULT_ORDER["storage"] if os.path.isdir(f"{graph}/{name}-layers")]
    if len(there) != 1:
        return wanted
    engine.notify(
        f'User-selected graph driver "{wanted}" overwritten by graph driver "{there[0]}" of the store in {graph}: '
        f"--storage-driver {wanted} begins another store there"
    )
    return there[0]


def first_that_works(engine: Engine, group: Group) -> str:
    """The first of the default order, then of the others by name, that says it can run here.

    One line tells when it is not the first one. Raises BackendMissing where none is installed,
    Unavailable with every reason where none can run.
    """
    installed = engine.catalog.names(group)
    order = [name for name in DEFAULT_ORDER[group.name] if name in installed]
    order += [name for name in installed if name not in order]
    if not order:
        raise BackendMissing(
            f"no {group.name} backend is installed", hint="pip install " + " or ".join(group.distributions)
        )
    reasons: list[str] = []
    for name in order:
        trouble = _trouble(engine, group, name)
        if trouble is None:
            if reasons:
                engine.notify(f"using {group.name} {name}: {'; '.join(reasons)}")
            return name
        reasons.append(f"{name}: {trouble.message}")
    raise Unavailable(
        f"no {group.name} backend can run on this host: {'; '.join(reasons)}", hint="`sonata doctor` says what to mend"
    )


def _trouble(engine: Engine, group: Group, name: str) -> SonataError | None:
    try:
        slot: Any = engine.runtime(name) if group is RUNTIME else engine.storage_slot(name)
        getattr(slot.hook, _FACTS[group.name])()
    except SonataError as error:
        return error
    return None
