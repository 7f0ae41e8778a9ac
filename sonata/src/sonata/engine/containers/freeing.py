"""Removing what uses a thing that is to go by force."""

from __future__ import annotations

from sonata.engine.containers.remove import remove
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def remove_user(engine: Engine, container: str, *, timeout: int | None = None) -> None:
    """Remove by force a container that uses what is to go; an infra container goes with its pod. Absent is success."""
    try:
        config = rows.get(engine.database, container).config
        if not config.infra:
            remove(engine, container, force=True, timeout=timeout)
            return
        from sonata.engine.pods.remove import remove as remove_pod
        from sonata.state import pods

        remove_pod(engine, pods.get(engine.database, config.pod), force=True, timeout=timeout)
    except NotFound:
        return


def evict(engine: Engine, container: str) -> None:
    """As `remove_user`, without patience for what runs in it."""
    remove_user(engine, container, timeout=0)
