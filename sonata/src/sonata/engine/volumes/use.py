"""Volumes as containers use them."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.state import intents, objects
from sonata_core.errors import AlreadyExists, Conflict
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, MountUse


def ensure_volume(engine: Engine, use: MountUse) -> objects.Volume:
    """The volume that a mount names, made if there is none."""
    found = objects.volume_named(engine.database, use.source)
    if found is not None:
        return found
    volume = objects.Volume(name=use.source, created=time.time_ns(), anonymous=use.anonymous)
    try:
        return make(engine, volume)
    except AlreadyExists:
        # Another command made it between our look and now.
        return objects.find_volume(engine.database, use.source)


def make(engine: Engine, volume: objects.Volume) -> objects.Volume:
    """Write a new local volume down and make its folder. Raises AlreadyExists, Conflict (another engine's folder)."""
    key = f"volume-{volume.name}"
    with engine.locks.hold(key):
        # A folder without a row is another engine's, unless this note says that it was ours to be.
        begun = intents.Intent(id=key, kind="volume", detail={"name": volume.name})
        volume = volume.replace(mountpoint=mountpoint(engine, volume.name))
        _make_folder(engine, volume, begun)
    events.thing(engine, "volume", "create", volume.name)
    return volume


def _make_folder(engine: Engine, volume: objects.Volume, begun: intents.Intent) -> None:
    data, home = volume.mountpoint, os.path.dirname(volume.mountpoint)
    if not os.path.exists(home):
        intents.put(engine.database, begun)
    try:
        os.makedirs(engine.config.paths.volume_path, mode=0o700, exist_ok=True)
        os.mkdir(home, 0o700)
    except FileExistsError as error:
        if objects.volume_named(engine.database, volume.name) is not None:
            raise AlreadyExists(f"volume with name {volume.name} already exists: volume already exists") from error
        raise Conflict(
            f"volume {volume.name}: {home} exists and belongs to another engine",
            hint="choose another name; a volume of another engine is never taken over",
        ) from error
    try:
        os.mkdir(data, 0o755)
        os.chown(data, volume.uid, volume.gid)
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
    """Make a volume ready for a container: its first use copies what the image has there into it.

    The volume's folder, if it is new, empty and nobody's: then it is to be given to the container's user. Else "".
    """
    bare = ""
    volume = objects.find_volume(engine.database, use.source)
    if volume.fresh and not use.subpath:
        with engine.locks.hold(f"volume-{volume.name}"):
            volume = objects.find_volume(engine.database, use.source)
            if volume.fresh:
                from sonata.engine.volumes.copyup import copy_up

                if not os.listdir(volume.mountpoint):
                    copied = use.copy and copy_up(root, use.target, volume.mountpoint)
                    bare = "" if copied or volume.uid or volume.gid else volume.mountpoint
                objects.put_volume(engine.database, volume.replace(fresh=False))
    return bare


def folder(engine: Engine, use: MountUse) -> str:
    """The folder to bind for a volume; where it will be, if there is no such volume yet."""
    volume = objects.volume_named(engine.database, use.source)
    if volume is not None:
        return _inside(volume.mountpoint, use.subpath)
    new = mountpoint(engine, use.source)
    return f"{new}/{use.subpath}" if use.subpath else new


def mountpoint(engine: Engine, name: str) -> str:
    """Where a new local volume's data go."""
    return f"{engine.config.paths.volume_path}/{name}/_data"


def _inside(folder: str, subpath: str) -> str:
    if not subpath:
        return folder
    from sonata_core.sdk.safepath import open_in_root

    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        handle = open_in_root(root, subpath, os.O_PATH | os.O_CLOEXEC)
        try:
            return os.readlink(f"/proc/self/fd/{handle}")
        finally:
            os.close(handle)
    finally:
        os.close(root)
