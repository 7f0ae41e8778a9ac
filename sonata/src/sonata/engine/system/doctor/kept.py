"""What is kept: the state database, the store, and what a crash left."""

from __future__ import annotations

import os

from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.engine import Engine
    from sonata.store.check import Finding as Damage

_REPAIR = "sonata system check --repair"
_GRAVE = ("records", "database")
_LIVE = (Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)


def check(engine: Engine) -> Iterator[Finding]:
    """Look at everything that exists already, and make nothing."""
    yield from _database(engine)
    yield from _driver(engine)


def _database(engine: Engine) -> Iterator[Finding]:
    if not os.path.exists(engine.database.path):
        return
    from sonata.engine.system.check import half_done
    from sonata.engine.system.database import check_database

    try:
        for one, _ in check_database(engine):
            yield error("database", "the state database is damaged", f"{one.subject}: {one.evidence}", _REPAIR)
            return
        for one, _ in half_done(engine):
            evidence = f"{one.subject}: {one.evidence}"
            yield warning("half-done", f"there is a {one.what} when its command was killed", evidence, _REPAIR)
        stale = [
            row.config.name for row in rows.listed(engine.database) if _stale(engine, row.state.phase, row.state.boot)
        ]
        if stale:
            yield note(
                "boot",
                "containers ran when the host was restarted",
                ", ".join(stale),
                f"sonata start {' '.join(stale)}",
            )
    except SonataError as failure:
        yield error("database", "the state database cannot be read", failure.message, _REPAIR)


def _stale(engine: Engine, phase: str, boot: str) -> bool:
    return phase in _LIVE and boot not in ("", engine.facts.boot_id)


def _driver(engine: Engine) -> Iterator[Finding]:
    try:
        driver = engine.driver
    except SonataError as failure:
        yield error("storage-driver", "the store's driver is not certain", failure.message, failure.hint or _REPAIR)
        return
    graph = engine.config.storage.graph_root
    if not os.path.isdir(f"{graph}/{driver}-layers"):
        return
    try:
        own = rows.ids(engine.database) if os.path.exists(engine.database.path) else ()
        for one in engine.store.check(quick=True, own=own, grace=24 * 3600.0).left:
            yield damaged(one)
    except SonataError as failure:
        yield error("store", "the store cannot be read", failure.message, _REPAIR)


def damaged(one: Damage) -> Finding:
    """The store's own finding as one of ours."""
    make = error if one.kind in _GRAVE else warning
    return make("store", f"the store has a {one.what}", f"{one.subject}: {one.evidence}", _REPAIR)
