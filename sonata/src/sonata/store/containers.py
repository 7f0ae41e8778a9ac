"""Container records: a name, an image, a writable layer, and two folders for whoever runs it.

Containers of `run --rm` carry `Volatile` and stay in containers.json, as Podman 4 keeps them, and not in the separate
volatile files that newer peers use: a peer that does not know those files would delete the image beneath a running
container. Their records are not waited for on the disk, which is what the separate files are for.
"""

from __future__ import annotations

import os
import time

from sonata.store.layers import container_layer_row
from sonata.store.names import format_time, new_id
from sonata.store.records import ContainerRecord, NewContainer, map_rows
from sonata.store.table import Row, Table
from sonata_core.errors import AlreadyExists, Conflict
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import LayerId
from sonata_core.models.storage import LayerOptions
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sonata.store.layers import Layers
    from sonata.store.locks import Locks
    from sonata.store.place import Place
    from sonata_core.models.ids import ContainerId


def read_containers(place: Place) -> list[ContainerRecord]:
    """Every container record of the graph root. Takes no lock: files are replaced whole."""
    table = Table(place.folder("containers", place.graph), "containers")
    return [ContainerRecord(data=row, store=place.graph) for row in table.all()]


def find_container(containers: Sequence[ContainerRecord], text: str) -> ContainerRecord | None:
    """A container by id, name, layer's id, or an id's prefix. Raises Conflict for a prefix of several."""
    for record in containers:
        if text == record.id or text in record.names or text == record.layer:
            return record
    found = [record for record in containers if text and record.id.startswith(text)]
    if len(found) > 1:
        raise Conflict(f"more than one result for container name or ID {text}")
    return found[0] if found else None


class Containers:
    """The container records, loaded under containers.lock."""

    def __init__(self, place: Place, locks: Locks) -> None:
        self.place = place
        self._locks = locks
        self._table = Table(place.folder("containers", place.graph), "containers")

    def all(self) -> list[ContainerRecord]:
        """Every record."""
        return [ContainerRecord(data=row, store=self.place.graph) for row in self._table.all()]

    def create(self, new: NewContainer, layers: Layers) -> ContainerRecord:
        """Make the writable layer and the record. After any error both are gone again.

        The layer is incomplete until the record is written, so that a crash leaves no layer without an owner.
        Raises AlreadyExists for a taken name or id.
        """
        self._check_free(new)
        parent = layers.get(new.image_layer) if new.image_layer is not None else None
        shift = None if new.shifted else new.id_mapping
        options = LayerOptions(writable=True, id_mapping=shift, size_limit=new.size_limit)
        name = f"{new.name}-layer"
        layer = LayerId(new_id())
        row = container_layer_row(
            layer, new.image_layer, "" if layers.has_name(name) else name, new.mount_label, new.id_mapping
        )
        record = layers.create(row, parent, options)
        mine = _container_row(new, layer)
        try:
            for folder in (container_folder(self.place, new.id), container_run_folder(self.place, new.id)):
                make_private(os.path.join(folder, "userdata"))
            self._table.add(mine)
            self._save(durable=not new.volatile)
            layers.complete(record, durable=not new.volatile)
        except BaseException:
            self.delete(ContainerRecord(data=mine, store=self.place.graph), layers, None)
            raise
        return ContainerRecord(data=mine, store=self.place.graph)

    def _check_free(self, new: NewContainer) -> None:
        for record in self.all():
            if new.name in record.names:
                raise AlreadyExists(
                    f'the container name "{new.name}" is already in use by {record.id}. You have to remove that '
                    "container to be able to reuse that name: that name is already in use"
                )
            if record.id == new.id:
                raise AlreadyExists(f"container {new.id} exists already")

    def delete(self, record: ContainerRecord, layers: Layers, unmount: Callable[[str], None] | None) -> None:
        """Layer, then folders, then record; what is gone already is no error."""
        layer = layers.find(record.layer) if record.layer else None
        if layer is not None and layer.store in self.place.writable:
            layers.delete(layer, durable=not record.volatile, unmount=unmount)
        remove_tree(container_folder(self.place, record.id))
        remove_tree(container_run_folder(self.place, record.id))
        self._table.drop(record.data)
        self._save(durable=not record.volatile)

    def rename(self, record: ContainerRecord, name: str) -> ContainerRecord:
        """Give a container another name. Raises AlreadyExists."""
        for other in self.all():
            if name in other.names and other.id != record.id:
                raise AlreadyExists(f'the container name "{name}" is already in use by {other.id}')
        self._table.change(record.data, names=[name])
        self._save(durable=True)
        return record

    def _save(self, *, durable: bool) -> None:
        self._locks.save(self._table, "containers", self.place.graph, durable=durable)


def container_folder(place: Place, container: ContainerId) -> str:
    """A container's own folder, kept; its `userdata` is for whoever runs it."""
    return os.path.join(place.folder("containers", place.graph), container)


def container_run_folder(place: Place, container: ContainerId) -> str:
    """A container's own folder, gone at boot."""
    return os.path.join(place.folder("containers", place.run), container)


def _container_row(new: NewContainer, layer: LayerId) -> Row:
    row: Row = {"id": new.id, "names": [new.name], "image": new.image or "", "layer": layer}
    if new.metadata:
        row["metadata"] = new.metadata
    row["created"] = format_time(time.time_ns())
    if new.id_mapping is not None:
        row["uidmap"] = map_rows(new.id_mapping.uids)
        row["gidmap"] = map_rows(new.id_mapping.gids)
    flags: Row = {"MountLabel": new.mount_label}
    if new.mount_options:
        flags["MountOpts"] = list(new.mount_options)
    flags["ProcessLabel"] = new.process_label
    if new.volatile:
        flags["Volatile"] = True
    if new.transient:
        flags["SonataTransient"] = True
    row["flags"] = flags
    return row


def podman_metadata(*, image_name: str, image_id: str, name: str, created: int, mount_label: str = "") -> str:
    """The `metadata` of a container as libpod writes it, so that Podman shows its image; `created` in nanoseconds."""
    from sonata.store.names import dump_json

    values: Row = {
        "image-name": image_name,
        "image-id": image_id,
        "name": name,
        "created-at": created // 1_000_000_000,
    }
    if mount_label:
        values["mountlabel"] = mount_label
    return dump_json(values).decode()
