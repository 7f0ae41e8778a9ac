"""Volumes that are made with options: of a device, of an image, of a driver outside."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.volumes.make import make
from sonata.plan import volume_options
from sonata.plan.volume_options import IMAGE, LOCAL
from sonata.state import objects
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine


def make_with(engine: Engine, volume: objects.Volume, given: Mapping[str, str]) -> objects.Volume:
    """Make a volume with its driver's options. Raises as `create`."""
    plan = volume_options.decide(volume.driver, given)
    if volume.driver not in (LOCAL, IMAGE) and not volume.options:
        # What a driver outside may be asked for is its own affair; only the timeout is ours.
        plan = plan.replace(uid=None, gid=None, size=0, inodes=0)
    volume = volume.replace(
        options=plan.options,
        uid=volume.uid if plan.uid is None else plan.uid,
        gid=volume.gid if plan.gid is None else plan.gid,
        unowned=volume.unowned and plan.uid is None and plan.gid is None,
        timeout=plan.timeout,
    )
    if volume.driver == IMAGE and IMAGE not in engine.config.engine.volume_plugins:
        return _of_image(engine, volume)
    if volume.driver != LOCAL:
        return _of_driver(engine, volume)
    _require_device(given)
    if volume_options.wants_quota(plan):
        volume = volume.replace(size=plan.size, inodes=plan.inodes)
    return make(engine, volume)


def _require_device(given: Mapping[str, str]) -> None:
    device = given.get("device", "")
    if given.get("type", "").lower() == "bind" and not os.path.exists(device):
        text = f"faccessat {device}: no such file or directory"
        raise NotFound(f"invalid volume option device for driver 'local': {text}", name=device)


def _of_image(engine: Engine, volume: objects.Volume) -> objects.Volume:
    """A volume whose content begins as an image's: a writable layer of its own on the image."""
    from sonata.engine.images import lookup
    from sonata.store.names import new_id
    from sonata.store.records import NewContainer
    from sonata_core.models.ids import ContainerId, ImageId

    wanted = volume.options["image"]
    try:
        image, _ = lookup.get(engine, wanted)
    except NotFound as error:
        raise NotFound(f"looking up image {wanted} to create volume failed: {error.message}", error.hint) from error
    volume = volume.replace(storage_id=new_id())
    new = NewContainer(
        id=ContainerId(volume.storage_id),
        name=f"{volume.name}+volume",
        image=ImageId(image.id),
        image_layer=image.layer,
        metadata="{}",
    )
    try:
        return make(engine, volume, lambda: engine.store.create_container(new))
    except BaseException:
        from sonata.engine import storage

        storage.delete_container(engine, volume.storage_id)
        raise


def _of_driver(engine: Engine, volume: objects.Volume) -> objects.Volume:
    """A volume that a driver outside keeps: it is made there first, and what is there already is taken."""
    from sonata.engine.volumes.drivers import driver_of

    driver_of(engine, volume.driver, volume.name, volume.timeout).create(volume.name, volume.options)
    return add_of_driver(engine, volume)


def add_of_driver(engine: Engine, volume: objects.Volume) -> objects.Volume:
    """Write down a volume that its driver has. Raises AlreadyExists."""
    with engine.locks.hold(f"volume-{volume.name}"):
        objects.add_volume(engine.database, volume.replace(unowned=False))
    events.thing(engine, "volume", "create", volume.name)
    return volume
