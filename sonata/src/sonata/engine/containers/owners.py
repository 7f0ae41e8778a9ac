"""Owners of what is mounted into a container: sources shown by other ids (`idmap`), and sources given away (`U`)."""

from __future__ import annotations

import os
import stat

from sonata.engine.containers.inside import on_host
from sonata.host import mounts
from sonata.model.container import MountKind
from sonata.plan.idmaps import of_mount
from sonata_core.errors import Denied, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.mount import Mount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.containers.made import Mounted
    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata.model.container import ContainerConfig, MountUse
    from sonata.model.materials import Identity
    from sonata_core.models.process import IdMapping

_SYSTEM = frozenset(
    (
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/etc/passwd",
        "/etc/pki",
        "/home",
        "/lib",
        "/lib64",
        "/media",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/srv",
        "/sys",
        "/tmp",  # noqa: S108
        "/usr",
        "/var",
        "/var/lib",
        "/var/log",
    )
)
_DEEPEST = 400
_FOLDERS = (MountKind.BIND, MountKind.VOLUME, MountKind.OVERLAY)


def shows_mapped(config: ContainerConfig, use: MountUse) -> bool:
    """Whether a mount's source is seen by other ids than it has on disk."""
    return use.id_map is not None and use.kind in _FOLDERS and bool(use.id_map or config.id_mapping)


def mapped_at(paths: ContainerPaths, number: int) -> str:
    """Where the source of the mount of this number is bound with other ids."""
    return f"{paths.bundle}/mapped/{number}"


def map_source(engine: Engine, config: ContainerConfig, use: MountUse, source: str, target: str) -> None:
    """Bind a mount's source with other owners. The runtime binds that, so it need not know of maps itself.

    Raises UsageError for maps that make no sense, HostLacks and ExternalFailure where the kernel maps nothing.
    """
    mapping = of_mount(use.id_map or "", config.id_mapping)
    if mapping is not None:
        bind_mapped(engine, source, target, mapping)


def bind_mapped(engine: Engine, source: str, target: str, mapping: IdMapping) -> None:
    """Bind `source` to `target`, made if absent, with its owners shifted."""
    try:
        folder = stat.S_ISDIR(os.stat(source).st_mode)
    except OSError as error:
        raise NotFound(f"statfs {source}: {(error.strerror or '').lower()}", name=source) from error
    os.makedirs(target if folder else os.path.dirname(target), 0o700, exist_ok=True)
    if not folder:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    if not mounts.is_mounted(target):
        one = Mount(type="bind", source=source, target=target, options=("rbind",), id_mapping=mapping)
        mounts.make_one(engine.kernel, one, engine.run_command)


def give_away(config: ContainerConfig, mounted: Mounted, who: Identity) -> None:
    """`U`: give the sources of mounts to the container's user.

    Raises UsageError for folders of the system, NotFound for a user that is not mapped, Denied for others' files.
    """
    for use in config.mounts:
        if use.chown and use.kind in _FOLDERS:
            source = mounted.unmapped.get(use.target) or mounted.sources.get(use.target, use.source)
            uid, gid = on_host(config, who.uid, who.gid)
            if use.kind is MountKind.BIND:
                _require_harmless(source, uid, gid)
            _chown_tree(source, uid, gid)


def _require_harmless(source: str, uid: int, gid: int) -> None:
    if os.path.realpath(source) in _SYSTEM or os.path.realpath(source) == os.path.realpath(os.path.expanduser("~")):
        raise UsageError(
            f'chowning host path "{source}" is not allowed. You can manually `chown -R {uid}:{gid} {source}`'
        )


def _chown_tree(top: str, uid: int, gid: int) -> None:
    """Change owners below `top`, through descriptors, so that a link put in between leads nowhere else."""
    handle = os.open(top, os.O_PATH | os.O_CLOEXEC)
    try:
        seen = os.fstat(handle)
        if stat.S_ISDIR(seen.st_mode):
            inner = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _chown_folder(inner, uid, gid)
            finally:
                os.close(inner)
        if (seen.st_uid, seen.st_gid) != (uid, gid):
            os.chown(f"/proc/self/fd/{handle}", uid, gid)
    except PermissionError as error:
        raise _refused(top, error) from error
    finally:
        os.close(handle)


def _refused(path: str, error: PermissionError) -> Denied:
    reason = (error.strerror or "").lower()
    return Denied(
        f"failed to chown recursively host path: lchown {path}: {reason}",
        "Only files of the user and of his subordinate ids can change owners: give the mount without U.",
    )


def _chown_folder(folder: int, uid: int, gid: int, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise UsageError(f"changing owners: folders are nested more than {_DEEPEST} deep")
    for name in _names(folder):
        try:
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode):
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(name, flags, dir_fd=folder)
                try:
                    _chown_folder(inner, uid, gid, depth + 1)
                finally:
                    os.close(inner)
            if (seen.st_uid, seen.st_gid) != (uid, gid):
                os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise _refused(f"{os.readlink(f'/proc/self/fd/{folder}')}/{name}", error) from error


def _names(folder: int) -> Iterable[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]
