"""A layer's tar into a folder: one pass that unpacks, hashes and records tar-split."""

import os
from errno import EACCES, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC, EPERM, EROFS

from sonata.image.layers import whiteout
from sonata.image.layers.feed import Feed
from sonata.image.layers.tarread import Entry, TarReader, clean
from sonata.image.layers.tarsplit import SEGMENT_LIMIT, Writer
from sonata.image.layers.unpack import Unpacker
from sonata.image.limits import NO_LIMITS, Limits
from sonata_core.errors import Damaged, Denied, SonataError, Unavailable
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import IdMapping
from sonata_core.models.storage import UnpackTarget
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from sonata_core.models.streams import Readable

_HOST_TROUBLE = (ENOSPC, EDQUOT, EROFS, EIO, EMFILE, ENFILE, ENOMEM)


class Applied(Record):
    """A layer that was unpacked: what its record says of it (containers/storage, layers.json).

    `uids` and `gids` are the distinct owners in the tar's headers, sorted, whiteouts left out.
    """

    diff_digest: str
    diff_size: int
    uids: tuple[int, ...] = ()
    gids: tuple[int, ...] = ()


def apply_layer(
    stream: "Readable",
    target: UnpackTarget,
    *,
    mapping: IdMapping | None = None,
    tarsplit: "BinaryIO | None" = None,
    rootless: bool = False,
    any_owner: bool = False,
    limits: Limits = NO_LIMITS,
) -> Applied:
    """Unpack an uncompressed tar into `target`, writing tar-split as it goes.

    All of `stream` is read, also what follows the archive's end. With `mapping`, owners are shifted;
    `rootless` says that this process is in a user namespace, where devices are left out; with `any_owner`,
    what cannot be given to its owner stays the caller's. What was unpacked stays on an error: the caller
    drops the whole target. Raises Damaged for an archive that is malformed or asks for what no layer may,
    Denied for a refused owner, Unavailable for a full or broken disk.
    """
    feed = Feed(stream, limits.size)
    try:
        with Unpacker(target, mapping, rootless=rootless, any_owner=any_owner) as unpacker:
            owners = _members(feed, unpacker, Writer(tarsplit) if tarsplit is not None else None, limits)
            unpacker.finish()
    except OSError as error:
        raise _trouble(error) from error
    finally:
        feed.close()
    uids, gids = owners
    return Applied(diff_digest=feed.digest(), diff_size=feed.size, uids=tuple(sorted(uids)), gids=tuple(sorted(gids)))


def _members(feed: Feed, unpacker: Unpacker, record: Writer | None, limits: Limits) -> tuple[set[int], set[int]]:
    """Unpack all members. Returns the owners met."""
    uids: set[int] = set()
    gids: set[int] = set()
    reader = TarReader(feed)
    for count, entry in enumerate(reader):
        if count >= limits.entries:
            raise Damaged(f"the layer has more than {limits.entries} files")
        path = clean(entry.name)
        if record is not None:
            record.claim(path)
        if not _is_whiteout(path):
            uids.add(entry.uid)
            gids.add(entry.gid)
        if record is None:
            unpacker.put(entry, path, feed)
        elif _lies_on_disk(entry, path):
            record.segment(entry.raw)
            crc = unpacker.put(entry, path, feed)
            record.file(entry.name, entry.size, crc)
        else:
            _put_kept_raw(entry, path, feed, unpacker, record)
    for piece in _tail(reader, feed):
        if record is not None:
            record.segment(piece)
    if record is not None:
        record.close()
    return uids, gids


def _is_whiteout(path: bytes) -> bool:
    return path.rpartition(b"/")[2].startswith(whiteout.PREFIX)


def _lies_on_disk(entry: Entry, path: bytes) -> bool:
    """Whether the content that the archive has of a member will be found in the folder, byte for byte."""
    return entry.sparse is None and not (entry.size and (not path or whiteout.PREFIX in path))


def _put_kept_raw(entry: Entry, path: bytes, feed: Feed, unpacker: Unpacker, record: Writer) -> None:
    """Unpack a member whose content cannot be read back, so that tar-split keeps it as raw bytes.

    A sparse file no longer tells which of its zeros the archive left out; a whiteout becomes a device.
    Peers read this well: to them it is a member without content.
    """
    record.segment(entry.raw)
    record.file(entry.name, 0, 0)
    tap = _Tap(feed, record)
    unpacker.put(entry, path, tap)


class _Tap:
    """A feed whose content also goes to tar-split."""

    def __init__(self, feed: Feed, record: Writer) -> None:
        self._inner = feed
        self._record = record

    def pieces(self, size: int) -> "Iterator[bytes]":
        """As the feed's own."""
        for piece in self._inner.pieces(size):
            for at in range(0, len(piece), SEGMENT_LIMIT):
                self._record.segment(piece[at : at + SEGMENT_LIMIT])
            yield piece


def _tail(reader: TarReader, feed: Feed) -> "Iterator[bytes]":
    """The end of the archive and all that follows it."""
    yield reader.tail
    yield from feed.rest()


def _trouble(error: OSError) -> SonataError:
    """What a failure of the file system means: the host's fault, or the layer's."""
    text = error.strerror or str(error)
    where = f" ({os.fsdecode(error.filename)!r})" if isinstance(error.filename, str | bytes) else ""
    if error.errno in _HOST_TROUBLE:
        return Unavailable(f"unpacking a layer: {text}{where}", hint="free some space, or see what the disk reports")
    if error.errno in (EACCES, EPERM):
        return Denied(f"unpacking a layer: {text}{where}")
    return Damaged(f"the layer holds something that cannot be unpacked: {text}{where}")
