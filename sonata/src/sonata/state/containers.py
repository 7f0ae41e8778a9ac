"""Rows of containers."""

from __future__ import annotations

import time

from sonata.model.container import ContainerConfig
from sonata.state.rows import ContainerRow, ContainerState
from sonata_core import json_text as json
from sonata_core.codec import freeze, thaw
from sonata_core.errors import AlreadyExists, Damaged, InUse, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from sonata.state.db import Database, Row
else:
    from sonata_core.sqlite import sqlite3

EXIT_KEPT = 300
"""Seconds for which the exit code of a removed container can still be asked for."""

_SELECT = "SELECT container.config, container_state.state FROM container JOIN container_state USING (id)"


def insert(database: Database, config: ContainerConfig, state: ContainerState, uses: Uses) -> None:
    """A new container. Raises AlreadyExists for its name, NotFound for a container, volume or pod that it needs."""
    text = json.dumps(freeze(config))
    try:
        with database.transaction(durable=not config.auto_remove):
            if config.pod and database.one("SELECT 1 FROM pod WHERE id = ?", (config.pod,)) is None:
                raise NotFound(f"no pod with name or ID {config.pod} found: no such pod", name=config.pod)
            database.execute("INSERT INTO name VALUES (?, 'container', ?)", (config.name, config.id))
            database.execute(
                "INSERT INTO container VALUES (?, ?, ?, ?, ?, ?)",
                (config.id, config.name, time.time_ns(), config.image_id, config.pod, text),
            )
            _put_state(database, config.id, state)
            uses.write(database, config.id)
    except sqlite3.IntegrityError as error:
        raise _name_taken(database, config.name) from error


class Uses:
    """What a container refers to: other containers, volumes, networks."""

    def __init__(self, needs: Iterable[str] = (), volumes: Iterable[str] = (), networks: Iterable[str] = ()) -> None:
        self.needs = tuple(dict.fromkeys(needs))
        self.volumes = tuple(dict.fromkeys(volumes))
        self.networks = tuple(dict.fromkeys(networks))

    def write(self, database: Database, container: str) -> None:
        """Rows for each, inside the open transaction."""
        for needed in self.needs:
            database.execute("INSERT INTO needs VALUES (?, ?)", (container, needed))
        for volume in self.volumes:
            database.execute("INSERT INTO uses_volume VALUES (?, ?)", (container, volume))
        for network in self.networks:
            database.execute("INSERT INTO uses_network VALUES (?, ?)", (container, network))


def get(database: Database, container: str) -> ContainerRow:
    """A container by its full id. Raises NotFound."""
    found = database.one(f"{_SELECT} WHERE container.id = ?", (container,))
    if found is None:
        raise missing(container)
    return _row(found)


def find(database: Database, text: str) -> ContainerRow:
    """A container by full id, name, or unique prefix of its id. Raises NotFound, UsageError."""
    found = database.query(f"{_SELECT} WHERE container.id = ?1 OR container.name = ?1", (text,))
    if not found and text and all(char in "0123456789abcdef" for char in text):
        found = database.query(f"{_SELECT} WHERE container.id >= ? AND container.id < ? LIMIT 2", (text, text + "g"))
        if len(found) > 1:
            raise UsageError(f"more than one result for container ID {text}: container already exists")
    if not found:
        raise missing(text)
    return _row(found[0])


def missing(text: str) -> NotFound:
    """The error for a container that is not there."""
    return NotFound(f'no container with name or ID "{text}" found: no such container', name=text)


def listed(database: Database) -> list[ContainerRow]:
    """All containers, oldest first."""
    return [_row(found) for found in database.query(f"{_SELECT} ORDER BY container.created, container.id")]


def of_pod(database: Database, pod: str) -> list[ContainerRow]:
    """The containers of a pod, by its id, oldest first: the infra container leads."""
    query = f"{_SELECT} WHERE container.pod = ? AND container.pod <> '' ORDER BY container.created, container.id"
    return [_row(found) for found in database.query(query, (pod,))]


def unreadable(database: Database) -> dict[str, str]:
    """Ids of containers whose row nobody can read, and why."""
    found: dict[str, str] = {}
    for ident, *row in database.query(_SELECT.replace("SELECT ", "SELECT id, ", 1)):
        try:
            _row(tuple(row))
        except Damaged as error:
            found[ident] = error.message
    return found


def ids(database: Database) -> list[str]:
    """All ids, oldest first."""
    return [row[0] for row in database.query("SELECT id FROM container ORDER BY created, id")]


def put_state(database: Database, container: str, state: ContainerState, *, durable: bool = True) -> None:
    """Replace what a container does now. Raises NotFound if it was removed meanwhile.

    Not `durable`: what is void after a power cut anyway, and what is on the way to something else.
    """
    with database.transaction(durable=durable):
        _put_state(database, container, state)


def _put_state(database: Database, container: str, state: ContainerState) -> None:
    values = (container, state.phase, state.boot, json.dumps(freeze(state)))
    try:
        database.execute("INSERT OR REPLACE INTO container_state VALUES (?, ?, ?, ?)", values)
    except sqlite3.IntegrityError as error:
        raise missing(container) from error


def put_config(database: Database, config: ContainerConfig) -> None:
    """Store a new revision of a container's configuration; a new name must be free."""
    try:
        with database.transaction():
            database.execute("DELETE FROM name WHERE id = ?", (config.id,))
            database.execute("INSERT INTO name VALUES (?, 'container', ?)", (config.name, config.id))
            database.execute(
                "UPDATE container SET name = ?, config = ? WHERE id = ?",
                (config.name, json.dumps(freeze(config)), config.id),
            )
    except sqlite3.IntegrityError as error:
        raise _name_taken(database, config.name) from error


def set_networks(database: Database, container: str, networks: Iterable[str]) -> None:
    """Replace the list of networks that a container is on."""
    with database.transaction():
        database.execute("DELETE FROM uses_network WHERE container = ?", (container,))
        for network in dict.fromkeys(networks):
            database.execute("INSERT INTO uses_network VALUES (?, ?)", (container, network))


def remove(database: Database, container: str, exit_code: int | None, *, durable: bool = True) -> None:
    """Forget a container; its exit code can be asked for a while longer. Raises InUse if another needs it."""
    now = time.time_ns()
    try:
        with database.transaction(durable=durable):
            database.execute("DELETE FROM name WHERE id = ?", (container,))
            database.execute("DELETE FROM lease WHERE container = ?", (container,))
            database.execute("DELETE FROM port WHERE container = ?", (container,))
            database.execute("DELETE FROM container WHERE id = ?", (container,))
            database.execute("DELETE FROM exit WHERE time < ?", (now - EXIT_KEPT * 10**9,))
            if exit_code is not None:
                database.execute("INSERT OR REPLACE INTO exit VALUES (?, ?, ?)", (container, exit_code, now))
    except sqlite3.IntegrityError as error:
        others = dependents(database, container)
        raise InUse(
            f"container {container} has dependent containers which must be removed before it: "
            f"{', '.join(others)}: container already exists",
            hint="`sonata rm --depend` removes them too",
        ) from error


def dependents(database: Database, container: str) -> list[str]:
    """Ids of the containers that need this one."""
    return [row[0] for row in database.query("SELECT container FROM needs WHERE needed = ?", (container,))]


def needed_by(database: Database, container: str) -> list[str]:
    """Ids of the containers that this one needs."""
    return [row[0] for row in database.query("SELECT needed FROM needs WHERE container = ?", (container,))]


def exit_code(database: Database, container: str) -> int | None:
    """The exit code of a container that was removed a short while ago."""
    found = database.one("SELECT code FROM exit WHERE id = ?", (container,))
    return None if found is None else int(found[0])


def using_image(database: Database, image: str) -> list[str]:
    """Ids of the containers made from an image."""
    return [row[0] for row in database.query("SELECT id FROM container WHERE image_id = ?", (image,))]


def mounting_image(database: Database, image: str) -> list[str]:
    """Ids of the containers that have an image among their mounts."""
    text = f'%"image_id": "{image}"%'
    return [row[0] for row in database.query("SELECT id FROM container WHERE config LIKE ?", (text,))]


def name_owner(database: Database, name: str) -> str | None:
    """The id of what has this name."""
    found = database.one("SELECT id FROM name WHERE name = ?", (name,))
    return None if found is None else str(found[0])


def _name_taken(database: Database, name: str) -> AlreadyExists:
    owner = name_owner(database, name)
    return AlreadyExists(
        f'creating container storage: the container name "{name}" is already in use by {owner}. '
        "You have to remove that container to be able to reuse that name: that name is already in use, "
        "or use --replace to instruct Sonata to do so.",
        hint="`--replace` removes the other container first",
        name=name,
    )


def _row(found: Row) -> ContainerRow:
    try:
        config = thaw(ContainerConfig, json.loads(found[0]))
        return ContainerRow(config=config, state=thaw(ContainerState, json.loads(found[1])))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged(
            f"what the state database has of a container cannot be read: {error}", hint="run `sonata system check`"
        ) from error
