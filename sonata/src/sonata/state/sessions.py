"""Rows of exec sessions."""

from __future__ import annotations

from sonata.state.rows import ExecState
from sonata_core import json_text as json
from sonata_core.codec import freeze, thaw
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.state.db import Database


def put(database: Database, session: ExecState) -> None:
    """Store a session, new or changed."""
    with database.transaction():
        row = (session.id, session.container, json.dumps(freeze(session)))
        database.execute("INSERT OR REPLACE INTO exec VALUES (?, ?, ?)", row)


def of_container(database: Database, container: str) -> list[ExecState]:
    """The sessions of a container."""
    rows = database.query("SELECT state FROM exec WHERE container = ? ORDER BY id", (container,))
    return [thaw(ExecState, json.loads(row[0])) for row in rows]


def get(database: Database, session: str) -> ExecState | None:
    """A session by its id."""
    found = database.one("SELECT state FROM exec WHERE id = ?", (session,))
    return None if found is None else thaw(ExecState, json.loads(found[0]))


def remove(database: Database, session: str) -> None:
    """Forget a session. Absent is success."""
    with database.transaction():
        database.execute("DELETE FROM exec WHERE id = ?", (session,))
