"""Layer records, and what is done to layers while layers.lock is held.

A record says `incomplete` from before anything of the layer exists until all of it does, and again
from before anything is deleted. Whoever opens the records for writing deletes what is incomplete:
so a crash at any step is mended by the next command, ours or a peer's.
"""

from __future__ import annotations

import os
import time

from sonata.store.bigdata import remove_items, write_item
from sonata.store.mountpoints import MountPoints, read_counts
from sonata.store.names import format_time
from sonata.store.records import TABLE, LayerRecord, NewLayer, map_rows
from sonata.store.table import Row, Table, trouble
from sonata_core.errors import AlreadyExists, InUse, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import LayerId
from sonata_core.models.storage import LayerOptions, UnpackTarget
from sonata_core.sdk.stages import reap_stages
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.store.locks import Locks
    from sonata.store.place import Place
    from sonata_core.hookspecs.storage import StorageHooks
    from sonata_core.models.process import IdMapping

    Opener = Callable[[], StorageHooks]
    """Seats the storage slot, or gives the seated one. Listing never calls it."""


def read_layers(place: Place) -> dict[LayerId, LayerRecord]:
    """Every complete layer by id, the nearest store first. Takes no lock: files are replaced whole."""
    found: dict[LayerId, LayerRecord] = {}
    for root in place.roots:
        foreign = root in place.additional
        for row in Table(place.folder("layers", root), "layers").all():
            record = LayerRecord(data=row, store=root, read_only=foreign)
            if not record.incomplete:
                found.setdefault(record.id, record)
    for layer in rings({layer: record.parent for layer, record in found.items()}):
        del found[LayerId(layer)]
    return found


def rings(parents: Mapping[LayerId, LayerId | None]) -> list[LayerId]:
    """Layers whose parents lead back to themselves: whoever goes down from one to the next never comes to an end."""
    seen: set[LayerId | None] = {None}
    for layer, parent in parents.items():
        if parent not in seen:
            break
        seen.add(layer)
    else:
        return []  # each stands on one that was there before, as nearly always
    sound: set[LayerId] = set()
    found: list[LayerId] = []
    for layer in parents:
        path: dict[LayerId, None] = {}
        at: LayerId | None = layer
        while at is not None and at in parents and at not in sound and at not in path:
            path[at] = None
            at = parents[at]
        if at in path:
            found += list(path)[list(path).index(at) :]
        sound.update(path)
    return found


class Layers:
    """The layer records of the writable stores, loaded under layers.lock; what is incomplete has been deleted."""

    def __init__(self, place: Place, locks: Locks, driver: Opener) -> None:
        self.place = place
        self._locks = locks
        self._driver = driver
        self._tables = {root: Table(place.folder("layers", root), "layers") for root in place.writable}
        self._foreign: dict[LayerId, LayerRecord] | None = None
        reap_stages(os.path.join(place.folder("layers", place.graph), "tmp"))
        for root, row in [(root, row) for root, table in self._tables.items() for row in table.all()]:
            if not (row.get("flags") or {}).get("incomplete"):
                continue
            try:
                self._finish_delete(LayerRecord(data=row, store=root), durable=True)
            except InUse:
                # Something still mounts it or stands on it: `check` names it, other work goes on.
                continue

    def all(self) -> list[LayerRecord]:
        """Records of the writable stores."""
        return [LayerRecord(data=row, store=root) for root, table in self._tables.items() for row in table.all()]

    def find(self, layer: LayerId) -> LayerRecord | None:
        """A layer of any store; the writable ones first."""
        for root, table in self._tables.items():
            row = table.find(layer)
            if row is not None:
                return LayerRecord(data=row, store=root)
        if not self.place.additional:
            return None
        if self._foreign is None:
            self._foreign = {
                key: one for key, one in read_layers(self.place).items() if one.store in self.place.additional
            }
        return self._foreign.get(layer)

    def get(self, layer: LayerId) -> LayerRecord:
        """As `find`. Raises NotFound, with `layer` among its details."""
        record = self.find(layer)
        if record is None:
            raise NotFound(f"layer {layer} not known", layer=layer)
        return record

    def has_name(self, name: str) -> bool:
        """Whether a layer of the graph root has a name."""
        return any(name in (row.get("names") or ()) for row in self._tables[self.place.graph].all())

    def create(
        self,
        row: Row,
        parent: LayerRecord | None,
        options: LayerOptions,
        staged: UnpackTarget | None = None,
        fill: Callable[[UnpackTarget], NewLayer] | None = None,
    ) -> LayerRecord:
        """Make the layer that a row describes and leave its record incomplete: `complete` ends it.

        Raises AlreadyExists; after any error the layer is gone again.
        """
        if self.find(LayerId(row["id"])) is not None:
            raise AlreadyExists(f"layer {row['id']} exists already")
        root = self.place.graph if options.writable else self.place.images
        record = LayerRecord(data=row, store=root)
        row["flags"] = {**row.get("flags", {}), "incomplete": True}
        self._tables[root].add(row)
        try:
            self._save(root, durable=False)
            above = parent.ref if parent is not None else None
            hooks = self._driver()
            target = hooks.storage_create(layer=record.ref, parent=above, options=options, staged=staged)
            if fill is not None:
                new = fill(target)
                self._tables[root].update(row, layer_row(new))
                self._place_files(new)
        except BaseException:
            self._finish_delete(record, durable=False)
            raise
        return record

    def _place_files(self, new: NewLayer) -> None:
        """Move a finished tar-split file to where peers look for it, and keep the table. Raises Unavailable."""
        if new.table:
            write_item(self.place.folder("layers", self.place.graph), new.id, TABLE, new.table)
        if not new.tar_split:
            return
        try:
            os.rename(new.tar_split, self.place.tar_split(new.id))
        except OSError as error:
            raise trouble(error, f"tar-split of layer {new.id}") from error

    def complete(self, record: LayerRecord, *, durable: bool) -> None:
        """Take the flag away. After any error the layer is gone again."""
        flags = {key: value for key, value in record.flags.items() if key != "incomplete"}
        try:
            if durable and self.place.sync:
                self._sync(record)
            self._tables[record.store].change(record.data, flags=flags or None)
            self._save(record.store, durable=durable)
        except BaseException:
            self._finish_delete(record, durable=False)
            raise

    def _sync(self, record: LayerRecord) -> None:
        """Have all that was unpacked lie on the disk (storage.conf's `sync`)."""
        from sonata_core.sdk.syscalls import sync_file_system

        folder = os.path.join(record.store, self.place.driver)
        try:
            sync_file_system(folder)
        except OSError as error:
            raise trouble(error, f"layer {record.id}") from error

    def delete(
        self, record: LayerRecord, *, durable: bool = True, unmount: Callable[[str], None] | None = None
    ) -> None:
        """Delete a layer that no other needs. Raises InUse while it is mounted and no `unmount` is given."""
        self._unmount(record, unmount)
        self._tables[record.store].change(record.data, flags={**record.flags, "incomplete": True})
        self._save(record.store, durable=False)
        self._finish_delete(record, durable=durable)

    def set_size(self, layer: LayerId, size: int) -> None:
        """Correct how many bytes the layer's tar is said to have."""
        record = self.get(layer)
        self._tables[record.store].change(record.data, **{"diff-size": size or None})
        self._save(record.store, durable=True)

    def _finish_delete(self, record: LayerRecord, *, durable: bool) -> None:
        """Everything of a layer goes, its record last. Works on the half-made.

        Its files are deleted when the locks have been given back, where the driver can: there may be many.
        """
        driver = self._driver()
        # Optional, so no part of the type.
        withdraw = getattr(driver, "storage_withdraw", None)
        staged = withdraw(layer=record.ref) if withdraw is not None else None
        if staged:
            self._locks.later(lambda: driver.storage_unstage(staged=staged))
        else:
            driver.storage_remove(layer=record.ref)
        remove_tree(self.place.tar_split(record.id))
        for root in {record.store, self.place.graph}:
            remove_items(self.place.folder("layers", root), record.id)
        self._tables[record.store].drop(record.data)
        self._save(record.store, durable=durable)

    def _unmount(self, record: LayerRecord, unmount: Callable[[str], None] | None) -> None:
        path, count = read_counts(self.place).get(record.id, ("", 0))
        if not count:
            return
        if path and os.path.ismount(path):
            if unmount is None:
                raise InUse(f"layer {record.id} is mounted at {path}", hint="unmount it first")
            unmount(path)
        with MountPoints(self.place) as points:
            points.set(record.id, "", 0)

    def _save(self, root: str, *, durable: bool) -> None:
        self._locks.save(self._tables[root], "layers", root, durable=durable)


def layer_row(new: NewLayer) -> Row:
    """The record of a layer, in the order in which peers write its keys."""
    row: Row = {"id": new.id}
    if new.parent is not None:
        row["parent"] = new.parent
    row["created"] = format_time(time.time_ns())
    optional = (
        ("compressed-diff-digest", new.compressed_digest),
        ("compressed-size", new.compressed_size),
        ("diff-digest", new.diff_digest),
        ("toc-digest", new.toc_digest),
        ("diff-size", new.diff_size),
        ("compression", new.compression),
        ("uidset", sorted(set(new.uids))),
        ("gidset", sorted(set(new.gids))),
        ("big-data-names", [TABLE] if new.table else []),
    )
    row.update({key: value for key, value in optional if value})
    return row


def container_layer_row(
    layer: LayerId, parent: LayerId | None, name: str, label: str, shifted: IdMapping | None
) -> Row:
    """The record of a container's writable layer. `shifted`: the maps by which its owners lie on disk."""
    row: Row = {"id": layer}
    if name:
        row["names"] = [name]
    if parent is not None:
        row["parent"] = parent
    if label:
        row["mountlabel"] = label
    row["created"] = format_time(time.time_ns())
    if shifted is not None:
        row["uidmap"] = map_rows(shifted.uids)
        row["gidmap"] = map_rows(shifted.gids)
    return row
