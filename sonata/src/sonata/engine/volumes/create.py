"""Creating, listing and inspecting volumes."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.containers import present
from sonata.engine.volumes.use import make
from sonata.plan import volume_options
from sonata.plan.volume_options import IMAGE, LOCAL, pairs
from sonata.plan.volumes import require_volume_name
from sonata.state import objects
from sonata_core.errors import AlreadyExists, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.object_request import VolumeCreateRequest

_MOST_ID = 2**32 - 2


def create(engine: Engine, request: VolumeCreateRequest) -> objects.Volume:
    """Create a volume. Raises AlreadyExists, UsageError, NotFound (its image), and what drivers raise."""
    present.recover(engine)
    name = request.name or os.urandom(32).hex()
    try:
        require_volume_name(name)
    except UsageError as error:
        raise UsageError(error.message.partition(": ")[2]) from error
    for number in (request.uid, request.gid):
        if number is not None and not 0 <= number <= _MOST_ID:
            raise UsageError(f"invalid owner {number}: it lies between 0 and {_MOST_ID}")
    labels = pairs(request.label, "labels")
    options = pairs(request.opt, "options")
    given = objects.volume_named(engine.database, name)
    volume = objects.Volume(
        name=name,
        driver=request.driver or LOCAL,
        created=time.time_ns(),
        labels=labels,
        uid=request.uid or 0,
        gid=request.gid or 0,
        unowned=request.uid is None and request.gid is None,
    )
    try:
        if given is not None:
            volume_options.decide(volume.driver, options)
            raise AlreadyExists(f"volume with name {name} already exists: volume already exists", name=name)
        return make_with(engine, volume, options)
    except AlreadyExists:
        if request.ignore:
            return objects.find_volume(engine.database, name)
        raise


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


def listed(engine: Engine) -> list[objects.Volume]:
    """All volumes, by name."""
    return objects.volumes(engine.database)


def get(engine: Engine, name: str) -> objects.Volume:
    """One volume, by name or unique prefix. Raises NotFound."""
    return objects.find_volume(engine.database, name)


def exists(engine: Engine, name: str) -> bool:
    """Whether there is a volume of just that name."""
    return objects.volume_named(engine.database, name) is not None


def users(engine: Engine, name: str) -> list[str]:
    """Ids of the containers that use a volume."""
    return objects.volume_users(engine.database, name)
