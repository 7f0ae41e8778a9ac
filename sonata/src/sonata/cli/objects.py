"""Names of objects, for completion."""

from __future__ import annotations

from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine


def names(kind: str) -> list[str]:
    """Names of containers, images, networks or volumes in the default store; none where it cannot be read."""
    from sonata.assemble import open_engine

    try:
        engine = open_engine()
        try:
            return sorted(_names(engine, kind))
        finally:
            engine.close()
    except (SonataError, OSError):
        return []


def _names(engine: Engine, kind: str) -> Iterable[str]:
    from sonata.state import containers, objects

    if kind == "containers":
        return [row.config.name for row in containers.listed(engine.database)]
    if kind == "images":
        return [name for image in engine.store.images() for name in image.names]
    if kind == "networks":
        return [network.name for network in objects.networks(engine.database)]
    if kind == "volumes":
        return [volume.name for volume in objects.volumes(engine.database)]
    return []
