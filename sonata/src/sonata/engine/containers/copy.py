"""`cp`: files between containers, the host, and streams. Between two ends the kernel copies what files hold, without
a tar between; owners, links and kinds follow the rules of archives all the same."""

from __future__ import annotations

import os
import stat

from sonata.engine.containers.copy_sides import Found
from sonata.image.layers.compress import Decompressor, Pieces
from sonata.image.layers.diff import copy_members, copy_tar
from sonata.image.layers.feed import Feed
from sonata.image.layers.tarread import TarReader, clean
from sonata.image.layers.unpack import OpenFile, Unpacker
from sonata_core.errors import AlreadyExists, Damaged, NotFound, Unavailable, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerFormat, UnpackTarget
from sonata_core.record import Record
from sonata_core.sdk.safepath import stat_in_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.containers.copy_sides import Side
    from sonata.image.layers.tarread import Entry
    from sonata.image.layers.unpack import Content
    from sonata_core.models.streams import Readable

    Members = Iterator[tuple[Entry, Content]]

_DIR = 0x35
_DEVICES = (0x33, 0x34)


class CopyOptions(Record):
    """`archive`: files belong to the other end's user. `overwrite`: folders may replace files and files folders."""

    archive: bool = True
    overwrite: bool = False
    devices: bool = True
    """Device nodes are made; not on the host, which a container has no say in."""
    rootless: bool = False


def copy_between(source: tuple[Side, str], target: tuple[Side, str], options: CopyOptions) -> None:
    """Copy a file or a folder from one end to the other, with the rules of cp(1) for what is there.

    Raises NotFound, UsageError, AlreadyExists, Unavailable.
    """
    side, path = source[0], source[0].absolute(source[1])
    found = _source(side, path, source[1])
    try:
        contents = path.endswith("/.") or not found.name
        given = found.name if side.where != "on the host" else os.fsencode(os.path.basename(path.rstrip("/")))
        shown = b"" if contents and found.is_folder else given
        folder, shown = _target(target, found, shown)
        try:
            members = (
                (entry, OpenFile(fd)) for entry, fd in copy_members(found.parent, found.name, shown, side.mapping)
            )
            _extract(members, folder, target[0], options)
        finally:
            os.close(folder)
    finally:
        found.close()


def copy_out(side: Side, given: str, *, archive: bool) -> Iterator[bytes]:
    """A file or folder as a tar, owners as the container counts them; with `archive` all belong to its user.

    Raises NotFound, Unavailable.
    """
    path = side.absolute(given)
    found = _source(side, path, given)
    try:
        shown = b"" if found.is_folder and path.endswith("/.") else found.name
        whole = copy_tar(found.parent, found.name, shown, side.mapping)
        yield from _owned(whole, side.owner) if archive else whole
    finally:
        found.close()


def copy_in(tar: Readable, side: Side, given: str, options: CopyOptions) -> None:
    """Unpack a tar, compressed or not, into a folder. Raises NotFound, UsageError, Damaged, AlreadyExists."""
    found = _source(side, side.absolute(given), given)
    try:
        if not found.is_folder:
            raise UsageError("destination must be a directory when copying from stdin")
        folder = found.open_folder()
        feed = Feed(Decompressor(tar), hashed=False)
        try:
            _extract(((entry, feed) for entry in TarReader(feed)), folder, side, options)
            for _ in feed.rest():
                pass
        finally:
            feed.close()
            os.close(folder)
    except Damaged as error:
        text = "source must be a (compressed) tar archive when copying from stdin"
        raise UsageError(text, hint=error.message) from error
    finally:
        found.close()


def _source(side: Side, path: str, given: str) -> Found:
    found = side.find(path)
    if found is not None and path.endswith("/") and not found.is_folder:
        found.close()
        found = None
    if found is None:
        # Podman writes paths of a container anew: `FILE/`, `FILE/.` and `FILE/../FILE` are the file.
        shorter = side.shortened(path)
        found = side.find(shorter) if shorter != path else None
    if found is None:
        raise _missing(side, given)
    return found


def _missing(side: Side, given: str) -> NotFound:
    return NotFound(f'"{given}" could not be found {side.where}: {side.reason(given)}', name=given)


def _target(target: tuple[Side, str], source: Found, shown: bytes) -> tuple[int, bytes]:
    """The folder to unpack into, and the name that the source gets there; empty for what it holds."""
    side, given = target
    path = side.absolute(given)
    there = side.find(path)
    if there is None:
        return _new_name(side, path, given)
    try:
        if there.is_folder:
            return there.open_folder(), shown
        if path.endswith("/"):
            raise side.no_folder(given)
        if source.is_folder:
            raise UsageError("destination must be a directory when copying a directory")
        return os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=there.parent), there.name
    finally:
        there.close()


def _new_name(side: Side, path: str, given: str) -> tuple[int, bytes]:
    head, name = os.path.split(path)
    above = side.find(head or "/") if name and name not in (".", "..") else None
    if above is None:
        raise _missing(side, given)
    try:
        if not above.is_folder:
            raise _missing(side, given)
        return above.open_folder(), os.fsencode(name)
    finally:
        above.close()


def _extract(members: Members, folder: int, side: Side, options: CopyOptions) -> None:
    if side.mapping is None:
        return _unpack(members, folder, side, options)
    from sonata.host.ownership import as_owner
    from sonata.plan.userns import on_host

    # What belongs to the container's user namespace, its tmpfs first of all, takes files of ids that it has alone.
    uid, gid = on_host(side.mapping.uids, 0) or 0, on_host(side.mapping.gids, 0) or 0
    return as_owner(uid, gid, lambda: _unpack(members, folder, side, options))


def _unpack(members: Members, folder: int, side: Side, options: CopyOptions) -> None:
    place = UnpackTarget(path=f"/proc/self/fd/{folder}/.", format=LayerFormat.OVERLAY_FUSE)
    try:
        with Unpacker(place, side.mapping, rootless=options.rootless) as unpacker:
            for entry, content in members:
                path = clean(entry.name)
                if options.archive:
                    entry.uid, entry.gid = side.owner
                if entry.kind in _DEVICES and not options.devices:
                    continue
                if not options.overwrite:
                    _check_kind(folder, path, entry)
                unpacker.put(entry, path, content)
            unpacker.finish()
    except OSError as error:
        raise Unavailable(f"copying {side.where}: {(error.strerror or '').lower()}") from error


def _check_kind(folder: int, path: bytes, entry: Entry) -> None:
    """Raises AlreadyExists where a folder would replace something else, or something else a folder."""
    try:
        seen = stat_in_root(folder, path or b".", follow=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(seen.st_mode) != (entry.kind == _DIR):
        shown = os.fsdecode(path)
        raise AlreadyExists(f'error creating "{shown}": file exists', hint="`--overwrite` replaces it")


def _owned(pieces: Iterator[bytes], owner: tuple[int, int]) -> Iterator[bytes]:
    """The same archive with all its members belonging to one user."""
    from sonata.image.layers.tarwrite import TRAILER, member_header, padding

    feed = Feed(Pieces(pieces), hashed=False)
    try:
        for entry in TarReader(feed):
            entry.uid, entry.gid = owner
            yield member_header(entry)
            yield from feed.pieces(entry.size)
            yield padding(entry.size)
        yield TRAILER
    finally:
        feed.close()
