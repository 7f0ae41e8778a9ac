"""A pod that was being made or removed by a killed command: what is left of it goes."""

from __future__ import annotations

from sonata.engine.containers.recovery import recover_one
from sonata.engine.pods.remove import take_apart
from sonata.state import containers as rows
from sonata.state import intents, pods
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def finish(engine: Engine, ident: str) -> None:
    """Remove the pod, under its lock. Raises what stopping and removing containers raises."""
    try:
        pod = pods.get(engine.database, ident)
    except NotFound:
        intents.forget(engine.database, ident)
        engine.locks.forget(ident)
        return
    for row in rows.of_pod(engine.database, ident):
        recover_one(engine, row.config.id)
    take_apart(engine, pod, 0)
