"""The state database's soundness, its salvage, and its dump."""

from __future__ import annotations

import os
import sqlite3
import time
from functools import partial

from sonata.state import containers as rows
from sonata.state.db import Database
from sonata.store.check import Finding
from sonata_core.errors import Damaged, SonataError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine

TABLES = (
    "meta",
    "network",
    "volume",
    "container",
    "container_state",
    "name",
    "needs",
    "uses_network",
    "uses_volume",
    "lease",
    "last_lease",
    "port",
    "exit",
    "intent",
    "exec",
)
"""In an order in which rows may be put back: what others refer to comes first."""


def check_database(engine: Engine) -> list[tuple[Finding, Callable[[], object] | None]]:
    """Whether SQLite can read all of the file and every reference has its row."""
    path = engine.database.path
    if not os.path.exists(path):
        return []
    if not os.path.isfile(path):
        finding = Finding(
            kind="database",
            what="state database that is no file",
            subject=path,
            evidence="it is a folder, a fifo or the like",
            repair="set it aside: what the store has of containers stays",
        )
        return [(finding, lambda: os.rename(path, f"{path}.broken-{int(time.time())}"))]
    try:
        trouble = [row[0] for row in engine.database.query("PRAGMA integrity_check(5)") if row[0] != "ok"]
        broken = engine.database.query("PRAGMA foreign_key_check")
    except Damaged as error:
        trouble, broken = [error.message], []
    found: list[tuple[Finding, Callable[[], object] | None]] = []
    if trouble:
        finding = Finding(
            kind="database",
            what="state database that cannot be read",
            subject=path,
            evidence="; ".join(str(text) for text in trouble),
            repair="set the file aside and keep every row that can be read",
        )
        found.append((finding, lambda: salvage(engine)))
    elif broken:
        finding = Finding(
            kind="database",
            what="rows that refer to nothing",
            subject=path,
            evidence=", ".join(sorted({f"{row[0]} → {row[2]}" for row in broken})),
            repair="keep every row that refers to something",
        )
        found.append((finding, lambda: salvage(engine)))
    else:
        found += _unreadable_rows(engine)
    return found


def _unreadable_rows(engine: Engine) -> list[tuple[Finding, Callable[[], object] | None]]:
    """Containers of which nothing is known any more: their files stay, as another engine's would."""
    found: list[tuple[Finding, Callable[[], object] | None]] = []
    for ident, why in rows.unreadable(engine.database).items():
        finding = Finding(
            kind="row",
            what="container whose row cannot be read",
            subject=ident,
            evidence=why,
            repair="forget it: what the store has of it stays, and `ps --external` shows it",
        )
        found.append((finding, partial(rows.remove, engine.database, ident, None)))
    return found


def salvage(engine: Engine) -> int:
    """Make the database anew from what can be read of it; how many rows. The old file stays beside it."""
    path = engine.database.path
    kept_rows = {table: _readable(path, table) for table in TABLES}
    engine.database.close()
    aside = f"{path}.broken-{int(time.time())}"
    os.rename(path, aside)
    for suffix in ("-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, aside + suffix)
    engine.database = fresh = Database(path, engine.database.facts)
    kept = 0
    for table in TABLES:
        for row in kept_rows[table]:
            kept += _put(fresh, table, row)
    return kept


def _put(database: Database, table: str, row: tuple[Any, ...]) -> int:
    marks = ", ".join("?" * len(row))
    try:
        with database.transaction():
            # Names of tables are constants of this file.
            return database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608
    except (sqlite3.IntegrityError, SonataError):
        # It refers to a row that was lost, or is of another shape.
        return 0


def _readable(path: str, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table up to the first that cannot be read."""
    found: list[tuple[Any, ...]] = []
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    except sqlite3.Error:
        return found
    try:
        for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant of this file
            found.append(row)
    except sqlite3.Error:
        return found
    finally:
        connection.close()
    return found


def dump(engine: Engine) -> dict[str, Any]:
    """Every table as a list of objects, for debugging; JSON columns as what they hold."""
    import json

    document: dict[str, Any] = {"path": engine.database.path, "boot": engine.facts.boot_id}
    for table in TABLES:
        names = [row[1] for row in engine.database.query(f"PRAGMA table_info({table})")]
        listed = engine.database.query(f"SELECT * FROM {table}")  # noqa: S608 - a constant of this file
        found = []
        for row in listed:
            entry = dict(zip(names, row, strict=True))
            for key in ("config", "state", "definition", "detail"):
                if isinstance(entry.get(key), str) and entry[key].startswith("{"):
                    entry[key] = json.loads(entry[key])
            found.append(entry)
        document[table] = found
    return document
