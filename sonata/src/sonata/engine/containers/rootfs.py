"""A container's root filesystem and everything that is mounted on the host for it."""

from __future__ import annotations

import os

from sonata.engine import storage
from sonata.engine.containers.made import Mounted
from sonata.host import mounts
from sonata.model.container import MountKind, MountUse, NamespaceKind
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.mount import Mount
from sonata_core.models.storage import MountOptions

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata.model.container import ContainerConfig
    from sonata_core.models.process import IdMapping

_FLAGS = ("nodev", "nosuid", "noexec")


def mount(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> Mounted:
    """Mount the root filesystem, /dev/shm, and the sources of the container's mounts."""
    root = _mount_root(engine, config, paths)
    _make_shm(engine, config, paths)
    for one in enumerate(config.mounts):
        _make_source(engine, config, paths, one, root)
    mounted = places(engine, config, paths, root)
    for use in config.mounts:
        if use.target in mounted.unmapped:
            from sonata.engine.containers import owners

            owners.map_source(engine, config, use, mounted.unmapped[use.target], mounted.sources[use.target])
    if mounted.entry != root:
        from sonata.engine.containers import userns

        userns.open_way(engine, config, root)
    return mounted


def places(engine: Engine, config: ContainerConfig, paths: ContainerPaths, root: str) -> Mounted:
    """Where `mount` has everything, with the root filesystem at `root`. Makes nothing, also where nothing is yet.

    Raises NotFound for a bind's source that is not there.
    """
    mounted = Mounted(root)
    if config.namespaces.user.kind is not NamespaceKind.HOST:
        from sonata.engine.containers import userns

        mounted.entry = userns.entry(engine, config, root)
    mounted.shm = _shm(engine, config, paths)
    for number, use in enumerate(config.mounts):
        if use.kind is MountKind.BIND:
            mounted.flags[use.source] = _bind_flags(use)
            if "no-dereference" in use.options and os.path.islink(use.source):
                mounted.sources[use.target] = ""
        elif _is_layered(use):
            from sonata.engine.containers.layered_mounts import place_of

            mounted.sources[use.target] = place_of(paths, number, use)
        elif use.kind is MountKind.VOLUME:
            from sonata.engine.volumes import place

            mounted.sources[use.target] = place.folder(engine, use)
        if use.id_map is not None and mounted.sources.get(use.target) != "":
            _show_mapped(config, paths, (number, use), mounted)
    return mounted


def note_flags(config: ContainerConfig, mounted: Mounted) -> None:
    """Write down the flags of the file systems that binds come from: a bind may not be without them."""
    for use in config.mounts:
        if use.kind is MountKind.BIND:
            mounted.flags[use.source] = _bind_flags(use)


def _show_mapped(
    config: ContainerConfig, paths: ContainerPaths, numbered: tuple[int, MountUse], mounted: Mounted
) -> None:
    from sonata.engine.containers import owners

    number, use = numbered
    if owners.shows_mapped(config, use):
        mounted.unmapped[use.target] = mounted.sources.get(use.target, use.source)
        mounted.sources[use.target] = owners.mapped_at(paths, number)


def _is_layered(use: MountUse) -> bool:
    """Whether it takes mounts of its own on the host before the runtime can bind it."""
    return use.kind in (MountKind.OVERLAY, MountKind.IMAGE) or use.overlay or bool(use.subpath)


def unmount(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> None:
    """Take it all away. Idempotent."""
    if config.namespaces.user.kind is not NamespaceKind.HOST:
        from sonata.engine.containers import userns

        userns.let_go(engine, config.id)
    mounts.unmount_below(engine.kernel, paths.bundle)
    if not config.rootfs:
        storage.unmount_container(engine, config.id, force=True)
    if config.mounts:
        from sonata.engine.volumes import use as volumes

        volumes.let_go(engine, config)


def _mount_root(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> str:
    if not config.rootfs:
        options = MountOptions(volatile=config.auto_remove, id_mapping=storage_maps(config))
        return storage.mount_container(engine, config.id, options)
    if config.infra:
        os.makedirs(config.rootfs, mode=0o755, exist_ok=True)  # empty, and gone after a reboot
    if not os.path.isdir(config.rootfs):
        raise NotFound(f"--rootfs {config.rootfs}: no such directory")
    lower = config.rootfs
    if config.rootfs_id_map is not None:
        from sonata.engine.containers import owners
        from sonata.plan.idmaps import of_mount

        lower = _mapped_root(config, paths)
        mapping = of_mount(config.rootfs_id_map, config.id_mapping)
        if mapping is not None:
            owners.bind_mapped(engine, config.rootfs, lower, mapping)
    if config.rootfs_overlay:
        from sonata.engine.containers.layered_mounts import overlay

        overlay(engine, f"{paths.bundle}/overlay/rootfs", (lower, "", ""))
    root = root_given(config, paths)
    if config.infra and config.id_mapping is not None:
        from sonata.engine.containers.userns import host_ids

        os.chown(root, *host_ids(config, 0, 0))  # its runtime makes what is mounted in it
    return root


def root_given(config: ContainerConfig, paths: ContainerPaths) -> str:
    """Where the root filesystem of `--rootfs` is: the folder itself, or an overlay over it."""
    return f"{paths.bundle}/overlay/rootfs/merge" if config.rootfs_overlay else _mapped_root(config, paths)


def _mapped_root(config: ContainerConfig, paths: ContainerPaths) -> str:
    """Where the folder of `--rootfs` shows with the owners of `:idmap`; the folder itself without it."""
    mapped = config.rootfs_id_map or (config.rootfs_id_map is not None and config.id_mapping)
    return f"{paths.bundle}/mapped/rootfs" if mapped else config.rootfs


def storage_maps(config: ContainerConfig) -> IdMapping | None:
    """The maps by which the container's files lie shifted; None where every id is itself, as with `keep-id`."""
    if config.id_mapping is None:
        return None
    from sonata.plan.userns import identity

    return None if config.id_mapping == identity() else config.id_mapping


def _shm(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> str:
    """What is bound to /dev/shm."""
    kind = config.namespaces.ipc.kind
    if kind is NamespaceKind.HOST:
        return "/dev/shm"  # noqa: S108 - the host's own, as --ipc host asks for
    if kind is NamespaceKind.NONE:
        return ""
    if kind in (NamespaceKind.CONTAINER, NamespaceKind.POD):
        from sonata.engine.paths import ContainerPaths as Paths
        from sonata.state import containers as rows

        donor = rows.get(engine.database, config.namespaces.ipc.value).config
        return _shm(engine, donor, Paths(engine, donor.backends.storage, donor.id))
    return paths.shm


def _make_shm(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> None:
    if _shm(engine, config, paths) != paths.shm:
        return
    os.makedirs(paths.shm, mode=0o700, exist_ok=True)
    if not mounts.is_mounted(paths.shm):
        options: tuple[str, ...] = ("noexec", "nosuid", "nodev", "mode=1777", f"size={config.shm_size}")
        if config.id_mapping is not None:
            from sonata.engine.containers.userns import host_ids

            options = (*options, "uid={},gid={}".format(*host_ids(config, 0, 0)))
        mounts.make_one(
            engine.kernel, Mount(type="tmpfs", source="shm", target=paths.shm, options=options), engine.run_command
        )


def _make_source(
    engine: Engine, config: ContainerConfig, paths: ContainerPaths, numbered: tuple[int, MountUse], root: str
) -> None:
    """What `places` says the folder behind a mount is, made ready."""
    number, use = numbered
    found = use.source
    if use.kind is MountKind.VOLUME:
        from sonata.engine.volumes import use as volumes

        found = volumes.prepare(engine, config, use, root)
    elif use.kind in (MountKind.BIND, MountKind.OVERLAY):
        _bind_flags(use)
    if use.kind is MountKind.BIND and "no-dereference" in use.options:
        from sonata.engine.containers.layered_mounts import link_instead

        link_instead(root, use)
    if _is_layered(use):
        from sonata.engine.containers.layered_mounts import Place, make

        make(Place(engine, paths, number), use, found)


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
