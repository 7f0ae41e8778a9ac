"""Rows of networks and volumes."""

from __future__ import annotations

import time

from sonata_core import json_text as json
from sonata_core.codec import freeze, thaw
from sonata_core.errors import AlreadyExists, InUse, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.net import NetworkDefinition
from sonata_core.record import Record

if TYPE_CHECKING:
    import sqlite3

    from sonata.state.db import Database
else:
    from sonata_core.sqlite import sqlite3


class Volume(Record):
    """A named folder that outlives containers. `mountpoint` is where its content lies."""

    name: str
    driver: str = "local"
    mountpoint: str = ""
    created: int = 0
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    uid: int = 0
    gid: int = 0
    anonymous: bool = False
    fresh: bool = True
    """Nothing was copied into it yet: while it is empty, a container fills it with what its image has at its place."""
    unowned: bool = False
    """Nobody said whose it is: while it is empty, it takes the owner that the container wants."""
    size: int = 0
    """Bytes that it may take, by project quota; 0: no bound."""
    inodes: int = 0
    timeout: int = 0
    """Seconds to wait for its driver; 0: as configured."""
    storage_id: str = ""
    """Of the driver `image`: the container of the store that holds its layer."""
    holders: dict[str, int] = {}
    """Of a volume that is mounted: container → how often it uses it; `""`: `volume mount`."""
    boot: str = ""
    """The boot that `holders` and `mounted_at` are of."""
    mounted_at: str = ""
    """Where its driver has mounted it."""


def add_network(database: Database, definition: NetworkDefinition) -> None:
    """A new network. Raises AlreadyExists."""
    try:
        with database.transaction():
            row = (definition.name, definition.id, json.dumps(freeze(definition)))
            database.execute("INSERT INTO network VALUES (?, ?, ?)", row)
    except sqlite3.IntegrityError as error:
        text = f"network name {definition.name} already used: network already exists"
        raise AlreadyExists(text, name=definition.name) from error


def put_network(database: Database, definition: NetworkDefinition) -> None:
    """Store a network's changed definition. Absent is success."""
    with database.transaction():
        row = (json.dumps(freeze(definition)), definition.name)
        database.execute("UPDATE network SET definition = ? WHERE name = ?", row)


def networks(database: Database) -> list[NetworkDefinition]:
    """All networks, by name."""
    rows = database.query("SELECT definition FROM network ORDER BY name")
    return [thaw(NetworkDefinition, json.loads(row[0])) for row in rows]


def remove_network(database: Database, name: str) -> None:
    """Forget a network. Absent is success."""
    with database.transaction():
        database.execute("DELETE FROM network WHERE name = ?", (name,))


def containers_on(database: Database, network: str) -> list[str]:
    """Ids of the containers that are on a network, by its name."""
    return [row[0] for row in database.query("SELECT container FROM uses_network WHERE network = ?", (network,))]


def add_volume(database: Database, volume: Volume) -> None:
    """A new volume. Raises AlreadyExists."""
    try:
        with database.transaction():
            row = (volume.name, volume.created or time.time_ns(), json.dumps(freeze(volume)))
            database.execute("INSERT INTO volume VALUES (?, ?, ?)", row)
    except sqlite3.IntegrityError as error:
        text = f"volume with name {volume.name} already exists: volume already exists"
        raise AlreadyExists(text, name=volume.name) from error


def put_volume(database: Database, volume: Volume, *, durable: bool = True) -> None:
    """Store a volume's changed record. Not `durable`: what a reboot ends anyway."""
    with database.transaction(durable=durable):
        database.execute("UPDATE volume SET definition = ? WHERE name = ?", (json.dumps(freeze(volume)), volume.name))


def volumes(database: Database) -> list[Volume]:
    """All volumes, by name."""
    return [thaw(Volume, json.loads(row[0])) for row in database.query("SELECT definition FROM volume ORDER BY name")]


def find_volume(database: Database, text: str) -> Volume:
    """A volume by name or unique prefix of it. Raises NotFound, UsageError."""
    rows: list[Any] = database.query("SELECT definition FROM volume WHERE name = ?", (text,))
    if not rows and text:
        rows = database.query("SELECT definition FROM volume WHERE substr(name, 1, ?) = ?", (len(text), text))
        if len(rows) > 1:
            raise UsageError(f"more than one result for volume name {text}: volume already exists")
    if not rows:
        raise NotFound(f"no volume with name {json.dumps(text)} found: no such volume", name=text)
    return thaw(Volume, json.loads(rows[0][0]))


def volume_named(database: Database, name: str) -> Volume | None:
    """A volume by its full name, or None."""
    found = database.one("SELECT definition FROM volume WHERE name = ?", (name,))
    return None if found is None else thaw(Volume, json.loads(found[0]))


def volume_users(database: Database, name: str) -> list[str]:
    """Ids of the containers that use a volume."""
    return [row[0] for row in database.query("SELECT container FROM uses_volume WHERE volume = ?", (name,))]


def remove_volume(database: Database, name: str) -> None:
    """Forget a volume. Raises InUse while a container refers to it."""
    try:
        with database.transaction():
            database.execute("DELETE FROM volume WHERE name = ?", (name,))
    except sqlite3.IntegrityError as error:
        users = ", ".join(volume_users(database, name))
        raise InUse(
            f"volume {name} is being used by the following container(s): {users}: volume is being used",
            hint="`--force` removes the containers too",
        ) from error
