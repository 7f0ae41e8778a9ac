"""Taking a volume away that nothing uses."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.volumes.place import is_mounted_for_use
from sonata.state import intents, objects
from sonata_core.errors import InUse, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def erase(engine: Engine, name: str, *, force: bool = False) -> str:
    """Remove a volume that no container uses, and its content; its name. `force`: even where it cannot be unmounted.

    A driver outside that is gone does not keep its volume: what it holds stays with it, and the error says so.
    Raises NotFound, InUse, ExternalFailure.
    """
    volume = objects.find_volume(engine.database, name)
    trouble = None
    with engine.locks.hold(f"volume-{volume.name}"):
        volume = objects.find_volume(engine.database, volume.name)
        if is_mounted_for_use(volume) and not objects.volume_users(engine.database, volume.name):
            trouble = _give_back(engine, volume, force=force)
        forget(engine, volume)
        engine.locks.forget(f"volume-{volume.name}")
    events.thing(engine, "volume", "remove", volume.name)
    if trouble is not None:
        raise trouble
    return volume.name


def forget(engine: Engine, volume: objects.Volume) -> None:
    """Take a volume's row away, then its folder and layer. Raises InUse."""
    if is_mounted_for_use(volume):
        _require_unmounted(engine, volume)
    # The row goes first; that the folder without a row is ours, and to go too, is told by the note.
    detail = {"name": volume.name, "storage": volume.storage_id}
    note = intents.Intent(id=f"volume-{volume.name}", kind=intents.VOLUME, detail=detail)
    intents.put(engine.database, note)
    try:
        objects.remove_volume(engine.database, volume.name)
        if volume.storage_id:
            from sonata.engine import storage

            storage.delete_container(engine, volume.storage_id)
        if volume.mountpoint:
            remove_tree(volume.mountpoint.removesuffix("/_data"))
    except InUse:
        intents.forget(engine.database, note.id)
        raise
    intents.forget(engine.database, note.id)


def _require_unmounted(engine: Engine, volume: objects.Volume) -> None:
    """What is mounted at a volume's folder is somebody else's content: it must not be removed through the mount."""
    from sonata.engine import storage
    from sonata.host import mounts

    if volume.mountpoint and not objects.volume_users(engine.database, volume.name):
        storage.unmount(engine, volume.mountpoint)
        if mounts.is_mounted(volume.mountpoint):
            raise InUse(f"volume {volume.name}: {volume.mountpoint} is mounted and cannot be unmounted")


def _give_back(engine: Engine, volume: objects.Volume, *, force: bool) -> SonataError | None:
    """Unmount it, and have its driver remove it. What the driver's absence leaves undone is returned."""
    from sonata.engine.volumes.mounting import drop
    from sonata.plan.volume_options import IMAGE, LOCAL

    try:
        drop(engine, volume)
    except SonataError as error:
        if not force and volume.driver in (LOCAL, IMAGE):
            raise
        engine.log.warning("volume_not_unmounted", volume=volume.name, error=error.message)
    if volume.driver == LOCAL or volume.storage_id:
        return None
    from sonata.engine.volumes.drivers import driver_of

    try:
        driver = driver_of(engine, volume.driver, volume.name, volume.timeout)
        if not driver.has(volume.name):
            return None
    except SonataError as error:
        text = f"cannot remove volume {volume.name} from plugin {volume.driver}, but it has been removed from Sonata"
        return type(error)(f"{text}: {error.message}", error.hint)
    try:
        driver.remove(volume.name)
    except SonataError as error:
        text = f"volume {volume.name} could not be removed from plugin {volume.driver}: {error.message}"
        raise type(error)(text, error.hint) from error
    return None
