"""Creating, listing and inspecting volumes."""

from __future__ import annotations

import os
import time

from sonata.engine.volumes.use import make
from sonata.plan.volumes import require_volume_name
from sonata.state import objects
from sonata_core.errors import AlreadyExists, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.object_request import VolumeCreateRequest


def create(engine: Engine, request: VolumeCreateRequest) -> objects.Volume:
    """Create a volume. Raises AlreadyExists, UsageError, Unsupported."""
    name = request.name or os.urandom(32).hex()
    require_volume_name(name)
    if request.driver not in ("", "local"):
        raise Unsupported(f"volume driver {request.driver} is not supported yet", hint="--driver local")
    if request.opt:
        raise Unsupported(f"volume option {request.opt[0]} is not supported yet", hint="leave --opt out")
    volume = objects.Volume(
        name=name,
        created=time.time_ns(),
        labels=pairs(request.label),
        uid=request.uid or 0,
        gid=request.gid or 0,
    )
    try:
        return make(engine, volume)
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


def users(engine: Engine, name: str) -> list[str]:
    """Ids of the containers that use a volume."""
    return objects.volume_users(engine.database, name)


def pairs(labels: tuple[str, ...]) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping. Raises UsageError for one without a key."""
    found = {}
    for text in labels:
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f"invalid label {text!r}: it has no key")
        found[key] = value
    return found
