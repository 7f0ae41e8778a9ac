"""Volumes as containers use them."""

from __future__ import annotations

import time

from sonata.engine.volumes.place import is_mounted_for_use
from sonata.state import objects
from sonata_core.errors import AlreadyExists, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, MountUse


def ensure_volume(engine: Engine, use: MountUse) -> objects.Volume:
    """The volume that a mount names, made if there is none."""
    found = objects.volume_named(engine.database, use.source)
    if found is not None:
        return found
    volume = objects.Volume(name=use.source, created=time.time_ns(), anonymous=use.anonymous, unowned=True)
    try:
        if use.volume_options:
            return _with_options(engine, volume, use)
        from sonata.engine.volumes.make import make

        return make(engine, volume)
    except AlreadyExists:
        # Another command made it between our look and now.
        return objects.find_volume(engine.database, use.source)


def _with_options(engine: Engine, volume: objects.Volume, use: MountUse) -> objects.Volume:
    from sonata.engine.volumes.options import make_with

    try:
        return make_with(engine, volume, use.volume_options)
    except UsageError as error:
        raise UsageError(f'creating named volume "{volume.name}": {error.message}', error.hint) from error


def prepare(engine: Engine, config: ContainerConfig, use: MountUse, root: str) -> str:
    """The folder to bind for a volume: mounted if it needs that, and filled if it is its first use."""
    volume = objects.find_volume(engine.database, use.source)
    place = volume.mountpoint
    if is_mounted_for_use(volume):
        from sonata.engine.volumes.mounting import acquire_for

        place = acquire_for(engine, config, volume)
    if (volume.fresh or volume.unowned) and not use.subpath:
        from sonata.engine.volumes.copyup import fill

        fill(engine, config, use, root, place)
    return place


def let_go(engine: Engine, config: ContainerConfig) -> None:
    """The container uses its volumes no more: those that are mounted for nobody else are unmounted. Idempotent.

    Raises the first trouble, such as a driver's that does not answer, after all were tried.
    """
    trouble: SonataError | None = None
    for name in {use.source for use in config.mounts if use.kind == "volume"}:
        volume = objects.volume_named(engine.database, name)
        if volume is not None and config.id in volume.holders:
            from sonata.engine.volumes.mounting import release

            try:
                release(engine, name, config.id)
            except SonataError as error:
                trouble = trouble or error
    if trouble is not None:
        raise trouble
