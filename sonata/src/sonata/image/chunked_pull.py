"""A zstd:chunked layer of which only the files are fetched that the store does not have.

What comes of it is the layer's exact tar, unpacked and compared with the image's config like any other: ids are the
ordinary ones. Wherever something is not as it should be, the whole blob is pulled instead.
"""

from __future__ import annotations

from sonata.image.layers.chunks import Chunks, places_of
from sonata_core.errors import Damaged, NotFound, RegistryFailure
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from sonata.image.layers.chunks import Local
    from sonata_core.models.image import Descriptor, ImageSource

    Reuse = Callable[[Iterable[tuple[int, int]]], Local]
    """From sizes and CRC-64s of files that are wanted, what finds those that the store has."""

_WORTH = 0.9
"""The part of a blob up to which fetching it in parts is worth while: a whole one can be taken up again."""


class NoRanges(Exception):
    """The other end would send the whole."""


class Parts:
    """The tar of one layer. `fetched` counts the blob's bytes that came."""

    def __init__(self, source: ImageSource, blob: Descriptor, reuse: Reuse) -> None:
        places = places_of(blob.annotations, blob.size)
        if places is None or not hasattr(source, "open_range"):
            raise NoRanges
        self._source = source
        self._blob = blob
        self.fetched = 0
        self._chunks = Chunks(self._part, places)
        self._local = reuse(self._chunks.files())
        if self._chunks.missing(self._local) > _WORTH * blob.size:
            raise NoRanges

    def _part(self, offset: int, size: int) -> BinaryIO:
        stream: BinaryIO | None = self._source.open_range(self._blob, offset, size)
        if stream is None:
            raise NoRanges
        self.fetched += size
        return stream

    def tar(self) -> Iterator[bytes]:
        """All of it. Raises Damaged, RegistryFailure, NoRanges."""
        return self._chunks.tar(self._local)


def open_parts(source: ImageSource, blob: Descriptor, reuse: Reuse) -> Parts | None:
    """A layer by its parts; None where it is to be pulled whole."""
    try:
        return Parts(source, blob, reuse)
    except (Damaged, NotFound, RegistryFailure, NoRanges):
        return None
