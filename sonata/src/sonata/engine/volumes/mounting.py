"""Volumes that are mounted while somebody uses them: by options, from an image, by a driver outside.

Who uses a volume is written down before it is mounted and struck out after it was unmounted, so that a killed
command is finished by whoever comes next; what was written before a reboot counts for nothing.
"""

from __future__ import annotations

import os

from sonata.engine import storage
from sonata.engine.volumes.place import is_mounted_for_use
from sonata.host import mounts, process
from sonata.plan.volume_options import IMAGE, LOCAL, mount_words
from sonata.state import objects
from sonata_core.errors import ExternalFailure, HostLacks, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_core.models.storage import MountOptions

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig

BY_HAND = ""
"""The holder that stands for `volume mount`."""
_COMMAND = "command"
"""What the name of a command that holds a volume begins with: its pid and start time follow."""
_PATIENCE = 60.0
"""Seconds for mount(8): a server that does not answer is no reason to wait for ever."""


def acquire_for(engine: Engine, config: ContainerConfig, volume: objects.Volume) -> str:
    """The folder of a volume, mounted for a container. Raises ExternalFailure and what drivers raise."""
    uses = sum(use.source == volume.name for use in config.mounts if use.kind == "volume")
    try:
        return acquire(engine, volume.name, config.id, uses)
    except SonataError as error:
        text = f"mounting volume {volume.name} for container {config.id}: {error.message}"
        raise type(error)(text, error.hint) from error


def acquire(engine: Engine, name: str, holder: str, uses: int) -> str:
    """The folder of a volume, mounted while `holder` has it, whose uses are now `uses`."""
    with engine.locks.hold(f"volume-{name}"):
        before = current(engine, objects.find_volume(engine.database, name))
        volume = before.replace(holders={**before.holders, holder: uses}, boot=engine.facts.boot_id)
        objects.put_volume(engine.database, volume, durable=False)
        place = _place(before)
        if place:
            return place
        try:
            place = _mount(engine, volume)
        except BaseException:
            objects.put_volume(engine.database, before, durable=False)
            raise
        if volume.driver != LOCAL:
            objects.put_volume(engine.database, volume.replace(mounted_at=place), durable=False)
        return place


def release(engine: Engine, name: str, holder: str) -> None:
    """`holder` uses the volume no more; with the last one it is unmounted. Idempotent."""
    with engine.locks.hold(f"volume-{name}"):
        volume = objects.volume_named(engine.database, name)
        if volume is None:
            engine.locks.forget(f"volume-{name}")  # made for this, by the lines above
            return
        had = volume.boot == engine.facts.boot_id and bool(volume.holders)
        volume = current(engine, volume)
        left = {key: count for key, count in volume.holders.items() if key != holder}
        if not left and had:
            _unmount(engine, volume)
        place = volume.mounted_at if left else ""
        objects.put_volume(engine.database, volume.replace(holders=left, mounted_at=place), durable=False)


def current(engine: Engine, volume: objects.Volume) -> objects.Volume:
    """The volume with the holders that there still are: none of before the last reboot, none that has ended."""
    if volume.boot not in ("", engine.facts.boot_id):
        return volume.replace(holders={}, mounted_at="", boot="")
    if not volume.holders:
        return volume
    users = objects.volume_users(engine.database, volume.name)
    left = {key: count for key, count in volume.holders.items() if key in users or _is_there(key)}
    return volume if left == volume.holders else volume.replace(holders=left)


def _is_there(holder: str) -> bool:
    """Whether a holder that is no container is still to be counted."""
    if holder == BY_HAND:
        return True
    word, _, rest = holder.partition(" ")
    pid, _, rest = rest.partition(" ")
    started = rest.partition(" ")[0]
    return word == _COMMAND and pid.isdigit() and started.isdigit() and process.alive(int(pid), int(started))


def mount(engine: Engine, name: str) -> str:
    """`volume mount`: where the volume's content is; once more for each call. Raises NotFound, Unsupported."""
    storage.require_lasting_mounts(engine, "volume ", "`sonata volume export`")
    volume = objects.find_volume(engine.database, name)
    if not is_mounted_for_use(volume):
        return volume.mountpoint
    return acquire(engine, volume.name, BY_HAND, current(engine, volume).holders.get(BY_HAND, 0) + 1)


def unmount(engine: Engine, name: str) -> str:
    """`volume unmount`: take one mount by hand back; the volume's name. Not mounted is success. Raises NotFound."""
    volume = objects.find_volume(engine.database, name)
    count = current(engine, volume).holders.get(BY_HAND, 0)
    if count > 1:
        acquire(engine, volume.name, BY_HAND, count - 1)
    elif count:
        release(engine, volume.name, BY_HAND)
    return volume.name


class Mounted:
    """`with Mounted(engine, volume) as path`: a volume's folder, mounted meanwhile if that takes a mount."""

    def __init__(self, engine: Engine, volume: objects.Volume) -> None:
        self._engine, self._volume = engine, volume
        pid = os.getpid()
        self._holder = f"{_COMMAND} {pid} {process.start_time(pid)} {os.urandom(4).hex()}"

    def __enter__(self) -> str:
        if not is_mounted_for_use(self._volume):
            return self._volume.mountpoint
        return acquire(self._engine, self._volume.name, self._holder, 1)

    def __exit__(self, *_: object) -> None:
        if is_mounted_for_use(self._volume):
            release(self._engine, self._volume.name, self._holder)


def drop(engine: Engine, volume: objects.Volume) -> None:
    """Unmount a volume that goes, whoever may hold it by hand. Under its lock."""
    if volume.holders and volume.boot == engine.facts.boot_id:
        _unmount(engine, volume)


def _place(volume: objects.Volume) -> str:
    """Where it is mounted already; empty if it is not."""
    if not volume.holders:
        return ""
    if volume.driver == LOCAL:
        return volume.mountpoint if mounts.is_mounted(volume.mountpoint) else ""
    if volume.driver == IMAGE:
        return volume.mounted_at if volume.mounted_at and mounts.is_mounted(volume.mounted_at) else ""
    return volume.mounted_at if volume.mounted_at and os.path.isdir(volume.mounted_at) else ""


def _mount(engine: Engine, volume: objects.Volume) -> str:
    if volume.driver == LOCAL:
        _run_mount(engine, volume)
        return volume.mountpoint
    if volume.driver == IMAGE:
        return storage.mount_container(engine, volume.storage_id, MountOptions())
    from sonata.engine.volumes.drivers import driver_of

    return driver_of(engine, volume.driver, volume.name, volume.timeout).mount(volume.name)


def _run_mount(engine: Engine, volume: objects.Volume) -> None:
    """mount(8), which knows helpers such as mount.nfs, and what words mean flags and what is a file system's own."""
    from sonata.host.commands import find_program

    program = find_program("mount", engine.facts)
    if program is None:
        raise HostLacks("locating 'mount' binary: executable file not found in $PATH", hint="install util-linux")
    kind, device = volume.options.get("type", ""), volume.options.get("device", "")
    words = mount_words(volume.options)
    argv = [program]
    if words:
        argv += ["-o", ",".join(words)]
    if kind == "bind":
        argv += ["-o", "bind"]
    elif kind:
        argv += ["-t", kind]
    if not os.path.isdir(volume.mountpoint):
        raise NotFound(f"volume {volume.name}: its folder {volume.mountpoint} is gone", hint="`sonata system check`")
    while mounts.is_mounted(volume.mountpoint) and mounts.unmount(engine.kernel, volume.mountpoint):
        pass  # left by a command that was killed before it could count it
    # /dev/null is no standard input to ask for a password on, and no fstab entry is looked up with both ends given.
    done = engine.run_command(
        Command(argv=(*argv, "--", device or kind or "none", volume.mountpoint), timeout=_PATIENCE)
    )
    if done.code:
        raise ExternalFailure(done.stderr.decode(errors="replace").rstrip("\n") or f"mount exits with {done.code}")


def _unmount(engine: Engine, volume: objects.Volume) -> None:
    if volume.driver == LOCAL:
        storage.unmount(engine, volume.mountpoint)
    elif volume.driver == IMAGE:
        storage.unmount_container(engine, volume.storage_id, force=True)
    else:
        from sonata.engine.volumes.drivers import driver_of

        driver_of(engine, volume.driver, volume.name, volume.timeout).unmount(volume.name)
