"""`export`: a container's root filesystem as a tar."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.containers import lookup
from sonata.image.layers.diff import tree_tar
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


class Root:
    """`with Root(engine, row) as path`: a container's root filesystem on the host, without what is mounted in it."""

    def __init__(self, engine: Engine, row: ContainerRow) -> None:
        self._mounted: storage.MountedLayer | None = None
        self._path = row.state.mountpoint or row.config.rootfs
        if not row.config.rootfs:
            record = engine.store.find_container(row.config.id)
            if record is None:
                raise NotFound(f"container {row.config.id} has no layer in the store", hint="`sonata system check`")
            self._mounted = storage.MountedLayer(engine, record.layer)

    def __enter__(self) -> str:
        return self._mounted.__enter__() if self._mounted is not None else self._path

    def __exit__(self, *_: object) -> None:
        if self._mounted is not None:
            self._mounted.__exit__(None, None, None)


def export(engine: Engine, container: str) -> Generator[bytes, None, None]:
    """The tar in pieces, owners as the container sees them; nothing is done before the first piece is asked for.

    Raises NotFound, Unavailable.
    """
    row = lookup.load(engine, container)
    return _pieces(engine, row)


def _pieces(engine: Engine, row: ContainerRow) -> Generator[bytes, None, None]:
    with Root(engine, row) as path:
        yield from tree_tar(path, mapping=row.config.id_mapping, root=False)
    events.container(engine, row.config, "export")
