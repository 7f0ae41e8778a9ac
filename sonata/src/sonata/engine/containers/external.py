"""Containers of the store that other programs made, such as a build's: listed with `--external`, removed by `rm`."""

from __future__ import annotations

import json

from sonata.engine import storage
from sonata.host import mounts
from sonata.model.listing import ListedContainer
from sonata.model.times import nanoseconds
from sonata.state import containers as rows
from sonata_core.errors import Conflict, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerRef, MountOptions

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import ContainerRecord


def listed(engine: Engine) -> list[ListedContainer]:
    """Every one of them, as a row of `ps`."""
    ours = set(rows.ids(engine.database))
    return [_row(engine, record) for record in engine.store.containers() if record.id not in ours]


def find(engine: Engine, name: str) -> ContainerRecord | None:
    """One of them by name, id or id prefix; None for a container that is ours, or none."""
    found = engine.store.find_container(name)
    return None if found is None or found.id in set(rows.ids(engine.database)) else found


def remove(engine: Engine, record: ContainerRecord, *, force: bool) -> None:
    """Remove it from the store; while it is mounted only by `force`, while it runs never. Raises Conflict."""
    folder = f"{engine.config.storage.graph_root}/{engine.driver}-containers/{record.id}"
    if mounts.mounts_below(folder):
        # Its /dev/shm: half of it would be removed below its processes.
        raise Conflict(
            f'container "{record.id}" is running below another engine and cannot be removed: container state improper',
            hint=f"let that engine remove it: `podman rm -f {record.id[:12]}`",
        )
    if _is_mounted(engine, record):
        if not force:
            raise Conflict(
                f'container "{record.id}" is mounted and cannot be removed without using force: '
                "container state improper"
            )
        storage.unmount_container(engine, record.id, force=True)
    storage.delete_container(engine, record.id)


def _is_mounted(engine: Engine, record: ContainerRecord) -> bool:
    try:
        layer = engine.store.layer(record.layer)
    except NotFound:
        return False
    ref = LayerRef(store=layer.store, id=layer.id)
    return mounts.is_mounted(engine.storage.hook.storage_mounts(layer=ref, options=MountOptions()).root)


def _row(engine: Engine, record: ContainerRecord) -> ListedContainer:
    image = engine.store.find_image(record.image) if record.image else None
    # As Podman shows it: the name that leads the history, also when it was taken away.
    names = (image.names_history or image.names) if image else ()
    return ListedContainer(
        id=record.id,
        name=next(iter(record.data.get("names") or ()), ""),
        image=names[0] if names else "",
        image_id=record.image or "",
        command=(_maker(record),),
        created=nanoseconds(record.data.get("created") or "1970-01-01T00:00:00Z"),
        state="storage",
        exit_code=0,
        exited=False,
        exited_at=0,
        started_at=0,
        pid=0,
        restarts=0,
        labels={},
        mounts=(),
        networks=(),
        ports=(),
        exposed=(),
        auto_remove=False,
        cidfile="",
    )


def _maker(record: ContainerRecord) -> str:
    """What made it, as far as its metadata tell: buildah's have no name of a pod or image in them."""
    try:
        known = json.loads(record.data.get("metadata") or "{}")
    except ValueError:
        known = {}
    return "storage" if isinstance(known, dict) and "image-name" in known else "buildah"
