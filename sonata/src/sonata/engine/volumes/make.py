"""Making volumes: a folder and a row."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.volumes.place import mountpoint
from sonata.state import intents, objects
from sonata_core.errors import AlreadyExists, Conflict
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine


def make(engine: Engine, volume: objects.Volume, also: Callable[[], object] | None = None) -> objects.Volume:
    """Write a new volume down and make its folder, and before that what else it needs (`also`).

    Raises AlreadyExists, Conflict (another engine's folder).
    """
    key = f"volume-{volume.name}"
    with engine.locks.hold(key):
        # A folder without a row is another engine's, unless this note says that it was ours to be.
        detail = {"name": volume.name, "storage": volume.storage_id}
        begun = intents.Intent(id=key, kind=intents.VOLUME, detail=detail)
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
