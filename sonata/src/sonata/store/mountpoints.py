"""Mount counts of layers, in the run root: `[{"id", "path", "count"}]`. A reboot, which empties it, resets them."""

from __future__ import annotations

import os

from sonata.store.names import dump_json
from sonata.store.table import Row, read_rows, trouble, write_file, write_token
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.locks import FileLock, lock_file

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.store.place import Place


class MountPoints:
    """The counts, locked for writing: to be opened only while layers.lock is held."""

    def __init__(self, place: Place) -> None:
        self._folder = place.folder("layers", place.run)
        self._path = os.path.join(self._folder, "mountpoints.json")
        self._lock: FileLock | None = None
        self._rows: list[Row] = []

    def __enter__(self) -> MountPoints:
        make_private(self._folder)
        self._lock = lock_file(os.path.join(self._folder, "mountpoints.lock"))
        try:
            self._rows, _ = read_rows(self._path)
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def get(self, layer: str) -> tuple[str, int]:
        """Where a layer is said to be mounted, and how often; ("", 0) for nowhere."""
        for row in self._rows:
            if row["id"] == layer:
                return str(row.get("path") or ""), int(row.get("count") or 0)
        return "", 0

    def set(self, layer: str, path: str, count: int) -> None:
        """Record a count; 0 forgets the layer. Raises Unavailable, Denied."""
        self._rows = [row for row in self._rows if row["id"] != layer]
        if count > 0:
            self._rows.append({"id": layer, "path": path, "count": count})
        assert self._lock is not None
        try:
            write_token(self._lock)
            # Gone at boot anyway: nothing to wait for the disk for.
            write_file(self._path, dump_json(self._rows), durable=False)
        except OSError as error:
            raise trouble(error, f"writing {self._path}") from error


def read_counts(place: Place) -> dict[str, tuple[str, int]]:
    """Path and count of each layer that is said to be mounted, by layer id. For showing."""
    rows, _ = read_rows(os.path.join(place.folder("layers", place.run), "mountpoints.json"))
    return {row["id"]: (str(row.get("path") or ""), int(row.get("count") or 0)) for row in rows}
