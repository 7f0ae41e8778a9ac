"""Image records: looking them up, and changing them while images.lock is held."""

from __future__ import annotations

import time

from sonata.store.bigdata import read_item, remove_items, write_item
from sonata.store.list_items import in_safe_order, whole_items
from sonata.store.names import format_time
from sonata.store.records import INSTANCES, ImageRecord, LayerRecord, NewImage
from sonata.store.table import Row, Table
from sonata_core.errors import AlreadyExists, Conflict, Denied, InUse, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest, LayerId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sonata.store.layers import Layers
    from sonata.store.locks import Locks
    from sonata.store.place import Place
    from sonata_core.models.ids import ImageId


def read_images(place: Place) -> list[ImageRecord]:
    """The records of every store, the nearest store's first: an image has one in each that has it. Takes no lock."""
    return [
        ImageRecord(data=row, store=root, read_only=root in place.additional)
        for root in place.roots
        for row in Table(place.folder("images", root), "images").all()
    ]


def nearest(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Of each image the record that comes first."""
    found: dict[str, ImageRecord] = {}
    for record in records:
        found.setdefault(record.id, record)
    return list(found.values())


def find_image(images: Sequence[ImageRecord], text: str) -> ImageRecord | None:
    """An image by whole id, whole name, `repository@digest`, or an id's prefix. Raises Conflict if several have it."""
    wanted = text.removeprefix("sha256:")
    for image in images:
        if image.id == wanted:
            return image
    for image in images:
        if text in image.names:
            return image
    repository, at, digest = text.partition("@")
    if at:
        return _by_digest(images, _repository(repository), Digest(digest))
    if len(wanted) < 3:
        return None
    found = nearest(image for image in images if image.id.startswith(wanted))
    if len(found) > 1:
        raise Conflict(f"{text}: image id is ambiguous: {', '.join(image.id[:12] for image in found)}")
    return found[0] if found else None


def _by_digest(images: Sequence[ImageRecord], repository: str, digest: Digest) -> ImageRecord | None:
    """Any image that answers to the digest and has some name in the repository."""
    for image in images:
        if digest in image.digests and any(_repository(name) == repository for name in image.names):
            return image
    return None


def _repository(name: str) -> str:
    name = name.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def read_big_data(place: Place, image: ImageRecord, key: str) -> bytes:
    """One big data item; a foreign image whose record was copied has its items in its own store. Raises NotFound."""
    for root in (image.store, *(root for root in place.roots if root != image.store)):
        try:
            return read_item(place.folder("images", root), image.id, key)
        except NotFound:
            continue
    raise NotFound(f"image {image.id} has no item {key!r}")


class Images:
    """The image records of the writable stores, loaded under images.lock."""

    def __init__(self, place: Place, locks: Locks) -> None:
        self.place = place
        self._locks = locks
        self._tables = {root: Table(place.folder("images", root), "images") for root in place.writable}
        self._foreign: list[ImageRecord] | None = None

    def all(self) -> list[ImageRecord]:
        """Records of the writable stores."""
        return [ImageRecord(data=row, store=root) for root, table in self._tables.items() for row in table.all()]

    def find(self, key: ImageId) -> ImageRecord | None:
        """A record of a writable store."""
        for root, table in self._tables.items():
            row = table.find(key)
            if row is not None:
                return ImageRecord(data=row, store=root)
        return None

    def put(self, new: NewImage, *, manifest: bytes | None) -> ImageRecord:
        """Write an image's files, then its record with its names: nobody sees half of it.

        An image that is there with the same top layer gets the new items and names.
        Raises AlreadyExists for another top layer, and for a name that is not to be taken from another.
        """
        if new.names_are_new:
            self._require_free(new.names)
        old = self.find(new.id)
        if old is not None and old.layer != new.layer:
            raise AlreadyExists(f"image ID {new.id!r} already exists, but uses a different top layer {old.layer!r}")
        root = old.store if old is not None else self.place.images
        folder = self.place.folder("images", root)
        row = old.data if old is not None else _image_row(new)
        try:
            for key, data in new.big_data:
                write_item(folder, new.id, key, data)
                _note_item(row, key, data)
            if new.metadata:
                row["metadata"] = new.metadata
            if manifest is not None and not row.get("digest"):
                row["digest"] = new.digest or _digest(manifest)
            if old is None:
                self._tables[root].add(row)
            self._name(row, [*new.names, *(row.get("names") or ())])
            for one in self._tables if new.names else (root,):  # another one's may have had the name
                self.save(one)
        except BaseException:
            if old is None:
                remove_items(folder, new.id)
            raise
        return ImageRecord(data=row, store=root)

    def _require_free(self, names: Sequence[str]) -> None:
        for other in self.all():
            for name in names:
                if name in other.names:
                    raise AlreadyExists(
                        f'image name "{name}" is already associated with image "{other.id}": '
                        "that name is already in use, or use --replace to instruct Sonata to do so.",
                        hint=f"`sonata image inspect {name}` shows what has it",
                    )

    def replace_items(self, image: ImageRecord, items: Sequence[tuple[str, bytes]]) -> ImageRecord:
        """Write items of an image anew, and note them in its record. Raises NotFound, Denied."""
        record = self.find(image.id)
        if record is None:
            if image.read_only:
                raise Denied(f"cannot change read-only image {image.id}", hint="it lies in an additional store")
            raise NotFound(f"{image.id}: image not known")
        folder = self.place.folder("images", record.store)
        old = read_item(folder, record.id, INSTANCES) if record.is_list else b""
        for key, data in in_safe_order(old, items):
            write_item(folder, record.id, key, data)
            _note_item(record.data, key, data)
        self.save(record.store)
        return record

    def renote(self, image: ImageId) -> None:
        """Have the record of a list of images say what its items are now."""
        record = self.find(image)
        if record is not None:
            for key, data in whole_items(self.place.folder("images", record.store), record.data):
                _note_item(record.data, key, data)
            self.save(record.store)

    def set_names(self, image: ImageRecord, names: Sequence[str]) -> ImageRecord:
        """Give an image exactly these names, taking them from others. A foreign image's record is copied here first."""
        record = self.find(image.id)
        if record is None:
            record = self._copy(image)
        self._name(record.data, list(names))
        for root in self._tables:
            self.save(root)
        return record

    def _copy(self, image: ImageRecord) -> ImageRecord:
        """A record of our own for an image of a read-only store, and its items; its layers stay there."""
        kept = ("id", "digest", "names-history", "layer", "metadata", "created")
        row = {key: image.data[key] for key in kept if key in image.data}
        folder = self.place.folder("images", self.place.images)
        try:
            for key in image.big_data:
                data = read_big_data(self.place, image, key)
                write_item(folder, image.id, key, data)
                _note_item(row, key, data)
        except BaseException:
            remove_items(folder, image.id)
            raise
        self._tables[self.place.images].add(row)
        return ImageRecord(data=row, store=self.place.images)

    def _name(self, row: Row, names: list[str]) -> None:
        names = list(dict.fromkeys(names))
        for other in self.all():
            taken = [name for name in other.names if name in names]
            if taken and other.data is not row:
                _write_names(other.data, [name for name in other.names if name not in taken])
        _write_names(row, names)

    def remove(self, record: ImageRecord) -> None:
        """Take the record away, then its files. Layers are the caller's."""
        self._tables[record.store].drop(record.data)
        self.save(record.store)
        remove_items(self.place.folder("images", record.store), record.id)

    def save(self, root: str) -> None:
        """Write the records of one root. Raises Unavailable, Denied."""
        self._tables[root].save_all(self._locks.of("images", root))


def _image_row(new: NewImage) -> Row:
    row: Row = {"id": new.id}
    if new.digest:
        row["digest"] = new.digest
    if new.layer is not None:
        row["layer"] = new.layer
    if new.metadata:
        row["metadata"] = new.metadata
    # As peers record an image that does not tell, or tells Go's zero time: of now.
    told = new.created if not new.created.startswith("0001-01-01T00:00:00") else ""
    row["created"] = told or format_time(time.time_ns())
    return row


def _digest(data: bytes) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _note_item(row: Row, key: str, data: bytes) -> None:
    names = row.setdefault("big-data-names", [])
    if key not in names:
        names.append(key)
    row["big-data-sizes"] = dict(sorted({**row.get("big-data-sizes", {}), key: len(data)}.items()))
    row["big-data-digests"] = dict(sorted({**row.get("big-data-digests", {}), key: _digest(data)}.items()))


def _write_names(row: Row, names: list[str]) -> None:
    """Set names and move each, first to last, to the front of the history."""
    if names:
        row["names"] = names
    else:
        row.pop("names", None)
    history = list(row.get("names-history") or ())
    for name in names:
        history = [name, *(one for one in history if one != name)]
    if history:
        row["names-history"] = history


def doomed_layers(image: ImageRecord, images: list[ImageRecord], layers: Layers, kept: set[str]) -> list[LayerRecord]:
    """The layers that go with an image, child first, up to one that another image, container or layer needs."""
    used = kept | {str(one.layer) for one in images if one.id != image.id}
    used |= {layer for one in images if one.id != image.id for layer in one.mapped_layers}
    known = {layer.id: layer for layer in layers.all()}
    children: dict[LayerId, set[LayerId]] = {}
    for layer in known.values():
        if layer.parent is not None:
            children.setdefault(layer.parent, set()).add(layer.id)
    doomed: dict[LayerId, LayerRecord] = {}
    for top in (*image.mapped_layers, image.layer):
        here = known.get(top) if top is not None else None
        while here is not None and here.id not in used and not children.get(here.id, set()) - set(doomed):
            doomed[here.id] = here
            here = known.get(here.parent) if here.parent is not None else None
    return list(doomed.values())


def check_unused(image: ImageRecord, containers: list[str]) -> None:
    """Raises InUse, with Podman's words, while a container stands on the image."""
    if containers:
        raise InUse(
            f"image used by {containers[0]}: image is in use by a container: "
            "consider listing external containers and force-removing image",
            image=image.id,
            containers=tuple(containers),
        )
