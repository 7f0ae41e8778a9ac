"""`system df`: where every byte of a store is.

The rows of the summary are bytes on disk, and together they are all that lies below the graph root.
The tables of `--verbose` show images with the sizes that `images` shows.
"""

from __future__ import annotations

import os

from sonata.engine.containers import present
from sonata.engine.containers.filters import shown_state
from sonata.engine.system import pending
from sonata.image.partial import PartialUse
from sonata.image.transfer import partial_folder
from sonata.model.container import MountKind
from sonata.state import containers as rows
from sonata.state import objects
from sonata.store.usage import chain
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.trees import tree_usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow
    from sonata.store.records import ContainerRecord, LayerRecord
    from sonata.store.usage_models import ImageUsage, StoreUsage
    from sonata_core.models.ids import LayerId


class Usage(Record):
    """One kind of thing: how many, how many in use, bytes on disk, and bytes that pruning would free."""

    type: str
    total: int
    active: int
    size: int
    reclaimable: int


class ImageUse(Record):
    """An image: times in nanoseconds, sizes in bytes as `images` shows them."""

    id: str
    names: tuple[str, ...]
    created: int
    size: int
    shared: int
    containers: int


class ContainerUse(Record):
    """A container: `size` is what its own layer takes on disk."""

    id: str
    name: str
    image: str
    command: tuple[str, ...]
    volumes: int
    size: int
    created: int
    state: str


class VolumeUse(Record):
    """A volume, how many containers refer to it, and its bytes on disk."""

    name: str
    links: int
    size: int


class DiskUsage(Record):
    """All of it. `folders`: bytes on disk of each entry of the graph root."""

    kinds: tuple[Usage, ...]
    images: tuple[ImageUse, ...]
    containers: tuple[ContainerUse, ...]
    volumes: tuple[VolumeUse, ...]
    folders: dict[str, int]


def usage(engine: Engine) -> DiskUsage:
    """Measure everything below the graph root, and the volumes."""
    pending.recover(engine)
    records = {str(one.id): one for one in engine.store.containers()}
    known = {row.config.id: present.corrected(engine, row) for row in rows.listed(engine.database)}
    volumes = _volumes(engine)
    # The last one to close the database puts its journal away, which is no more than a moment's need.
    engine.database.close()
    store = engine.store.usage()
    own = {str(one.id): one.size for one in store.containers}
    containers = tuple(_container(ident, records.get(ident), known.get(ident), own) for ident in {**known, **records})
    images = tuple(_images(engine, store.images))
    kinds = _kinds(engine, store, images, containers, volumes)
    return DiskUsage(kinds=kinds, images=images, containers=containers, volumes=volumes, folders=store.folders)


def _images(engine: Engine, found: Iterable[ImageUsage]) -> Iterable[ImageUse]:
    created = {str(image.id): image.created for image in engine.store.images()}
    for one in found:
        yield ImageUse(
            id=one.id,
            names=one.names,
            created=created.get(str(one.id), 0),
            size=one.size,
            shared=one.shared,
            containers=one.containers,
        )


def _container(
    ident: str, record: ContainerRecord | None, row: ContainerRow | None, sizes: dict[str, int]
) -> ContainerUse:
    size = sizes.get(ident, 0)
    if row is None:
        name = record.names[0] if record is not None and record.names else ""
        created = record.created if record is not None else 0
        return ContainerUse(
            id=ident, name=name, image="", command=(), volumes=0, size=size, created=created, state="storage"
        )
    from sonata.model.times import nanoseconds

    return ContainerUse(
        id=ident,
        name=row.config.name,
        image=row.config.image_id or row.config.rootfs,
        command=row.config.process.args,
        volumes=sum(use.kind is MountKind.VOLUME for use in row.config.mounts),
        size=size,
        created=nanoseconds(row.config.created),
        state=shown_state(row),
    )


def _volumes(engine: Engine) -> tuple[VolumeUse, ...]:
    return tuple(
        VolumeUse(
            name=volume.name,
            links=len(objects.volume_users(engine.database, volume.name)),
            size=tree_usage(os.path.dirname(volume.mountpoint))[0] if volume.mountpoint else 0,
        )
        for volume in objects.volumes(engine.database)
    )


def _kinds(
    engine: Engine,
    store: StoreUsage,
    images: tuple[ImageUse, ...],
    containers: tuple[ContainerUse, ...],
    volumes: tuple[VolumeUse, ...],
) -> tuple[Usage, ...]:
    graph, driver = engine.config.storage.graph_root, engine.driver
    roots = {os.path.dirname(path) for path in store.folders}

    def taken(*names: str) -> int:
        return sum(store.folders.get(f"{root}/{name}", 0) for root in roots for name in names)

    layers_of_containers = sum(one.size for one in containers)
    for_images = taken(driver, f"{driver}-layers", f"{driver}-images") - layers_of_containers
    for_containers = taken(f"{driver}-containers") + layers_of_containers
    partial = PartialUse(partial_folder(graph)).entries()
    for_partials = tree_usage(partial_folder(graph))[0]
    inside = os.path.abspath(engine.config.paths.volume_path).startswith(f"{os.path.abspath(graph)}/")
    for_volumes = taken(os.path.basename(engine.config.paths.volume_path)) if inside else sum(v.size for v in volumes)
    rest = sum(store.folders.values()) - for_images - for_containers - for_partials - (for_volumes if inside else 0)
    running = [one for one in containers if one.state in ("running", "paused", "stopping")]
    return (
        Usage(
            type="Images",
            total=len(images),
            active=sum(one.containers > 0 for one in images),
            size=for_images,
            reclaimable=_unused_layers(engine, images),
        ),
        Usage(
            type="Containers",
            total=len(containers),
            active=len(running),
            size=for_containers,
            reclaimable=sum(
                one.size + tree_usage(f"{graph}/{driver}-containers/{one.id}")[0]
                for one in containers
                if one not in running
            ),
        ),
        Usage(
            type="Local Volumes",
            total=len(volumes),
            active=sum(one.links > 0 for one in volumes),
            size=for_volumes,
            reclaimable=sum(one.size for one in volumes if not one.links),
        ),
        Usage(
            type="Partial Blobs",
            total=len(partial),
            active=0,
            size=for_partials,
            reclaimable=sum(have for _, have, _ in partial),
        ),
        Usage(type="Records", total=1, active=1, size=rest, reclaimable=0),
    )


def _unused_layers(engine: Engine, images: tuple[ImageUse, ...]) -> int:
    """Bytes on disk of the layers that only images without containers need."""
    layers = engine.store.layers()
    tops = {str(image.id): image.layer for image in engine.store.images() if not image.read_only}
    kept: set[LayerId] = set()
    unused: dict[LayerId, LayerRecord] = {}
    for one in images:
        links = chain(layers, tops.get(one.id))
        if one.containers:
            kept |= {layer.id for layer in links}
        else:
            unused.update({layer.id: layer for layer in links})
    place = engine.store.place
    records = [
        f"{place.folder('images', root)}/{one.id}" for one in images if not one.containers for root in place.writable
    ]
    gone = [layer for ident, layer in unused.items() if ident not in kept and layer.store in place.writable]
    records += [place.tar_split(layer.id) for layer in gone]
    return sum(_bytes(engine, layer) for layer in gone) + sum(tree_usage(path)[0] for path in records)


def _bytes(engine: Engine, layer: LayerRecord) -> int:
    try:
        return engine.storage.hook.storage_usage(layer=layer.ref).bytes
    except NotFound:
        return 0
