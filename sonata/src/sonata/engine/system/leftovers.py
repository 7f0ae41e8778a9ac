"""Files, namespaces, cgroups, monitors, leases and ports of containers that are no more."""

from __future__ import annotations

import os
import time
from functools import partial

from sonata.engine.containers.recovery import command_lines
from sonata.engine.paths import store_tag
from sonata.engine.storage import unmount
from sonata.host import cgroups, mounts, netns, process
from sonata.image.partial import PartialUse
from sonata.image.transfer import partial_folder
from sonata.state import containers as rows
from sonata.state import objects, pods
from sonata.store.check import Finding
from sonata_core.errors import ExternalFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine

    Found = Iterator[tuple[Finding, Callable[[], object] | None]]

_PARENT = "/libpod_parent"
_SETTLED = 60.0
"""Seconds after which an empty cgroup is not one that a runtime is just making."""
_ID_LENGTH = 64


def find_live(engine: Engine) -> Found:
    """What is alive and no row accounts for: monitors, namespaces, mounts. It goes before the files that it holds."""
    ids = set(rows.ids(engine.database))
    yield from _monitors(engine, ids)
    yield from _namespaces(engine, ids)
    yield from _roots(engine, ids)
    yield from _mounts(engine, ids)


def find(engine: Engine) -> Found:
    """Rows, groups and files that no container accounts for.

    Nothing is changed before the function beside a finding is called.
    """
    ids = set(rows.ids(engine.database))
    yield from _tables(engine, ids)
    yield from _cgroups(engine, ids)
    yield from _files(engine, ids)
    yield from _locks(engine, ids)
    yield from _partials(engine)
    yield from _volumes(engine)


def _is_id(name: str) -> bool:
    return len(name) == _ID_LENGTH and all(char in "0123456789abcdef" for char in name)


def _known(engine: Engine, ids: set[str]) -> set[str]:
    """Containers of ours, and those that other engines keep in the same store."""
    return ids | {str(record.id) for record in engine.store.containers()}


def _free(engine: Engine, ident: str) -> bool:
    """Nobody is at work on it."""
    held = engine.locks.try_hold(ident)
    if held is None:
        return False
    engine.locks.forget(ident)
    held.release()
    return True


def _monitors(engine: Engine, ids: set[str]) -> Found:
    exits = f"{engine.config.paths.run_dir}/exits".encode()
    for pid, words in command_lines():
        if os.path.basename(words[0]) != b"conmon" or exits not in words or b"-c" not in words:
            continue
        ident = words[words.index(b"-c") + 1].decode(errors="replace")
        if ident in ids or not _is_id(ident) or not _free(engine, ident):
            continue
        started = process.start_time(pid)
        finding = Finding(
            kind="monitor",
            what="monitor of a container that is no more",
            subject=str(pid),
            evidence=f"conmon watches {ident}, which has no row",
            repair="end it and the container's processes",
        )
        yield finding, partial(_end_monitor, engine, pid, started, ident)


def _end_monitor(engine: Engine, pid: int, started: int, ident: str) -> None:
    process.send(pid, started, 9)
    group = f"{_PARENT}/libpod-{ident}"
    for one in cgroups.processes(group):
        process.send(one, process.start_time(one), 9)
    cgroups.remove(group)
    engine.log.info("monitor_ended", container=ident, pid=pid)


def _namespaces(engine: Engine, ids: set[str]) -> Found:
    """Network namespaces with this store's tag that no container names."""
    start = f"netns-{store_tag(engine.config.storage.graph_root)}-"
    used = {row.state.netns for row in rows.listed(engine.database)} if ids else set()
    for name in _names(engine.config.paths.netns_dir):
        path = f"{engine.config.paths.netns_dir}/{name}"
        if name.startswith(start) and path not in used:
            finding = Finding(
                kind="namespace",
                what="network namespace of a container that is no more",
                subject=path,
                evidence="it carries this store's tag, and no container has it",
                repair="let it go",
            )
            yield finding, partial(netns.remove, engine.kernel, path)


def _roots(engine: Engine, ids: set[str]) -> Found:
    """Root filesystems that were shown to the root of a user namespace, of containers that no record names."""
    from sonata.engine.containers import userns

    for ident in userns.lost(engine, ids):
        if not _free(engine, ident):
            continue
        finding = Finding(
            kind="mount",
            what="root filesystem shown for a container that is no more",
            subject=f"{engine.config.paths.roots_dir}: {ident}",
            evidence="it carries this store's tag, and no container has it",
            repair="unmount it",
        )
        yield finding, partial(userns.let_go, engine, ident)


def _mounts(engine: Engine, ids: set[str]) -> Found:
    """Mounts in the folders of containers that no record names."""
    storage = engine.config.storage
    known = _known(engine, ids)
    for root in {storage.graph_root, storage.run_root}:
        folder = f"{root}/{engine.driver}-containers/"
        for one in reversed(mounts.mounts_below(root)):
            if not one.target.startswith(folder):
                continue
            ident = one.target[len(folder) :].split("/", 1)[0]
            if ident in known:
                continue
            finding = Finding(
                kind="mount",
                what="mount of a container that is no more",
                subject=one.target,
                evidence=f"no record and no row of {ident}",
                repair="unmount it",
            )
            yield finding, partial(unmount, engine, one.target)


def _tables(engine: Engine, ids: set[str]) -> Found:
    """Addresses and ports that nobody holds, executions of nobody, names of nothing."""
    for table, column, what in (
        ("lease", "address", "address held by a container that is no more"),
        ("port", "port", "host port held by a container that is no more"),
    ):
        for key, owner in engine.database.query(f"SELECT {column}, container FROM {table}"):  # noqa: S608
            if owner in ids:
                continue
            finding = Finding(
                kind=table, what=what, subject=str(key), evidence=f"no container {owner}", repair="give it back"
            )
            yield finding, partial(_delete, engine, table, "container", owner)
    for name, ident in engine.database.query("SELECT name, id FROM name WHERE kind = 'container'"):
        if ident not in ids:
            finding = Finding(
                kind="name", what="name of nothing", subject=name, evidence=f"no container {ident}", repair="free it"
            )
            yield finding, partial(_delete, engine, "name", "name", name)


def _delete(engine: Engine, table: str, column: str, value: str) -> None:
    with engine.database.transaction():
        # The two names are constants of this file.
        engine.database.execute(f"DELETE FROM {table} WHERE {column} = ?", (value,))  # noqa: S608


def _cgroups(engine: Engine, ids: set[str]) -> Found:
    """Empty groups of containers that nobody knows. Other engines use the same parent: what is ours, conmon's files in
    our own run folder tell."""
    known = _known(engine, ids)
    run = engine.config.paths.run_dir
    ours = {*_names(f"{run}/exits"), *_names(f"{run}/persist")}
    seen: set[str] = set()
    for tree in cgroups.trees():
        for name in _names(f"{tree}{_PARENT}"):
            ident = name.removeprefix("libpod-")
            path = f"{tree}{_PARENT}/{name}"
            if ident in seen or not name.startswith("libpod-") or ident not in ours or ident in known:
                continue
            if _age(path) < _SETTLED or cgroups.processes(f"{_PARENT}/{name}"):
                continue
            seen.add(ident)
            finding = Finding(
                kind="cgroup",
                what="cgroup of a container that is no more",
                subject=path,
                evidence="no process is in it, no record names the container, and Sonata's monitor left files of it",
                repair="remove it",
            )
            yield finding, partial(cgroups.remove, f"{_PARENT}/{name}")


def _files(engine: Engine, ids: set[str]) -> Found:
    """Exit files, what conmon keeps, bundles and run folders."""
    run = engine.config.paths.run_dir
    for folder, what in ((f"{run}/exits", "exit file"), (f"{run}/persist", "monitor's folder")):
        yield from _strays(engine, folder, ids, what)
    storage = engine.config.storage
    known = _known(engine, ids)
    for root in (storage.graph_root, storage.run_root):
        yield from _strays(engine, f"{root}/{engine.driver}-containers", known, "container's folder")


def _strays(engine: Engine, folder: str, known: set[str], what: str) -> Found:
    for name in _names(folder):
        ident = name.partition(".")[0]
        if not _is_id(ident) or ident in known or not _free(engine, ident):
            continue
        finding = Finding(
            kind="file",
            what=f"{what} of a container that is no more",
            subject=f"{folder}/{name}",
            evidence="no row and no record names it",
            repair="remove it",
        )
        yield finding, partial(_clear, engine, f"{folder}/{name}")


def _clear(engine: Engine, path: str) -> None:
    mounts.unmount_below(engine.kernel, path)
    remove_tree(path)


def _locks(engine: Engine, ids: set[str]) -> Found:
    """Lock files of what is no more. Whoever waits for one notices that it was replaced."""
    volumes = {f"volume-{volume.name}" for volume in objects.volumes(engine.database)}
    ids = ids | pods.names(engine.database).keys()
    for name in _names(engine.locks.folder):
        ours = _is_id(name) or name.startswith("volume-")
        if not ours or name in ids or name in volumes:
            continue
        held = engine.locks.try_hold(name)
        if held is None:
            continue
        held.release()
        finding = Finding(
            kind="lock",
            what="lock file of what is no more",
            subject=f"{engine.locks.folder}/{name}",
            evidence="no row names it, and nobody holds it",
            repair="remove it",
        )
        yield finding, partial(_drop_lock, engine, name)


def _drop_lock(engine: Engine, name: str) -> None:
    held = engine.locks.try_hold(name)
    if held is not None:
        engine.locks.forget(name)
        held.release()


def _partials(engine: Engine) -> Found:
    """Files beside the partial blobs that belong to none."""
    folder = partial_folder(engine.config.storage.graph_root)
    blobs = {digest.replace(":", "-", 1) for digest, _, _ in PartialUse(folder).entries()}
    for name in _names(folder):
        if name.partition(".")[0] in blobs:
            continue
        finding = Finding(
            kind="partial",
            what="file in the folder of partial blobs that is none",
            subject=f"{folder}/{name}",
            evidence="its name is no digest, or the blob is gone",
            repair="remove it",
        )
        yield finding, partial(remove_tree, f"{folder}/{name}")


def _volumes(engine: Engine) -> Found:
    """Volumes whose folder is gone. A folder without a row is another engine's."""
    for volume in objects.volumes(engine.database):
        if not volume.mountpoint or os.path.isdir(volume.mountpoint):
            continue  # a driver outside has the first kind's folder
        finding = Finding(
            kind="volume",
            what="volume without its folder",
            subject=volume.name,
            evidence=f"{volume.mountpoint} is gone, and with it the content",
            repair="make an empty folder",
        )
        yield finding, partial(_make_folder, volume)


def _make_folder(volume: objects.Volume) -> None:
    try:
        os.makedirs(volume.mountpoint, 0o755)
        os.chown(volume.mountpoint, volume.uid, volume.gid)
    except OSError as error:
        raise ExternalFailure(f"making {volume.mountpoint}: {error.strerror}") from error


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _age(path: str) -> float:
    try:
        return time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0
