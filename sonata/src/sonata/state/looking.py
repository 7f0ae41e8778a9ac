"""The state database for commands that look and leave nothing: no file is made, none is changed."""

from __future__ import annotations

import os
from urllib.parse import quote

from sonata_core.errors import HostLacks
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
else:
    from sonata_core.sqlite import sqlite3


def connect(path: str, schema: int) -> sqlite3.Connection:
    """The database as it is, to be read only; an empty one in memory where there is none yet.

    SQLite makes the files of a write-ahead log even for a reader, unless it is told that nobody writes. That is
    true where the log is not there: whoever writes makes it first. Raises HostLacks for another schema.
    """
    if not os.path.exists(path):
        return _empty(schema)
    how = "mode=ro" if os.path.exists(f"{path}-wal") and os.path.exists(f"{path}-shm") else "immutable=1"
    connection = sqlite3.connect(f"file:{quote(path)}?{how}", uri=True, isolation_level=None, check_same_thread=False)
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != schema:
        connection.close()
        raise HostLacks(
            f"state database {path} has schema {found}, this Sonata knows {schema}",
            hint="`sonata ps` brings an older one up to date",
        )
    return connection


def copied(connection: sqlite3.Connection) -> sqlite3.Connection:
    """What the database holds, in memory: to be changed for the sake of an answer, and forgotten."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.backup(copy)
    return copy


def _empty(schema: int) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    folder = os.path.join(os.path.dirname(__file__), "schema")
    for number in range(1, schema + 1):
        with open(f"{folder}/{number:04}.sql", encoding="utf-8") as script:
            connection.executescript(script.read())
    connection.execute("PRAGMA query_only = ON")
    return connection
