"""Names of objects, as completion offers them."""

from __future__ import annotations

from sonata.state import containers, objects, pods
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine


def known_names(engine: Engine, kind: str) -> Iterable[str]:
    """Names of all `artifacts`, `containers`, `images`, `networks`, `pods` or `volumes`; none of any other kind."""
    if kind == "artifacts":
        from sonata.engine.artifacts.stored import open_store

        return [name for name, _ in open_store(engine).names() if name]
    if kind == "containers":
        return [row.config.name for row in containers.listed(engine.database)]
    if kind == "images":
        return [name for image in engine.store.images() for name in image.names]
    if kind == "networks":
        return [network.name for network in objects.networks(engine.database)]
    if kind == "pods":
        return pods.names(engine.database).values()
    if kind == "volumes":
        return [volume.name for volume in objects.volumes(engine.database)]
    return []
