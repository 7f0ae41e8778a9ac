"""A container's root filesystem and everything that is mounted on the host for it."""

from __future__ import annotations

import os

from sonata.engine import storage
from sonata.engine.volumes import use as volumes
from sonata.host import mounts
from sonata.model.container import MountKind, MountUse, NamespaceKind
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.mount import Mount
from sonata_core.models.storage import MountOptions

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata.model.container import ContainerConfig

_FLAGS = ("nodev", "nosuid", "noexec")


class Mounted:
    """What was mounted: the root, and for the mounts that the spec makes, the folders behind them."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.sources: dict[str, str] = {}
        self.flags: dict[str, tuple[str, ...]] = {}
        self.shm = ""


def mount(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> Mounted:
    """Mount the root filesystem, /dev/shm, and the sources of the container's mounts."""
    mounted = Mounted(_mount_root(engine, config, paths))
    mounted.shm = _shm(engine, config, paths)
    for number, use in enumerate(config.mounts):
        _prepare(engine, config, paths, (number, use), mounted)
    return mounted


def unmount(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> None:
    """Take it all away. Idempotent."""
    mounts.unmount_below(engine.kernel, paths.bundle)
    if not config.rootfs:
        storage.unmount_container(engine, config.id, force=True)


def _mount_root(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> str:
    if not config.rootfs:
        options = MountOptions(volatile=config.auto_remove, id_mapping=config.id_mapping)
        return storage.mount_container(engine, config.id, options)
    if not os.path.isdir(config.rootfs):
        raise NotFound(f"--rootfs {config.rootfs}: no such directory")
    if not config.rootfs_overlay:
        return config.rootfs
    return _overlay(engine, paths, "rootfs", (config.rootfs, "", ""))


def _overlay(engine: Engine, paths: ContainerPaths, name: str, layers: tuple[str, str, str]) -> str:
    """An overlay over a folder of the host: changes go below the bundle, or where `upper` says."""
    lower, upper, work = layers
    home = f"{paths.bundle}/overlay/{name}"
    upper, work, merged = upper or f"{home}/upper", work or f"{home}/work", f"{home}/merge"
    for folder in (upper, work, merged):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    _like(lower, upper)
    options = (f"lowerdir={lower}", f"upperdir={upper}", f"workdir={work}")
    if not mounts.is_mounted(merged):
        mounts.make_one(
            engine.kernel, Mount(type="overlay", source="overlay", target=merged, options=options), engine.run_command
        )
    return merged


def _like(source: str, target: str) -> None:
    seen = os.stat(source)
    os.chown(target, seen.st_uid, seen.st_gid)
    os.chmod(target, seen.st_mode & 0o7777)


def _shm(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> str:
    kind = config.namespaces.ipc.kind
    if kind is NamespaceKind.HOST:
        return "/dev/shm"  # noqa: S108 - the host's own, as --ipc host asks for
    if kind is NamespaceKind.NONE:
        return ""
    if kind in (NamespaceKind.CONTAINER, NamespaceKind.POD):
        from sonata.engine.paths import ContainerPaths as Paths

        return Paths(engine, config.backends.storage, config.namespaces.ipc.value).shm
    os.makedirs(paths.shm, mode=0o700, exist_ok=True)
    if not mounts.is_mounted(paths.shm):
        options = ("noexec", "nosuid", "nodev", "mode=1777", f"size={config.shm_size}")
        mounts.make_one(
            engine.kernel, Mount(type="tmpfs", source="shm", target=paths.shm, options=options), engine.run_command
        )
    return paths.shm


def _prepare(
    engine: Engine, config: ContainerConfig, paths: ContainerPaths, numbered: tuple[int, MountUse], mounted: Mounted
) -> None:
    number, use = numbered
    if use.kind is MountKind.BIND:
        mounted.flags[use.source] = _bind_flags(use)
    elif use.kind is MountKind.VOLUME:
        mounted.sources[use.target] = volumes.prepare(engine, config, use, mounted.root)
    elif use.kind is MountKind.OVERLAY:
        if not os.path.isdir(use.source):
            raise NotFound(f"statfs {use.source}: no such file or directory")
        mounted.sources[use.target] = _overlay(engine, paths, str(number), (use.source, use.upper_dir, use.work_dir))
    elif use.kind in (MountKind.IMAGE, MountKind.GLOB, MountKind.ARTIFACT):
        raise UsageError(f"mount type {use.kind} is not supported yet: {use.target}")


def _bind_flags(use: MountUse) -> tuple[str, ...]:
    try:
        seen = os.statvfs(use.source)
    except OSError as error:
        raise NotFound(f"statfs {use.source}: {(error.strerror or '').lower()}", name=use.source) from error
    bits = {"nodev": os.ST_NODEV, "nosuid": os.ST_NOSUID, "noexec": os.ST_NOEXEC}
    return tuple(name for name in _FLAGS if seen.f_flag & bits[name])


def open_root(root: str) -> int:
    """A descriptor of the mounted root, for looking inside it."""
    return os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
