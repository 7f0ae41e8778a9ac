"""Filling a new volume with what the image has at its place, and giving it an owner."""

from __future__ import annotations

import os
import stat

from sonata.state import objects
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.safepath import open_in_root

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, MountUse

_CHUNK = 1 << 20
_DEEPEST = 200
_MOST_LINKS = 256
"""Files with several names that are held open at most; further names become files of their own."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def fill(engine: Engine, config: ContainerConfig, use: MountUse, root: str, place: str) -> None:
    """What the first use of a volume brings: content and owner, as long as it is empty.

    A volume that was filled once is never filled again, one that never was remains to be.
    """
    from sonata.plan.volume_options import LOCAL, may_copy

    with engine.locks.hold(f"volume-{use.source}"):
        volume = objects.find_volume(engine.database, use.source)
        adopting = volume.unowned and volume.driver == LOCAL
        empty = not os.listdir(place)
        wanted = volume.fresh and use.copy and empty and may_copy(volume.options)
        copied = wanted and copy_up(root, use.target, place, adopt=adopting)
        changed = volume.replace(fresh=volume.fresh and not copied, unowned=volume.unowned and empty and not copied)
        if adopting and empty:
            uid, gid = _process_owner(config, root)
            if not copied:
                _adopt(root, use.target, place, (uid, gid))
            changed = changed.replace(uid=uid, gid=gid)
        if changed != volume:
            objects.put_volume(engine.database, changed)


def _process_owner(config: ContainerConfig, root: str) -> tuple[int, int]:
    """The container's user, as the host numbers it."""
    from sonata.engine.containers.inside import identity, on_host

    handle = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        who = identity(config, handle)
    finally:
        os.close(handle)
    return on_host(config, who.uid, who.gid)


def _adopt(root: str, target: str, place: str, owner: tuple[int, int]) -> None:
    """Give an empty volume the owner and mode of the folder that it covers, or the process's owner."""
    source = _open_source(root, target)
    into = os.open(place, _FOLDER)
    try:
        if source is None:
            os.fchown(into, *owner)
        else:
            _like(os.fstat(source), into)
    finally:
        os.close(into)
        if source is not None:
            os.close(source)


def _open_source(root: str, target: str) -> int | None:
    """The folder at `target` inside `root`; None where there is none."""
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_in_root(top, target, _FOLDER)
    except OSError:
        return None
    finally:
        os.close(top)


def copy_up(root: str, target: str, volume: str, *, adopt: bool = True) -> bool:
    """Copy the content of `target` inside `root` into the empty folder `volume`, with owners, modes and times.

    With `adopt` the folder takes on the owner and mode of `target`. Nothing is read from outside `root`; what
    is no file, folder or link is passed over. False if there is nothing to copy.
    """
    source = _open_source(root, target)
    if source is None:
        return False
    into = os.open(volume, _FOLDER)
    try:
        if not os.listdir(source):
            return False
        before = os.fstat(into)
        links: dict[tuple[int, int], int] = {}
        try:
            _copy_folder(source, into, links)
        finally:
            for held in links.values():
                os.close(held)
        if not adopt:
            _like(before, into)
    finally:
        os.close(into)
        os.close(source)
    return True


def _copy_folder(source: int, into: int, links: dict[tuple[int, int], int], depth: int = 0) -> None:
    """`links` holds copies of files that have more names: by the original, a descriptor. Raises Damaged."""
    if depth > _DEEPEST:
        raise Damaged(f"filling a volume: the image's folders are nested more than {_DEEPEST} deep")
    with os.scandir(source) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        _copy_entry(source, into, name, links, depth)
    _like(os.fstat(source), into)


def _copy_entry(source: int, into: int, name: str, links: dict[tuple[int, int], int], depth: int) -> None:
    seen = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(seen.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=into)
        os.chown(name, seen.st_uid, seen.st_gid, dir_fd=into, follow_symlinks=False)
        os.utime(name, ns=(seen.st_atime_ns, seen.st_mtime_ns), dir_fd=into, follow_symlinks=False)
    elif stat.S_ISDIR(seen.st_mode):
        os.mkdir(name, 0o700, dir_fd=into)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        inner, made = os.open(name, flags, dir_fd=source), os.open(name, flags, dir_fd=into)
        try:
            _copy_folder(inner, made, links, depth + 1)
        finally:
            os.close(inner)
            os.close(made)
    elif stat.S_ISREG(seen.st_mode):
        first = links.get((seen.st_dev, seen.st_ino))
        if first is None:
            _copy_file(source, into, name, links)
        else:
            os.link(f"/proc/self/fd/{first}", name, dst_dir_fd=into, follow_symlinks=True)


def _copy_file(source: int, into: int, name: str, links: dict[tuple[int, int], int]) -> None:
    old = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=into)
    try:
        seen = os.fstat(old)
        while os.sendfile(new, old, None, _CHUNK):
            pass
        _like(seen, new)
        for key in os.listxattr(old):  # after the owner, whose change takes capabilities away
            if key.startswith(("user.", "security.capability")):
                os.setxattr(new, key, os.getxattr(old, key))
        if seen.st_nlink > 1 and len(links) < _MOST_LINKS:
            links[seen.st_dev, seen.st_ino] = os.dup(new)
    finally:
        os.close(old)
        os.close(new)


def _like(seen: os.stat_result, handle: int) -> None:
    os.fchown(handle, seen.st_uid, seen.st_gid)
    os.fchmod(handle, stat.S_IMODE(seen.st_mode))
    os.utime(handle, ns=(seen.st_atime_ns, seen.st_mtime_ns))
