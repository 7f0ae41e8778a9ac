"""Where blobs lie in registries, as far as pulls and pushes have shown: so that a push need not send them again.

A cache of our own, beside the state: what the peers keep for this is theirs alone. It holds no more than `MOST` rows,
the oldest go first; whatever is wrong with the file, it counts as empty, and is made anew.
"""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

MOST = 20_000
_EACH = 4
_TABLE = (
    "CREATE TABLE IF NOT EXISTS places (host TEXT NOT NULL, digest TEXT NOT NULL, repository TEXT NOT NULL,"
    " seen INTEGER NOT NULL, PRIMARY KEY (host, digest, repository)) WITHOUT ROWID"
)


class BlobPlaces:
    """The file at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def learn(self, host: str, repository: str, digests: Iterable[str]) -> None:
        """The repository has these blobs. What cannot be written is not remembered."""
        import time

        from sonata_core.sqlite import sqlite3

        rows = [(host, digest, repository, time.time_ns()) for digest in digests]
        try:
            make_private(os.path.dirname(self._path))
            with _Opened(self._path) as database:
                database.execute(_TABLE)
                database.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", rows)
                (count,) = database.execute("SELECT count(*) FROM places").fetchone()
                if count > MOST:
                    oldest = "SELECT seen FROM places ORDER BY seen DESC LIMIT 1 OFFSET ?"
                    (limit,) = database.execute(oldest, (MOST // 2,)).fetchone()
                    database.execute("DELETE FROM places WHERE seen <= ?", (limit,))
        except sqlite3.DatabaseError as error:
            self._forget(error)
        except OSError:
            return

    def find(self, host: str, digest: str) -> tuple[str, ...]:
        """A few repositories of the host that had the blob, the latest first."""
        from sonata_core.sqlite import sqlite3

        if not os.path.exists(self._path):
            return ()
        asked = "SELECT repository FROM places WHERE host = ? AND digest = ? ORDER BY seen DESC LIMIT ?"
        try:
            with _Opened(self._path) as database:
                return tuple(str(row[0]) for row in database.execute(asked, (host, digest, _EACH)))
        except sqlite3.DatabaseError as error:
            self._forget(error)
            return ()

    def _forget(self, error: sqlite3.DatabaseError) -> None:
        """Remove a file that is no database, or another's; one that is merely busy stays."""
        from sonata_core.sqlite import sqlite3

        if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
            return
        try:
            os.unlink(self._path)
        except OSError:
            return


class _Opened:
    """The database within one transaction."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        from sonata_core.sqlite import sqlite3

        self._database = sqlite3.connect(self._path, timeout=5.0)
        # Nobody waits for the disk: what a power cut takes, or spoils, was a cache.
        self._database.execute("PRAGMA synchronous = OFF")
        return self._database

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self._database.commit()
        finally:
            self._database.close()
