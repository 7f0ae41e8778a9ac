"""Addresses and host ports that containers hold while they run. No address and no port twice."""

from __future__ import annotations

from sonata_core.errors import Conflict
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from sonata.state.db import Database
else:
    from sonata_core.sqlite import sqlite3


class Lease(Record):
    """An address of a network, held by a container."""

    network: str
    address: str
    container: str


def taken(database: Database, network: str, boot: str) -> dict[str, str]:
    """Addresses of a network that are held, each with its container. Other boots' leases are void."""
    rows = database.query("SELECT address, container FROM lease WHERE network = ? AND boot = ?", (network, boot))
    return {address: container for address, container in rows}


def last(database: Database, network: str, subnet: str) -> str:
    """The address that was given last, `""` for none."""
    found = database.one("SELECT address FROM last_lease WHERE network = ? AND subnet = ?", (network, subnet))
    return "" if found is None else str(found[0])


def hold(database: Database, lease: Lease, boot: str, subnet: str) -> None:
    """Take an address, inside the open transaction. `subnet` empty: a static address, which moves nothing."""
    database.execute(
        "DELETE FROM lease WHERE network = ? AND address = ? AND boot <> ?", (lease.network, lease.address, boot)
    )
    try:
        database.execute("INSERT INTO lease VALUES (?, ?, ?, ?)", (lease.network, lease.address, lease.container, boot))
    except sqlite3.IntegrityError as error:
        owner = taken(database, lease.network, boot).get(lease.address, "")
        raise Conflict(
            f"IPAM error: requested ip address {lease.address} is already allocated to container ID {owner}"
        ) from error
    if subnet:
        database.execute("INSERT OR REPLACE INTO last_lease VALUES (?, ?, ?)", (lease.network, subnet, lease.address))


def release(database: Database, container: str, network: str = "") -> None:
    """Give a container's addresses back: all, or those of one network."""
    with database.transaction():
        if network:
            database.execute("DELETE FROM lease WHERE container = ? AND network = ?", (container, network))
        else:
            database.execute("DELETE FROM lease WHERE container = ?", (container,))


def forget_container(database: Database, container: str) -> None:
    """As `release`, inside the open transaction."""
    database.execute("DELETE FROM lease WHERE container = ?", (container,))


def held_by(database: Database, container: str) -> list[Lease]:
    """The addresses that a container holds."""
    rows = database.query("SELECT network, address FROM lease WHERE container = ?", (container,))
    return [Lease(network=network, address=address, container=container) for network, address in rows]


def forget_network(database: Database, network: str) -> None:
    """The network is gone: so are its leases."""
    with database.transaction():
        database.execute("DELETE FROM lease WHERE network = ?", (network,))
        database.execute("DELETE FROM last_lease WHERE network = ?", (network,))


def hold_ports(database: Database, container: str, boot: str, ports: Iterable[tuple[str, str, int]]) -> None:
    """Take host ports (protocol, address, port), all or none. Raises Conflict naming who has one.

    An address of `""` or `0.0.0.0` or `::` takes the port on every address.
    """
    with database.transaction(durable=False):
        database.execute("DELETE FROM port WHERE container = ? OR boot <> ?", (container, boot))
        for protocol, address, port in ports:
            rows = database.query(
                "SELECT address, container FROM port WHERE protocol = ? AND port = ?", (protocol, port)
            )
            for other_address, owner in rows:
                if _overlap(address, other_address):
                    raise Conflict(
                        f"cannot listen on the {protocol.upper()} port: listen {protocol}4 {address}:{port}: "
                        "bind: address already in use",
                        hint=f"container {owner[:12]} has it; stop that or choose another port",
                    )
            database.execute("INSERT INTO port VALUES (?, ?, ?, ?, ?)", (protocol, address, port, container, boot))


def release_all(database: Database, container: str) -> None:
    """Give a container's addresses and host ports back, if it has any."""
    query = "SELECT 1 FROM lease WHERE container = ?1 UNION ALL SELECT 1 FROM port WHERE container = ?1"
    if database.one(query, (container,)) is None:
        return
    with database.transaction(durable=False):
        database.execute("DELETE FROM lease WHERE container = ?", (container,))
        database.execute("DELETE FROM port WHERE container = ?", (container,))


def _overlap(one: str, other: str) -> bool:
    everywhere = ("", "0.0.0.0", "::")  # noqa: S104 - a name for every address, not a bind
    return one == other or one in everywhere or other in everywhere


def all_held(database: Database, boot: str) -> list[tuple[str, str, str]]:
    """Every lease of this boot: container, network, address."""
    query = "SELECT container, network, address FROM lease WHERE boot = ? ORDER BY container, network, address"
    return [
        (str(container), str(network), str(address)) for container, network, address in database.query(query, (boot,))
    ]


def all_ports(database: Database, boot: str) -> list[tuple[str, str, str, int]]:
    """Every host port that is taken in this boot: container, protocol, address, port."""
    query = "SELECT container, protocol, address, port FROM port WHERE boot = ? ORDER BY container, protocol, port"
    return [(str(one[0]), str(one[1]), str(one[2]), int(one[3])) for one in database.query(query, (boot,))]
