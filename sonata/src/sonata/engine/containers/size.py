"""What a container takes: `ps --size`, `inspect --size`."""

from __future__ import annotations

from sonata.engine.images.listing import size_of
from sonata.engine.paths import ContainerPaths
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.trees import tree_length

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def sizes(engine: Engine, row: ContainerRow) -> tuple[int, int]:
    """Bytes that the container itself wrote, and those together with its image's.

    Counted as containers/storage does (`store.ContainerSize`): the lengths of its files, and of those that the engine
    keeps for it. Of a container on a root file system all of that is its own.
    """
    if row.config.rootfs:
        return tree_length(row.config.rootfs), 0
    record = engine.store.find_container(row.config.id)
    if record is None:
        return 0, 0
    contents = engine.storage.hook.storage_contents(layer=engine.store.layer(record.layer).ref)
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    own = sum(tree_length(path) for path in (*(one.path for one in contents), paths.bundle, paths.run_dir))
    image = engine.store.find_image(record.image) if record.image else None
    return own, own + (size_of(image, engine.store.layers()) if image else 0)
