"""The order of the store's locks, kept in one place.

layers.lock of the graph root, of the image store, images.lock, containers.lock; mountpoints.lock is innermost, under
layers.lock. Peers take them in this order, so whoever does not may wait for ever.

The disk is waited for when they have been given back, wherever that is as good: a hundred containers made at once wait
for it together then, and not each for all before it.
"""

from __future__ import annotations

from sonata.store.table import replaces_safely, sync_file
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.locks import FileLock, lock_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sonata.store.place import Place
    from sonata.store.table import Table

KINDS = ("layers", "images", "containers")


class Locks:
    """Several lock files at once, in the one order. A kind not named is not locked."""

    def __init__(self, place: Place, *kinds: str) -> None:
        self._place = place
        self._kinds = [kind for kind in KINDS if kind in kinds]
        self._held: dict[tuple[str, str], FileLock] = {}
        self._safe: dict[str, bool] = {}
        self._written: dict[str, None] = {}
        self._later: list[Callable[[], None]] = []

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

    def save(self, table: Table, kind: str, root: str, *, durable: bool) -> None:
        """Write a table of one kind and root; `durable`: it lies on the disk when the block has ended without error.

        A file that might be found empty after a power cut is waited for at once. Raises Unavailable, Denied.
        """
        if root not in self._safe:
            self._safe[root] = replaces_safely(root)
        table.save(self.of(kind, root), durable=not self._safe[root])
        if durable and self._safe[root]:
            self._written[table.path] = None

    def later(self, step: Callable[[], None]) -> None:
        """Have something done when the locks have been given back, whatever becomes of the block."""
        self._later.append(step)

    def close(self) -> None:
        """Let go, the last taken first."""
        while self._held:
            self._held.popitem()[1].close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        try:
            # A file that somebody replaced meanwhile was made from what was written here, and says that too.
            for path in self._written if kind is None else ():
                sync_file(path)
        finally:
            for step in self._later:
                step()
