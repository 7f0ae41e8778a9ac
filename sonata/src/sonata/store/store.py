"""The image store on disk, as one object: what the engine calls.

Reading takes no lock: every file is replaced whole, so what is read is one moment's truth. Writing
takes the locks of `locks.py`, mends what a crash left, and gives every one back at the end of the call.
"""

from __future__ import annotations

import os

from sonata.store.containers import (
    Containers,
    container_folder,
    container_run_folder,
    find_container,
    read_containers,
)
from sonata.store.images import (
    Images,
    check_unused,
    doomed_layers,
    find_image,
    nearest,
    read_big_data,
    read_images,
)
from sonata.store.layers import Layers, layer_row, read_layers
from sonata.store.locks import Locks
from sonata.store.mountpoints import MountPoints
from sonata.store.place import Place
from sonata.store.recent import Recent
from sonata.store.records import TABLES
from sonata.store.table import sync_file, trouble
from sonata_core.errors import Damaged, Denied, NotFound
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.models.ids import LayerId
from sonata_core.models.storage import LayerOptions
from sonata_core.sdk.locks import lock_file
from sonata_core.sdk.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from sonata.store.check import Truth
    from sonata.store.layers import Opener
    from sonata.store.records import ContainerRecord, ImageRecord, LayerRecord, NewContainer, NewImage, NewLayer
    from sonata.store.repair import CheckResult
    from sonata.store.usage_models import StoreUsage
    from sonata_core.models.ids import ContainerId, ImageId
    from sonata_core.models.process import IdMapping
    from sonata_core.models.storage import UnpackTarget
    from sonata_core.sdk.locks import FileLock


class Filled(Protocol):
    """What `put_layer` needs to know of a stage: where it was filled, if it was."""

    target: UnpackTarget | None


class LayerStage:
    """Where one layer is unpacked while no lock is held.

    `target` is None where the driver can only unpack over the parent; `tar_split` is the file to
    write tar-split data to. `close` removes what was not put into the store.
    """

    def __init__(self, target: UnpackTarget | None, stage: Stage, driver: Opener) -> None:
        self.target = target
        self.tar_split = os.path.join(stage.path, "0-addition")
        self._stage = stage
        self._driver = driver

    def close(self) -> None:
        """Idempotent."""
        if self.target is not None:
            self._driver().storage_unstage(staged=self.target)
        self._stage.close()


class Store:
    """A store: `place` says where; `driver` seats the storage slot when directories are touched, and only then."""

    def __init__(self, place: Place, driver: Opener) -> None:
        self.place = place
        self._driver = driver
        self._recent = Recent()

    # images

    def images(self) -> list[ImageRecord]:
        """Every image once, with its record in the store that comes first, the writable one. Raises Damaged."""
        return nearest(self.image_records())

    def image_records(self) -> list[ImageRecord]:
        """The records of every store, the writable one's first: several may have an image. Raises Damaged."""
        found: list[ImageRecord] = self._recent.get("images", self._files("images"), lambda: read_images(self.place))
        return list(found)

    def find_image(self, text: str) -> ImageRecord | None:
        """By whole id, whole name, `repository@digest`, or id prefix. Raises Conflict for an ambiguous prefix."""
        return find_image(self.image_records(), text)

    def image_data(self, image: ImageRecord, key: str) -> bytes:
        """A big data item, such as `manifest`, or the config under its digest. Raises NotFound."""
        return read_big_data(self.place, image, key)

    def put_image(self, new: NewImage) -> ImageRecord:
        """Record an image whose layers are in the store; all of it is visible at once, or nothing.

        Raises NotFound (no such layer), AlreadyExists (the id with another top layer), Unavailable.
        """
        manifest = dict(new.big_data).get("manifest")
        with Locks(self.place, "layers", "images") as locks:
            if new.layer is not None:
                Layers(self.place, locks, self._driver).get(new.layer)
            return Images(self.place, locks).put(new, manifest=manifest)

    def replace_items(self, image: ImageRecord, items: Sequence[tuple[str, bytes]]) -> ImageRecord:
        """Write big data items of an image anew. Raises NotFound (it is gone), Denied (a read-only store's)."""
        with Locks(self.place, "images") as locks:
            return Images(self.place, locks).replace_items(image, items)

    def lock_list(self, image: ImageId) -> FileLock:
        """Wait for the lock that peers hold while they change a list of images, and take it."""
        return lock_file(os.path.join(self.place.run, f"{self.place.driver}-locks", f"sha256:{image}"))

    def add_names(self, image: ImageRecord, names: Sequence[str]) -> ImageRecord:
        """Give an image more names, newest first, taking them from others."""
        return self._rename_image(image, lambda old: [*names, *old])

    def remove_names(self, image: ImageRecord, names: Sequence[str]) -> ImageRecord:
        """Take names away; the history keeps them."""
        return self._rename_image(image, lambda old: [name for name in old if name not in names])

    def set_names(self, image: ImageRecord, names: Sequence[str]) -> ImageRecord:
        """Give an image exactly these names."""
        return self._rename_image(image, lambda old: list(names))

    def _rename_image(self, image: ImageRecord, change: Callable[[list[str]], list[str]]) -> ImageRecord:
        with Locks(self.place, "images") as locks:
            images = Images(self.place, locks)
            now = images.find(image.id)
            if now is None and not image.read_only:
                raise NotFound(f"{image.id}: image not known")
            return images.set_names(image, change(list((now or image).names)))

    def delete_image(self, image: ImageRecord, *, unmount: Callable[[str], None] | None = None) -> tuple[LayerId, ...]:
        """Remove an image and the layers that only it has; returns those, child first. Absent is success.

        Raises InUse while a container's record names it, Denied for an image of a read-only store.
        """
        with Locks(self.place, "layers", "images", "containers") as locks:
            layers = Layers(self.place, locks, self._driver)
            images = Images(self.place, locks)
            record = images.find(image.id)
            if record is None:
                if image.read_only:
                    raise Denied(f"cannot remove read-only image {image.id}", hint="it lies in an additional store")
                return ()
            containers = Containers(self.place, locks).all()
            check_unused(record, [one.id for one in containers if one.image == record.id])
            kept = {str(one.layer) for one in containers}
            doomed = doomed_layers(record, images.all(), layers, kept)
            images.remove(record)
            for layer in doomed:
                layers.delete(layer, unmount=unmount)
            return tuple(layer.id for layer in doomed)

    # layers

    def layers(self) -> dict[LayerId, LayerRecord]:
        """Every complete layer of every store, by id."""
        found: dict[LayerId, LayerRecord] = self._recent.get(
            "layers", self._files("layers"), lambda: read_layers(self.place)
        )
        return dict(found)

    def layer(self, layer: LayerId) -> LayerRecord:
        """One layer. Raises NotFound."""
        record = self.layers().get(layer)
        if record is None:
            raise NotFound(f"layer {layer} not known")
        return record

    def stage(self) -> LayerStage:
        """Begin a layer: a place to unpack into. Close it in any case."""
        folder = self.place.folder("layers", self.place.graph)
        try:
            stage = Stage(os.path.join(folder, "tmp"))
        except OSError as error:
            raise trouble(error, f"staging in {folder}") from error
        try:
            target = self._driver().storage_stage(options=LayerOptions())
        except BaseException:
            stage.close()
            raise
        return LayerStage(target, stage, self._driver)

    def put_layer(
        self, new: NewLayer, stage: Filled, unpack: Callable[[UnpackTarget], NewLayer] | None = None
    ) -> LayerRecord:
        """Put a staged layer in its place; one that is there already is left as it is and returned.

        Where the stage has no target (vfs), `unpack` fills the copied parent under the lock and
        returns the facts that become the record. Raises NotFound (no such parent), Unavailable.
        """
        if new.tar_split:
            sync_file(new.tar_split)
        with Locks(self.place, "layers") as locks:
            layers = Layers(self.place, locks, self._driver)
            known = layers.find(new.id)
            if known is not None:
                return known
            parent = layers.get(new.parent) if new.parent is not None else None
            if stage.target is None:
                assert unpack is not None
                record = layers.create(layer_row(new), parent, LayerOptions(), None, _synced(unpack))
            else:
                record = layers.create(layer_row(new), parent, LayerOptions(), stage.target, lambda target: new)
            layers.complete(record, durable=True)
            return record

    def delete_layer(
        self, layer: LayerId, *, unmount: Callable[[str], None] | None = None, durable: bool = True
    ) -> None:
        """Remove a layer that no image, container or layer needs. Absent is success."""
        with Locks(self.place, "layers") as locks:
            layers = Layers(self.place, locks, self._driver)
            record = layers.find(layer)
            if record is not None and record.store in self.place.writable:
                layers.delete(record, unmount=unmount, durable=durable)

    def tar_split(self, layer: LayerId) -> str | None:
        """The file from which a layer's tar can be made again, in whichever store has it."""
        for root in self.place.roots:
            path = os.path.join(self.place.folder("layers", root), f"{layer}.tar-split.gz")
            if os.path.isfile(path):
                return path
        return None

    def layer_tables(self, layer: LayerRecord) -> Iterator[bytes]:
        """What is kept of a layer's table of contents, packed or not: what it says is not proved."""
        from sonata.store.bigdata import read_item

        for key in TABLES:
            for root in self.place.roots if key in layer.big_data else ():
                try:
                    yield read_item(self.place.folder("layers", root), layer.id, key)
                    break
                except (NotFound, Damaged):
                    continue

    # containers

    def containers(self) -> list[ContainerRecord]:
        """Every container record: ours, and those of other engines (`ps --external`)."""
        return list(self._containers().values())

    def find_container(self, text: str) -> ContainerRecord | None:
        """By id, name, layer or id prefix. Raises Conflict for an ambiguous prefix."""
        found = self._containers()
        return found.get(text) or find_container(list(found.values()), text)

    def _containers(self) -> dict[str, ContainerRecord]:
        def read() -> dict[str, ContainerRecord]:
            return {record.id: record for record in read_containers(self.place)}

        found: dict[str, ContainerRecord] = self._recent.get("containers", self._files("containers"), read)
        return found

    def _files(self, kind: str) -> list[str]:
        """The files that say what there is of a kind."""
        folders = [self.place.folder(kind, root) for root in self.place.roots]
        return [f"{folder}/{name}.json" for folder in folders for name in (kind, f"volatile-{kind}")]

    def shifted_layer(self, image: ImageId, mapping: IdMapping, shift: Callable[[LayerRecord], None]) -> LayerId:
        """The image's top layer with the owners of a user namespace (`store.shifted`). Raises NotFound."""
        from sonata.store.shifted import Shifted

        with Locks(self.place, "layers", "images") as locks:
            return Shifted(self.place, locks, self._driver).layer(image, mapping, shift)

    def create_container(self, new: NewContainer) -> ContainerRecord:
        """Record a container with a new writable layer. Raises AlreadyExists, NotFound (image's layer)"""
        # Its modules are loaded while nobody waits for it.
        self._driver()
        with Locks(self.place, "layers", "containers") as locks:
            containers = Containers(self.place, locks)
            return containers.create(new, Layers(self.place, locks, self._driver))

    def delete_container(self, container: ContainerId, *, unmount: Callable[[str], None] | None = None) -> bool:
        """Remove a container's layer, folders and record. False: there was no record."""
        with Locks(self.place, "layers", "containers") as locks:
            layers = Layers(self.place, locks, self._driver)
            containers = Containers(self.place, locks)
            record = next((one for one in containers.all() if one.id == container), None)
            if record is None:
                return False
            containers.delete(record, layers, unmount)
            return True

    def rename_container(self, container: ContainerId, name: str) -> ContainerRecord:
        """Raises NotFound, AlreadyExists."""
        with Locks(self.place, "containers") as locks:
            containers = Containers(self.place, locks)
            for record in containers.all():
                if record.id == container:
                    return containers.rename(record, name)
        raise NotFound(f"container {container} not known")

    def container_folder(self, container: ContainerId) -> str:
        """The container's folder that is kept; `userdata` in it is the engine's."""
        return container_folder(self.place, container)

    def container_run_folder(self, container: ContainerId) -> str:
        """The container's folder that is gone at boot."""
        return container_run_folder(self.place, container)

    # mounts

    def mount_layer(
        self,
        layer: LayerId,
        mount: Callable[[LayerRecord], str],
        mounted: Callable[[str], bool] = os.path.ismount,
        unmount: Callable[[str], None] = lambda path: None,
    ) -> str:
        """Count one more user of a layer's mount. `mount` is called, and returns where, unless it is mounted.

        `unmount` takes away a mount that cannot be written down.
        """
        with Locks(self.place, "layers") as locks:
            record = Layers(self.place, locks, self._driver).get(layer)
            with MountPoints(self.place) as points:
                path, count = points.get(layer)
                if count > 0 and mounted(path):
                    points.set(layer, path, count + 1)
                    return path
                path = mount(record)
                try:
                    points.set(layer, path, 1)
                except BaseException:
                    unmount(path)
                    raise
                return path

    def unmount_layer(
        self,
        layer: LayerId,
        unmount: Callable[[str], None],
        *,
        force: bool = False,
        mounted: Callable[[str], bool] = os.path.ismount,
    ) -> bool:
        """Count one user less; `unmount` is called for the last, or with `force`. True: it is not mounted any more."""
        with Locks(self.place, "layers"), MountPoints(self.place) as points:
            path, count = points.get(layer)
            if count > 1 and not force:
                points.set(layer, path, count - 1)
                return False
            if path and mounted(path):
                unmount(path)
            if count:
                points.set(layer, "", 0)
            return True

    # looking after it

    def check(
        self,
        *,
        quick: bool = False,
        repair: bool = False,
        grace: float = 0,
        own: Collection[str] = (),
        only: Collection[str] = (),
        truths: Mapping[LayerId, Truth] | None = None,
    ) -> CheckResult:
        """Find what is wrong, and mend it if asked to; `quick` compares names and sizes only.

        Layers that nothing needs stay while younger than `grace` seconds: a pull may be under way.
        `own`: containers that need no record, because they run from a folder of the host's.
        `only`: kinds of findings to mend, where not all are. `truths`: what the layers' files are, where somebody has
        read them.
        """
        from sonata.store.check import Look
        from sonata.store.repair import check

        look = Look(quick=quick, grace=grace, own=tuple(own), truths=truths or {})
        return check(self.place, self._driver, look, repair=repair, only=only)

    def usage(self) -> StoreUsage:
        """What takes room: by image, by container, by folder."""
        from sonata.store.usage import measure

        return measure(self.place, self._driver)


def _synced(unpack: Callable[[UnpackTarget], NewLayer]) -> Callable[[UnpackTarget], NewLayer]:
    def fill(target: UnpackTarget) -> NewLayer:
        new = unpack(target)
        if new.tar_split:
            sync_file(new.tar_split)
        return new

    return fill
