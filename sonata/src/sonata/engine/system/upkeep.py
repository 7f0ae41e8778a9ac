"""`system locks`, `system renumber` and `system migrate`: what Podman's commands of these names are for, here.

A lock is a file with the name of what it locks, so that two things never share one and their number is not bounded;
the database is brought to this version's form when it is opened.
"""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import present
from sonata.engine.containers.stop import stop
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core.errors import BackendMissing, Unavailable, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine


def locks_held(engine: Engine) -> list[str]:
    """Names of the locks that other commands hold at this moment: container ids, `volume-NAME` and the like."""
    return engine.locks.taken()


def renumber(engine: Engine) -> list[str]:
    """Take away the files of locks that nobody has and nothing needs; their names. The others stay what they are."""
    known = {*rows.ids(engine.database), *pods.names(engine.database)}
    gone = []
    for name in engine.locks.names():
        if name in known:
            continue
        held = engine.locks.try_hold(name)
        if held is None:
            continue
        with held:
            engine.locks.forget(name)
        gone.append(name)
    events.thing(engine, "system", "renumber", "")
    return gone


def migrate(engine: Engine, runtime: str, stopped: Callable[[str], None]) -> None:
    """Stop every running container, telling of each; with `runtime`, have all containers use that one from now on.

    Raises UsageError for a runtime that is not there or does not work here, before anything is changed.
    """
    if runtime:
        _require_runtime(engine, runtime)
    for row in rows.listed(engine.database):
        if Phase(present.corrected(engine, row).state.phase) is Phase.RUNNING:
            stop(engine, row.config.id)
            stopped(row.config.id)
    if not runtime:
        return
    for row in rows.listed(engine.database):
        with engine.locks.hold(row.config.id):
            config = rows.get(engine.database, row.config.id).config
            if config.backends.runtime != runtime:
                changed = config.replace(backends=config.backends.replace(runtime=runtime))
                rows.put_config(engine.database, changed)


def _require_runtime(engine: Engine, runtime: str) -> None:
    try:
        engine.runtime(runtime).hook.runtime_facts()
    except (BackendMissing, Unavailable) as error:
        raise UsageError(
            f'change to runtime "{runtime}" requested but no such runtime is defined: invalid argument',
            hint=error.message,
        ) from error
