"""What a many-step operation is about to do, so that the next command can finish or undo what a crash left."""

from __future__ import annotations

from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.state.db import Database

CREATE, INIT, REMOVE, VOLUME, POD = "create", "init", "remove", "volume", "pod"
"""What may be under way: a container's making, start or removal; a volume's or a pod's making or removal."""


class Intent(Record):
    """`kind` of `id`, with what it takes to undo it."""

    id: str
    kind: str
    detail: dict[str, Any] = {}
    boot: str = ""


def put(database: Database, intent: Intent) -> None:
    """Write down what is about to happen, before it does."""
    with database.transaction(durable=False):
        row = (intent.id, intent.kind, json.dumps(intent.detail), intent.boot)
        database.execute("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, ?)", row)


def of(database: Database, ident: str) -> list[Intent]:
    """What was begun with one thing and not finished."""
    rows = database.query("SELECT id, kind, detail, boot FROM intent WHERE id = ?", (ident,))
    return [Intent(id=row[0], kind=row[1], detail=json.loads(row[2]), boot=row[3]) for row in rows]


def forget(database: Database, ident: str) -> None:
    """Nothing is under way with it any more."""
    with database.transaction(durable=False):
        database.execute("DELETE FROM intent WHERE id = ?", (ident,))


def done(database: Database, ident: str, kind: str) -> None:
    """It has happened, or was undone."""
    with database.transaction(durable=False):
        database.execute("DELETE FROM intent WHERE id = ? AND kind = ?", (ident, kind))


def ids(database: Database) -> list[str]:
    """Of whatever something was begun with and not finished."""
    return [str(row[0]) for row in database.query("SELECT DISTINCT id FROM intent", ())]


def pending(database: Database, kind: str = "") -> list[Intent]:
    """What was begun and not finished."""
    rows = database.query("SELECT id, kind, detail, boot FROM intent WHERE ? IN ('', kind) ORDER BY id", (kind,))
    return [Intent(id=row[0], kind=row[1], detail=json.loads(row[2]), boot=row[3]) for row in rows]
