"""`plugin check`: the clauses of the contract that can be tried on a user's host without touching what is there.

Where the test kit is installed (`pip install sonata-testkit`), its harmless part is run as well. Whoever
writes a plugin runs all of the kit.
"""

from __future__ import annotations

import json
import os
import sys

from sonata.engine.plugins.inspect import group_named
from sonata.engine.plugins.listing import PROBES
from sonata_core.border import Border
from sonata_core.catalog import load_class
from sonata_core.codec import freeze, thaw
from sonata_core.errors import AlreadyExists, Conflict, InUse, NotFound, SonataError, Unavailable
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import ContainerId, LayerId
from sonata_core.record import Record
from sonata_core.sdk.trees import remove_tree
from sonata_core.slot import seat

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata_core.context import PluginContext
    from sonata_core.groups import Group
    from sonata_core.slot import Slot

    Trial = Callable[[Any, str], None]

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"
_NOBODY = "0" * 64
"""The id of a container that there is not."""


class Outcome(Record):
    """How it went with one clause."""

    clause: str
    outcome: str
    reason: str = ""


class Broken(Exception):
    """A clause is not kept. Never leaves this module."""


def check(engine: Engine, kind: str, name: str) -> list[Outcome]:
    """Try a plugin in folders of its own. Raises NotFound for the kind, BackendMissing for the name."""
    group = group_named(kind)
    found = engine.catalog.find(group, name)
    folder = f"{engine.config.paths.tmp_dir}/sonata-plugin-check-{os.getpid()}"
    os.makedirs(folder, mode=0o700)
    try:
        outcomes = _check(engine, group, found.name, folder)
        if any(one.outcome == FAILED for one in outcomes) or outcomes[-1].outcome == NOT_RUN:
            return outcomes
        return _merged(outcomes, _by_the_kit(engine, group, name))
    finally:
        remove_tree(folder)


def _check(engine: Engine, group: Group, name: str, folder: str) -> list[Outcome]:
    programs: list[tuple[str, ...]] = []
    context = _context(engine, group, name, folder, programs)
    border = Border(group.name, engine.log)
    try:
        cls = _class(engine, group, name)
        plugin, said = _silently(lambda: border.cross(name, "__init__", cls, {"context": context}))
    except Unavailable as error:
        reason = error.message
        return [Outcome(clause="P-03", outcome=PASSED, reason=f"it says why it cannot be used here: {reason}")] + [
            Outcome(clause=clause, outcome=NOT_RUN, reason="the plugin cannot be used here")
            for clause in ("P-01", "P-02", *(clause for clause, _ in _trials(group)))
        ]
    except SonataError as error:
        return [Outcome(clause="P-03", outcome=FAILED, reason=error.message)]
    outcomes = [_constructed(programs, said)]
    try:
        slot = seat(group, name, plugin, border)
    except SonataError as error:
        return [*outcomes, Outcome(clause="P-02", outcome=FAILED, reason=error.message)]
    outcomes.append(Outcome(clause="P-02", outcome=PASSED))
    outcomes.append(_try("P-01", lambda slot, _: _says_who(slot, group), slot, folder))
    return [*outcomes, *(_try(clause, trial, slot, folder) for clause, trial in _trials(group))]


def _by_the_kit(engine: Engine, group: Group, name: str) -> list[Outcome]:
    """What the test kit's harmless part finds; nothing where the kit is not installed."""
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec("sonata_testkit") is None:
        return []
    rows = import_module("sonata_testkit.check").safe_check(group, name, engine.context(group, name))
    outcomes = []
    for clause, holds, detail in rows:
        skipped = holds and detail.startswith("not ")
        outcome = NOT_RUN if skipped else PASSED if holds else FAILED
        outcomes.append(Outcome(clause=clause, outcome=outcome, reason=detail if outcome != PASSED else ""))
    return outcomes


def _merged(*parts: list[Outcome]) -> list[Outcome]:
    """Each clause once: a failure goes before anything, and a success before what was not run."""
    rank = {FAILED: 0, PASSED: 1, NOT_RUN: 2}
    best: dict[str, Outcome] = {}
    for one in (one for part in parts for one in part):
        known = best.get(one.clause)
        if known is None or rank[one.outcome] < rank[known.outcome]:
            best[one.clause] = one
    return list(best.values())


def _context(engine: Engine, group: Group, name: str, folder: str, programs: list[tuple[str, ...]]) -> PluginContext:
    """The plugin's world, with every folder below `folder`, and a note of each program that it runs."""
    from sonata_core.models.storage import StoreRoot

    def run_command(command: Any) -> Any:
        programs.append(command.argv)
        return engine.run_command(command)

    return engine.context(group, name).replace(
        root=f"{folder}/root",
        run=f"{folder}/run",
        cache=f"{folder}/cache",
        stores=(StoreRoot(path=f"{folder}/graph", run=f"{folder}/run-root"),),
        run_command=run_command,
    )


def _class(engine: Engine, group: Group, name: str) -> Any:
    """The plugin's class. Raises PluginBrokeContract where it cannot be imported."""
    return load_class(engine.catalog.find(group, name))


def _silently(make: Callable[[], Any]) -> tuple[Any, bytes]:
    """Call with our output going into a file; the answer, and what was printed."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    seen = os.memfd_create("printed")
    try:
        os.dup2(seen, 1)
        os.dup2(seen, 2)
        made = make()
    finally:
        sys.stdout.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        os.close(kept[0])
        os.close(kept[1])
        text = os.pread(seen, 200, 0)
        os.close(seen)
    return made, text


def _constructed(programs: list[tuple[str, ...]], said: bytes) -> Outcome:
    if programs:
        return Outcome(clause="P-03", outcome=FAILED, reason=f"its constructor runs {' '.join(programs[0])}")
    if said:
        return Outcome(
            clause="P-03", outcome=FAILED, reason=f"its constructor prints {said.decode('utf-8', 'replace')}"
        )
    return Outcome(clause="P-03", outcome=PASSED)


def _try(clause: str, trial: Trial, slot: Slot[Any], folder: str) -> Outcome:
    try:
        trial(slot, folder)
    except Broken as error:
        return Outcome(clause=clause, outcome=FAILED, reason=str(error))
    except Unavailable as error:
        return Outcome(clause=clause, outcome=NOT_RUN, reason=error.message)
    except SonataError as error:
        return Outcome(clause=clause, outcome=FAILED, reason=f"{type(error).__name__}: {error.message}")
    return Outcome(clause=clause, outcome=PASSED)


def _trials(group: Group) -> tuple[tuple[str, Trial], ...]:
    facts = {"runtime": "R-10", "net": "N-10", "storage": "S-13", "transport": "T-09"}.get(group.name)
    own = {"runtime": _RUNTIME, "net": _NET, "storage": _STORAGE, "transport": _TRANSPORT, "hooks": _HOOKS}
    first: tuple[tuple[str, Trial], ...] = ((facts, _facts),) if facts else ()
    return (*first, *own[group.name])


def _expect(condition: object, text: str) -> None:
    if not condition:
        raise Broken(text)


def _refuses(kinds: tuple[type[SonataError], ...], act: Callable[[], object], what: str) -> None:
    try:
        act()
    except kinds:
        return
    raise Broken(f"{what} is accepted")


def _says_who(slot: Slot[Any], group: Group) -> None:
    info = slot.info()
    _expect(info.name and info.version and info.summary, f"plugin_info leaves something out: {info}")
    kind, _, version = info.contract.partition("/")
    major, _, minor = version.partition(".")
    fits = kind == group.name and major == str(group.major) and minor.isdigit() and int(minor) <= group.minor
    _expect(fits, f"the contract {info.contract!r} is not {group.contract!r}")


def _facts(slot: Slot[Any], _folder: str) -> None:
    """Facts survive being written down, and are the same when asked twice."""
    probe = getattr(slot.hook, {group.name: hook for group, hook in PROBES.items()}[slot.group.name])
    facts = probe()
    _expect(thaw(type(facts), json.loads(json.dumps(freeze(facts)))) == facts, "facts do not survive JSON")
    _expect(probe() == facts, "asked twice, it answers differently")


def _runtime_absent(slot: Slot[Any], folder: str) -> None:
    ref = _nobody(folder)
    _expect(slot.hook.runtime_state(ref=ref).status.value == "absent", "an unknown container is not absent")
    for force in (False, True):
        slot.hook.runtime_delete(ref=ref, force=force)


def _runtime_kill(slot: Slot[Any], folder: str) -> None:
    ref = _nobody(folder)
    _refuses((NotFound, Conflict), lambda: slot.hook.runtime_kill(ref=ref, signal=15, everyone=False), "killing nobody")


def _runtime_explain(slot: Slot[Any], _folder: str) -> None:
    from sonata_core.models.runtime import LaunchVerb

    for lines in ((), ("no json",), ('{"msg": "executable file `x` not found in $PATH", "level": "error"}',)):
        failure = slot.hook.runtime_explain(verb=LaunchVerb.CREATE, log_lines=lines, message="")
        _expect(failure.text, f"nothing is said about {lines}")


def _nobody(folder: str) -> Any:
    from sonata_core.models.runtime import ContainerRef

    return ContainerRef(id=ContainerId(_NOBODY), bundle=f"{folder}/bundle", run_dir=f"{folder}/run-dir")


def _net_detach(slot: Slot[Any], folder: str) -> None:
    from sonata_core.models.net import AttachRequest, NetnsRef

    request = AttachRequest(container=ContainerId(_NOBODY), name="nobody")
    for _ in range(2):
        slot.hook.net_detach(netns=NetnsRef(path=f"{folder}/netns"), request=request, attached=None)


def _layer(folder: str, digit: str) -> Any:
    from sonata_core.models.storage import LayerRef

    return LayerRef(store=f"{folder}/graph", id=LayerId(digit * 64))


def _storage_key(slot: Slot[Any], folder: str) -> None:
    from sonata_core.models.storage import LayerOptions

    layer = _layer(folder, "a")

    def make() -> Any:
        return slot.hook.storage_create(layer=layer, parent=None, options=LayerOptions(), staged=None)

    made = make()
    with open(f"{made.path}/file", "wb") as file:
        file.write(b"x" * 10_000)
    _refuses((AlreadyExists,), make, "a key that is in use")
    _expect(slot.hook.storage_usage(layer=layer).bytes >= 10_000, "usage leaves a file out")
    _expect(layer.id in slot.hook.storage_list(), "a layer that is there is not listed")


def _storage_parent(slot: Slot[Any], folder: str) -> None:
    from sonata_core.models.storage import LayerOptions

    parent, child = _layer(folder, "b"), _layer(folder, "c")
    slot.hook.storage_create(layer=parent, parent=None, options=LayerOptions(), staged=None)
    slot.hook.storage_create(layer=child, parent=parent, options=LayerOptions(writable=True), staged=None)
    try:
        slot.hook.storage_remove(layer=parent)
    except InUse:
        _expect(parent.id in slot.hook.storage_list(), "it says that the layer is in use, and removes it")
    # Where the child is a whole copy, the parent may go; the child stays in any case.
    _expect(slot.hook.storage_contents(layer=child), "the child went with its parent")
    slot.hook.storage_remove(layer=child)
    for _ in range(2):
        slot.hook.storage_remove(layer=parent)
    _expect(parent.id not in slot.hook.storage_list(), "a removed layer is listed")


def _transport_parse(slot: Slot[Any], folder: str) -> None:
    for text in ("//localhost:5000/a/b:tag", f"{folder}/file:tag", f"{folder}/folder"):
        try:
            reference = slot.hook.transport_parse(text=text)
        except SonataError:
            continue
        again = slot.hook.transport_parse(text=reference.rest)
        _expect(again == reference, f"{text} comes back as {again}")
        return
    raise Broken("no sample reference is understood")


def _hooks_spec(slot: Slot[Any], _folder: str) -> None:
    from copy import deepcopy

    spec: dict[str, Any] = {"ociVersion": "1.0.2", "process": {"args": ["true"], "env": []}, "root": {"path": "/"}}
    before = deepcopy(spec)
    plugin: Any = slot.plugin
    for hook in plugin.oci_hooks(spec=spec, annotations={}):
        _expect(hook.origin, f"a hook does not say where it comes from: {hook.path}")
    _expect(spec == before, "the spec was changed")


_RUNTIME: tuple[tuple[str, Trial], ...] = (
    ("R-03", _runtime_absent),
    ("R-05", _runtime_explain),
    ("R-06", _runtime_kill),
)
_NET: tuple[tuple[str, Trial], ...] = (("N-03", _net_detach),)
_STORAGE: tuple[tuple[str, Trial], ...] = (("S-03", _storage_key), ("S-05", _storage_parent))
_TRANSPORT: tuple[tuple[str, Trial], ...] = (("T-01", _transport_parse),)
_HOOKS: tuple[tuple[str, Trial], ...] = (("H-02", _hooks_spec),)
