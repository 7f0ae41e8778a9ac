"""`image mount` and `image unmount`: an image's files, read-only, where programs of the host can see them."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.images import lookup
from sonata.host import mounts
from sonata.store.mountpoints import read_counts
from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import MountOptions
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord


class MountedImage(Record):
    """An image and where its root is."""

    id: str
    names: tuple[str, ...]
    digests: tuple[str, ...]
    path: str


def require(engine: Engine) -> None:
    """Raises Unsupported where mounts would not be seen by whoever asks."""
    storage.require_lasting_mounts(engine, "image ", "`sonata save`")


def mount(engine: Engine, names: Sequence[str]) -> list[MountedImage]:
    """Mount images, or count one more user of each mount; none if one is not known.

    Raises NotFound, Unsupported for an image without layers.
    """
    require(engine)
    found = [lookup.get(engine, name)[0] for name in names]
    return [_mount(engine, image) for image in found]


def mount_all(engine: Engine) -> list[MountedImage]:
    """Mount every image that has layers."""
    return mount(engine, [image.id for image in engine.store.images() if image.layer])


def mounted(engine: Engine) -> list[MountedImage]:
    """Images that are mounted, and where."""
    found = []
    for image in engine.store.images():
        path, count = _where(engine, image)
        if count:
            found.append(_shown(image, path))
    return found


def unmount(engine: Engine, names: Iterable[str], *, force: bool = False) -> list[str]:
    """Take one use of each mount back, with `force` all; the ids of images that were mounted. Raises NotFound."""
    done = []
    for image in [lookup.get(engine, name)[0] for name in names]:
        if image.layer is None or not _where(engine, image)[1]:
            continue
        engine.store.unmount_layer(
            image.layer, lambda path: storage.unmount(engine, path), force=force, mounted=mounts.is_mounted
        )
        events.thing(engine, "image", "unmount", image.id, image.id)
        done.append(str(image.id))
    return done


def _mount(engine: Engine, image: ImageRecord) -> MountedImage:
    if image.layer is None:
        raise Unsupported(f"image {image.id} has no layers: there is nothing to mount")
    path = storage.mount_layer(engine, image.layer, MountOptions(read_only=True))
    events.thing(engine, "image", "mount", image.id, image.id)
    return _shown(image, path)


def _where(engine: Engine, image: ImageRecord) -> tuple[str, int]:
    path, count = read_counts(engine.store.place).get(str(image.layer), ("", 0))
    # A layer of vfs is a folder, which nobody needs to mount.
    return (path, count) if engine.driver == "vfs" or mounts.is_mounted(path) else ("", 0)


def _shown(image: ImageRecord, path: str) -> MountedImage:
    names = tuple(name for name in image.names if "@" not in name)
    return MountedImage(id=image.id, names=names, digests=(image.digest,) if image.digest else (), path=path)
