"""A zstd:chunked layer of which only the pieces are fetched that no file of the store has.

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

    from sonata.image.layers.chunks import Local, Wanted
    from sonata_core.models.image import Descriptor, ImageSource

    Reuse = Callable[[Iterable[Wanted]], Local]
    """From the files of a layer, what finds those, and pieces of those, that the store has."""

_WORTH = 0.9
"""The part of a blob up to which fetching it in parts is worth while: a whole one can be taken up again."""


_SMALL = 64 << 10
"""Bytes of a blob that comes as quickly whole as its tables do."""


class NoRanges(Exception):
    """The other end would send the whole."""


class Parts:
    """The tar of one layer. `fetched` counts the blob's bytes that came, `table` is what says where its pieces lie."""

    def __init__(self, source: ImageSource, blob: Descriptor, reuse: Reuse) -> None:
        places = places_of(blob.annotations, blob.size)
        if places is None or blob.size <= _SMALL or not hasattr(source, "open_range"):
            raise NoRanges
        self._source = source
        self._blob = blob
        self.fetched = 0
        self._chunks = Chunks(self._part, places)
        self.table = self._chunks.table
        self._local = reuse(self._chunks.files())
        try:
            self._spans = self._chunks.spans(self._local)
        except BaseException:
            self._local.close()
            raise

    @property
    def worth(self) -> bool:
        """Whether so much is at hand that the rest is better fetched in parts."""
        return self.fetched + sum(end - begin for begin, end in self._spans) <= _WORTH * self._blob.size

    def _part(self, offset: int, size: int) -> BinaryIO:
        stream: BinaryIO | None = self._source.open_range(self._blob, offset, size)
        if stream is None:
            raise NoRanges
        self.fetched += size
        return stream

    def tar(self) -> Iterator[bytes]:
        """All of it. Raises Damaged, RegistryFailure, NoRanges."""
        return self._chunks.tar(self._local, self._spans)

    def close(self) -> None:
        """Let go of the store's files. Idempotent."""
        self._local.close()


def open_parts(source: ImageSource, blob: Descriptor, reuse: Reuse) -> Parts | None:
    """A layer by its parts; None where it can only be pulled whole."""
    try:
        return Parts(source, blob, reuse)
    except (Damaged, NotFound, RegistryFailure, NoRanges):
        return None
