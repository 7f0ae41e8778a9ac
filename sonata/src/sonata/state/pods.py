"""Rows of pods."""

from __future__ import annotations

import time

from sonata.model.pod import PodConfig
from sonata_core import json_text as json
from sonata_core.codec import freeze, thaw
from sonata_core.errors import AlreadyExists, InUse, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from sonata.state.db import Database, Row
else:
    from sonata_core.sqlite import sqlite3


def insert(database: Database, pod: PodConfig) -> None:
    """A new pod. Raises AlreadyExists for its name."""
    try:
        with database.transaction():
            row = (pod.id, pod.name, time.time_ns(), json.dumps(freeze(pod)))
            database.execute("INSERT INTO pod VALUES (?, ?, ?, ?)", row)
    except sqlite3.IntegrityError as error:
        raise name_taken(pod.name) from error


def name_taken(name: str) -> AlreadyExists:
    """The error for a name that another pod has."""
    return AlreadyExists(
        f'adding pod to state: name "{name}" is in use: pod already exists',
        hint="`--replace` removes the other pod first",
        name=name,
    )


def has_name(database: Database, name: str) -> bool:
    """Whether a pod of that name is there."""
    return database.one("SELECT 1 FROM pod WHERE name = ?", (name,)) is not None


def get(database: Database, ident: str) -> PodConfig:
    """A pod by its full id. Raises NotFound."""
    found = database.one("SELECT config FROM pod WHERE id = ?", (ident,))
    if found is None:
        raise missing(ident)
    return _pod(found)


def find(database: Database, text: str) -> PodConfig:
    """A pod by full id, name, or unique prefix of its id. Raises NotFound, UsageError."""
    found = database.query("SELECT config FROM pod WHERE id = ?1 OR name = ?1", (text,))
    if not found and text and all(char in "0123456789abcdef" for char in text):
        found = database.query("SELECT config FROM pod WHERE id >= ? AND id < ? LIMIT 2", (text, text + "g"))
        if len(found) > 1:
            raise UsageError(f"more than one result for ID or name {text}: pod already exists")
    if not found:
        raise missing(text)
    return _pod(found[0])


def missing(text: str) -> NotFound:
    """The error for a pod that is not there."""
    return NotFound(f"no pod with name or ID {text} found: no such pod", name=text)


def listed(database: Database) -> list[PodConfig]:
    """All pods, oldest first."""
    return [_pod(found) for found in database.query("SELECT config FROM pod ORDER BY created, id")]


def names(database: Database) -> dict[str, str]:
    """The name of every pod, by its id."""
    return {row[0]: row[1] for row in database.query("SELECT id, name FROM pod")}


def remove(database: Database, ident: str) -> None:
    """Forget a pod. Absent is success. Raises InUse while a container is in it."""
    with database.transaction():
        left = database.one("SELECT id FROM container WHERE pod = ? LIMIT 1", (ident,))
        if left is not None:
            raise InUse(f"pod {ident} contains containers and cannot be removed: container already exists")
        database.execute("DELETE FROM pod WHERE id = ?", (ident,))


def _pod(found: Row) -> PodConfig:
    return thaw(PodConfig, json.loads(found[0]))
