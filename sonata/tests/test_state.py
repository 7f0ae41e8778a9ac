"""The state database: rows, names, leases, ports, locks; many processes at once; a full disk."""

import multiprocessing
import os
import sqlite3

import pytest

from sonata.model.container import (
    Backends,
    ContainerConfig,
    LogConfig,
    NamespaceChoice,
    NamespaceKind,
    Namespaces,
    NetworkConfig,
    NetworkMode,
    ProcessConfig,
)
from sonata.model.pod import PodConfig
from sonata.state import containers, db, intents, leases, objects, pods, sessions
from sonata.state.containers import Uses
from sonata.state.db import Database
from sonata.state.locks import Locks
from sonata.state.rows import ContainerState, ExecState
from sonata_core.errors import AlreadyExists, Conflict, Damaged, HostLacks, InUse, NotFound, Unavailable, UsageError
from sonata_core.models.net import NetworkDefinition


def config(ident: str, name: str) -> ContainerConfig:
    private = NamespaceChoice(kind=NamespaceKind.PRIVATE)
    return ContainerConfig(
        id=ident,
        name=name,
        created="2026-01-01T00:00:00Z",
        process=ProcessConfig(args=("true",)),
        namespaces=Namespaces(cgroup=private, ipc=private, network=private, pid=private, user=private, uts=private),
        network=NetworkConfig(mode=NetworkMode.NONE),
        log=LogConfig(driver="k8s-file"),
        backends=Backends(runtime="crun", storage="overlay"),
    )


@pytest.fixture
def database(tmp_path):
    opened = Database(str(tmp_path / "state.db"), {"graph_root": "/g"})
    yield opened
    opened.close()


def add(database, ident: str, name: str, **uses) -> None:
    containers.insert(database, config(ident, name), ContainerState(phase="configured"), Uses(**uses))


def test_a_container_is_found_by_id_name_and_prefix(database) -> None:
    add(database, "ab" * 32, "one")
    add(database, "ac" * 32, "two")
    assert containers.find(database, "ab" * 32).config.name == "one"
    assert containers.find(database, "two").config.id == "ac" * 32
    assert containers.find(database, "aba").config.name == "one"
    with pytest.raises(UsageError, match="more than one result"):
        containers.find(database, "a")
    with pytest.raises(NotFound, match='no container with name or ID "x" found: no such container'):
        containers.find(database, "x")
    assert containers.get(database, "ab" * 32).config == config("ab" * 32, "one")


def test_names_are_unique_and_renaming_moves_them(database) -> None:
    add(database, "ab" * 32, "one")
    with pytest.raises(AlreadyExists, match='the container name "one" is already in use by abab'):
        add(database, "ac" * 32, "one")
    containers.put_config(database, config("ab" * 32, "three"))
    add(database, "ac" * 32, "one")
    assert containers.name_owner(database, "three") == "ab" * 32


def test_removal_is_guarded_and_leaves_the_exit_code(database) -> None:
    add(database, "ab" * 32, "one")
    add(database, "ac" * 32, "two", needs=["ab" * 32])
    with pytest.raises(InUse, match="dependent containers"):
        containers.remove(database, "ab" * 32, 0)
    containers.remove(database, "ac" * 32, 7)
    containers.remove(database, "ab" * 32, None)
    assert containers.exit_code(database, "ac" * 32) == 7
    assert containers.exit_code(database, "ab" * 32) is None
    assert containers.ids(database) == []


def test_state_of_a_removed_container_cannot_be_written(database) -> None:
    with pytest.raises(NotFound):
        containers.put_state(database, "ab" * 32, ContainerState(phase="running"))


def test_volumes_in_use_stay(database) -> None:
    objects.add_volume(database, objects.Volume(name="v"))
    add(database, "ab" * 32, "one", volumes=["v"])
    with pytest.raises(InUse, match="being used by the following container"):
        objects.remove_volume(database, "v")
    containers.remove(database, "ab" * 32, None)
    objects.remove_volume(database, "v")
    with pytest.raises(NotFound, match="no such volume"):
        objects.find_volume(database, "v")


def test_no_address_and_no_port_twice_within_a_boot(database) -> None:
    with database.transaction():
        leases.hold(database, leases.Lease(network="n", address="10.0.0.2", container="a"), "b1", "10.0.0.0/24")
    assert leases.last(database, "n", "10.0.0.0/24") == "10.0.0.2"
    with pytest.raises(Conflict, match="already allocated to container ID a"), database.transaction():
        leases.hold(database, leases.Lease(network="n", address="10.0.0.2", container="c"), "b1", "")
    with database.transaction():
        leases.hold(database, leases.Lease(network="n", address="10.0.0.2", container="c"), "b2", "")
    leases.hold_ports(database, "a", "b1", [("tcp", "", 80)])
    with pytest.raises(Conflict, match="address already in use"):
        leases.hold_ports(database, "c", "b1", [("tcp", "127.0.0.1", 80)])
    leases.hold_ports(database, "c", "b1", [("udp", "127.0.0.1", 80)])
    leases.release_all(database, "a")
    leases.hold_ports(database, "d", "b1", [("tcp", "127.0.0.1", 80)])


def test_networks_intents_and_sessions_come_back_as_they_went(database) -> None:
    definition = NetworkDefinition(name="n", id="1" * 64)
    objects.add_network(database, definition)
    assert objects.networks(database) == [definition]
    with pytest.raises(AlreadyExists, match="network already exists"):
        objects.add_network(database, definition)
    intents.put(database, intents.Intent(id="x", kind="launch", detail={"pid": 1}))
    assert intents.pending(database)[0].detail == {"pid": 1}
    intents.done(database, "x", "launch")
    assert intents.pending(database) == []
    add(database, "ab" * 32, "one")
    sessions.put(database, ExecState(id="e", container="ab" * 32, command=("sh",)))
    assert sessions.of_container(database, "ab" * 32)[0].command == ("sh",)


def test_an_error_inside_a_transaction_undoes_it(database) -> None:
    with pytest.raises(KeyError), database.transaction():
        database.execute("INSERT INTO meta VALUES ('k', 'v')")
        raise KeyError
    assert database.one("SELECT value FROM meta WHERE key = 'k'") is None
    assert not database.busy


def test_a_newer_schema_is_refused_and_rubbish_is_damage(tmp_path) -> None:
    newer = tmp_path / "newer.db"
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HostLacks, match="schema 99"):
        Database(str(newer), {}).query("SELECT 1")
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Damaged):
        Database(str(tmp_path / "bad.db"), {}).query("SELECT 1")


def test_an_older_schema_is_brought_up_to_date(tmp_path) -> None:
    older = tmp_path / "older.db"
    first = os.path.join(os.path.dirname(db.__file__), "schema", "0001.sql")
    connection = sqlite3.connect(older)
    with open(first, encoding="utf-8") as script:
        connection.executescript(script.read())
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO volume VALUES ('kept', 1, '{\"name\": \"kept\"}')")
    connection.commit()
    connection.close()
    database = Database(str(older), {})
    assert pods.listed(database) == []
    assert objects.find_volume(database, "kept").name == "kept"
    assert database.one("PRAGMA user_version") == (db.SCHEMA,)
    database.close()


def test_pods_are_found_and_go_only_when_they_are_empty(database) -> None:
    one = PodConfig(id="ab" * 32, name="one", created="2026-01-01T00:00:00Z", share=("net",), labels={"a": "b"})
    pods.insert(database, one)
    with pytest.raises(AlreadyExists, match='name "one" is in use: pod already exists'):
        pods.insert(database, one.replace(id="cd" * 32))
    assert pods.find(database, "one") == pods.find(database, "ababab") == pods.get(database, one.id) == one
    for text in ("two", "cd"):
        with pytest.raises(NotFound, match=f"no pod with name or ID {text} found: no such pod"):
            pods.find(database, text)
    pods.insert(database, one.replace(id="ac" * 32, name="two"))
    with pytest.raises(UsageError, match="more than one result"):
        pods.find(database, "a")
    # A container may have the name of a pod; it joins none that is gone.
    member = config("ee" * 32, "one").replace(pod=one.id)
    containers.insert(database, member, ContainerState(phase="configured"), Uses())
    assert [row.config.id for row in containers.of_pod(database, one.id)] == [member.id]
    with pytest.raises(InUse):
        pods.remove(database, one.id)
    containers.remove(database, member.id, None)
    pods.remove(database, one.id)
    pods.remove(database, one.id)
    assert pods.names(database) == {"ac" * 32: "two"}
    with pytest.raises(NotFound, match="no such pod"):
        containers.insert(database, member, ContainerState(phase="configured"), Uses())


def _crowd(path: str, number: int) -> None:
    database = Database(path, {})
    for turn in range(4):
        ident = f"{number * 10 + turn:064x}"
        add(database, ident, f"c{number}-{turn}")
        containers.listed(database)
        containers.put_state(database, ident, ContainerState(phase="running"))
        if turn % 2:
            containers.remove(database, ident, 0)
    database.close()


@pytest.mark.heavy
def test_fifty_processes_at_once_lose_nothing(tmp_path) -> None:
    path = str(tmp_path / "state.db")
    context = multiprocessing.get_context("fork")
    crowd = [context.Process(target=_crowd, args=(path, number)) for number in range(50)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert [one.exitcode for one in crowd] == [0] * 50
    database = Database(path, {})
    assert len(containers.listed(database)) == 100
    database.close()


@pytest.mark.needs_root
def test_a_full_disk_is_an_error_that_says_so_and_loses_nothing(tmp_path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    os.system(f"mount -t tmpfs -o size=512k tmpfs {small}")
    database = Database(str(small / "state.db"), {})
    try:
        add(database, "ab" * 32, "one")
        (small / "ballast").write_bytes(b"")
        with pytest.raises(Unavailable, match=r"full|disk I/O"):
            with open(small / "ballast", "wb", buffering=0) as ballast:
                try:
                    while True:
                        ballast.write(b"x" * 4096)
                except OSError:
                    pass
            for number in range(1000):
                add(database, f"{number:064x}", f"n{number}")
        (small / "ballast").unlink()
        assert containers.find(database, "one")
        add(database, "ac" * 32, "afterwards")
    finally:
        database.close()
        os.system(f"umount {small}")


def test_locks_exclude_and_a_removed_lock_file_is_not_believed(tmp_path) -> None:
    locks = Locks(str(tmp_path / "locks"))
    with locks.hold("b", "a"):
        assert locks.try_hold("a") is None
    held = locks.try_hold("a")
    assert held is not None
    locks.forget("a")
    held.release()
    with locks.hold("a"):
        assert locks.try_hold("a") is None


def test_a_lock_tried_for_what_is_no_more_leaves_no_file(tmp_path) -> None:
    locks = Locks(str(tmp_path / "locks"))
    held = locks.try_hold("gone")
    assert held is not None
    assert locks.names() == ["gone"]
    held.release()
    assert locks.names() == []
    with locks.hold("kept"):
        pass
    held = locks.try_hold("kept")
    assert held is not None
    held.release()
    assert locks.names() == ["kept"]
    held = locks.try_hold("gone")
    assert held is not None
    locks.forget("gone")
    with locks.hold("gone"):
        held.release()
        assert locks.try_hold("gone") is None, "the file of a newcomer stays"


def test_only_what_is_to_be_durable_waits_for_the_disk(database) -> None:
    for durable, mode in ((False, 1), (True, 2), (False, 1)):
        with database.transaction(durable=durable):
            assert database.one("PRAGMA synchronous") == (mode,)
            with database.transaction():
                assert database.one("PRAGMA synchronous") == (mode,), "an inner transaction shares the outer one's"


def test_a_writer_gets_in_soon_after_another_leaves(database, tmp_path) -> None:
    import threading
    import time

    from sonata.state.db import Database

    other = Database(database.path, {})
    other.query("SELECT 1")
    waited: list[float] = []

    def write() -> None:
        with other.transaction():
            waited.append(time.monotonic())

    with database.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.4)
    left = time.monotonic()
    thread.join(10)
    other.close()
    # SQLite's own steps are at 100 ms by now.
    assert waited and waited[0] - left < 0.08
