"""Volumes as containers use them."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.state import intents, objects
from sonata_core.errors import AlreadyExists, Conflict, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from collections.abc import Callable

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
        return make(engine, volume)
    except AlreadyExists:
        # Another command made it between our look and now.
        return objects.find_volume(engine.database, use.source)


def _with_options(engine: Engine, volume: objects.Volume, use: MountUse) -> objects.Volume:
    from sonata.engine.volumes.create import make_with

    try:
        return make_with(engine, volume, use.volume_options)
    except UsageError as error:
        raise UsageError(f'creating named volume "{volume.name}": {error.message}', error.hint) from error


def make(engine: Engine, volume: objects.Volume, also: Callable[[], object] | None = None) -> objects.Volume:
    """Write a new volume down and make its folder, and before that what else it needs (`also`).

    Raises AlreadyExists, Conflict (another engine's folder).
    """
    key = f"volume-{volume.name}"
    with engine.locks.hold(key):
        # A folder without a row is another engine's, unless this note says that it was ours to be.
        detail = {"name": volume.name, "storage": volume.storage_id}
        begun = intents.Intent(id=key, kind="volume", detail=detail)
        volume = volume.replace(mountpoint=mountpoint(engine, volume.name))
        _make_folder(engine, volume, begun, also)
    events.thing(engine, "volume", "create", volume.name)
    return volume


def _make_folder(
    engine: Engine, volume: objects.Volume, begun: intents.Intent, also: Callable[[], object] | None
) -> None:
    data, home = volume.mountpoint, os.path.dirname(volume.mountpoint)
    if not os.path.exists(home):
        intents.put(engine.database, begun)
    try:
        make_private(engine.config.paths.volume_path)
        os.mkdir(home, 0o700)
    except FileExistsError as error:
        if objects.volume_named(engine.database, volume.name) is not None:
            raise AlreadyExists(f"volume with name {volume.name} already exists: volume already exists") from error
        raise Conflict(
            f"volume {volume.name}: {home} exists and belongs to another engine",
            hint="choose another name; a volume of another engine is never taken over",
        ) from error
    try:
        if volume.size or volume.inodes:
            from sonata.engine.volumes.quota import limit

            limit(engine, volume, home)  # before there is anything inside, which would not count
        os.mkdir(data, 0o755)
        os.chown(data, volume.uid, volume.gid)
        if also is not None:
            also()
        with engine.database.transaction():
            objects.add_volume(engine.database, volume)
            intents.forget(engine.database, begun.id)
    except BaseException:
        _forget(home)
        intents.forget(engine.database, begun.id)
        raise


def _forget(home: str) -> None:
    for folder in (f"{home}/_data", home):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue


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


def folder(engine: Engine, use: MountUse) -> str:
    """The folder to bind for a volume; where it will be, if there is no such volume yet."""
    volume = objects.volume_named(engine.database, use.source)
    if volume is None:
        return mountpoint(engine, use.source)
    return volume.mountpoint if volume.driver == "local" else volume.mounted_at or f"‹{volume.driver}’s mount›"


def mountpoint(engine: Engine, name: str) -> str:
    """Where a new local volume's data go."""
    return f"{engine.config.paths.volume_path}/{name}/_data"


def is_mounted_for_use(volume: objects.Volume) -> bool:
    """Whether there is anything to mount before a volume can be used."""
    if volume.driver == "local" and not volume.options:
        return False
    from sonata.plan.volume_options import needs_mount

    return needs_mount(volume.driver, volume.options)


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
