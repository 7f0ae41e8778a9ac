"""`mount` and `unmount`: a container's root filesystem where people and programs of the host can reach it."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.containers import lookup, present
from sonata.host import mounts
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata.store.mountpoints import read_counts
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ContainerId
from sonata_core.models.storage import MountOptions

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

_IN_USE = (Phase.INITIALISING, Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING)


def require(engine: Engine) -> None:
    """Raises Unsupported where mounts would not be seen by whoever asks."""
    storage.require_lasting_mounts(engine, "", "`sonata cp`")


def mount(engine: Engine, container: str) -> str:
    """Mount a container, or count one more user of its mount; where it is. Raises NotFound, Conflict, Unsupported."""
    require(engine)
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        lifecycle.require(Phase(row.state.phase), Verb.MOUNT, row.config.id)
        config = row.config
        if config.rootfs:
            return row.state.mountpoint or config.rootfs
        options = MountOptions(volatile=config.auto_remove, id_mapping=config.id_mapping)
        path = storage.mount_container(engine, config.id, options)
    events.container(engine, config, "mount")
    return path


def unmount(engine: Engine, container: str, *, force: bool = False) -> str:
    """Take one use of a container's mount back, with `force` all; its id. Not mounted is success.

    What the container itself uses while it lives stays. Raises NotFound.
    """
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        if row.config.rootfs:
            return row.config.id
        alive = row.state.phase in _IN_USE
        while (count := _mounted(engine, row)[1]) > alive:
            storage.unmount_container(engine, row.config.id)
            if not force or count == 1:
                break
    events.container(engine, row.config, "unmount")
    return row.config.id


def mounted(engine: Engine) -> list[tuple[ContainerRow, str]]:
    """Containers that are mounted, oldest first, and where."""
    counts = read_counts(engine.store.place)
    layers = {record.id: record.layer for record in engine.store.containers()}
    found = []
    for row in rows.listed(engine.database):
        path, count = counts.get(str(layers.get(ContainerId(row.config.id))), ("", 0))
        if count and mounts.is_mounted(path):
            found.append((row, path))
    return found


def _mounted(engine: Engine, row: ContainerRow) -> tuple[str, int]:
    record = engine.store.find_container(row.config.id)
    return read_counts(engine.store.place).get(str(record.layer), ("", 0)) if record is not None else ("", 0)
