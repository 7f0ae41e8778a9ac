"""Creating, listing and inspecting volumes."""

from __future__ import annotations

import os
import time

from sonata.engine.system import pending
from sonata.engine.volumes.options import make_with
from sonata.plan import volume_options
from sonata.plan.volume_options import LOCAL, pairs
from sonata.plan.volumes import require_volume_name
from sonata.state import objects
from sonata_core.errors import AlreadyExists, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.object_request import VolumeCreateRequest

_MOST_ID = 2**32 - 2


def create(engine: Engine, request: VolumeCreateRequest) -> objects.Volume:
    """Create a volume. Raises AlreadyExists, UsageError, NotFound (its image), and what drivers raise."""
    pending.recover(engine)
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
