"""The order of the store's locks, kept in one place.

layers.lock of the graph root, of the image store, images.lock, containers.lock; mountpoints.lock is innermost, under
layers.lock. Peers take them in this order, so whoever does not may wait for ever.
"""

from __future__ import annotations

from sonata.store.table import replaces_safely
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.locks import FileLock, lock_file

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.store.place import Place

KINDS = ("layers", "images", "containers")


class Locks:
    """Several lock files at once, in the one order. A kind not named is not locked."""

    def __init__(self, place: Place, *kinds: str) -> None:
        self._place = place
        self._kinds = [kind for kind in KINDS if kind in kinds]
        self._held: dict[tuple[str, str], FileLock] = {}
        self._waits: bool | None = None

    def __enter__(self) -> Locks:
        try:
            for kind in self._kinds:
                for root in self.roots(kind):
                    make_private(self._place.folder(kind, root))
                    self._held[kind, root] = lock_file(self._place.lock_path(kind, root))
        except BaseException:
            self.close()
            raise
        return self

    def roots(self, kind: str) -> tuple[str, ...]:
        """The writable roots that have records of a kind."""
        if kind == "containers":
            return (self._place.graph,)
        return self._place.writable

    def of(self, kind: str, root: str) -> FileLock:
        """The lock to put a token into."""
        return self._held[kind, root]

    def must_wait(self, durable: bool) -> bool:
        """Whether a file is to be waited for on the disk: always, where it might be found empty after a power cut."""
        if durable:
            return True
        if self._waits is None:
            self._waits = not replaces_safely(self._place.graph)
        return self._waits

    def close(self) -> None:
        """Let go, the last taken first."""
        while self._held:
            self._held.popitem()[1].close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
