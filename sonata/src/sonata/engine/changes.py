"""`diff`: what a container or an image changed below its parent, or against another."""

from __future__ import annotations

from sonata.engine import storage
from sonata.engine.images import lookup
from sonata.image.layers.compare import in_order, tree_changes
from sonata.state import containers as rows
from sonata_core.errors import NotFound, UsageError
from sonata_core.hookspecs.storage import StorageChanges
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import LayerId
from sonata_core.models.storage import LayerRef

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import LayerRecord
    from sonata_core.models.storage import Change

LEFT_OUT = frozenset(
    (
        *("/dev", "/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"),
        *("/proc", "/run", "/run/.containerenv", "/run/notify", "/run/podman-init", "/run/secrets", "/sys"),
    )
)
"""Paths that every container gets: no change of its own."""
_USERS = frozenset(("/etc/group", "/etc/passwd"))
"""Files that get a line for a user whom the image does not know."""


def changes(engine: Engine, name: str, base: str = "", *, kind: str = "all") -> list[Change]:
    """What `name` has changed against `base`, or what it stands on; `kind` is `all`, `container` or `image`.

    Paths that every container gets are left out. Raises NotFound in Podman's words.
    """
    if kind != "image" and not base and _has_no_layer(engine, name):
        return []
    layer = _layer(engine, name, kind)
    other = _layer(engine, base, kind) if base else layer.parent and engine.store.layer(layer.parent)
    found = layer_changes(engine, layer, other or None)
    hidden = LEFT_OUT | _USERS if _adds_users(engine, name) else LEFT_OUT
    return [one for one in found if one.path not in hidden]


def _has_no_layer(engine: Engine, name: str) -> bool:
    """Whether that is a container of `--rootfs`: what it changes is the user's own folder, and no change to Podman."""
    try:
        return bool(rows.find(engine.database, name).config.rootfs)
    except (NotFound, UsageError):
        return False


def _adds_users(engine: Engine, name: str) -> bool:
    """Whether the engine may have written to a container's passwd and group: never for root."""
    try:
        process = rows.find(engine.database, name).config.process
    except (NotFound, UsageError):
        return False
    return bool(process.host_users) or process.user.partition(":")[0] not in ("", "0", "root") or ":" in process.user


def layer_changes(engine: Engine, layer: LayerRecord, base: LayerRecord | None) -> list[Change]:
    """All that differs between two layers, in order; quicker where `base` is the layer's parent."""
    natural = layer.parent == (base.id if base is not None else None)
    if natural and engine.storage.offers(StorageChanges):
        hook = engine.storage.require(StorageChanges)
        parent = LayerRef(store=base.store, id=base.id) if base is not None else None
        return in_order(hook.storage_changes(layer=LayerRef(store=layer.store, id=layer.id), parent=parent))
    with storage.MountedLayer(engine, layer.id) as new:
        if base is None:
            return tree_changes(new, None)
        with storage.MountedLayer(engine, base.id) as old:
            return tree_changes(new, old)


def _layer(engine: Engine, name: str, kind: str) -> LayerRecord:
    why = "layer not known"
    if kind in ("all", "image"):
        found = lookup.find(engine, name)
        if found is not None and found[0].layer is not None:
            return engine.store.layer(found[0].layer)
        why = why if kind == "all" else f"{name}: image not known"
    if kind in ("all", "container"):
        record = engine.store.find_container(_container(engine, name))
        if record is not None:
            return engine.store.layer(record.layer)
        why = why if kind == "all" else "container not known"
    known = engine.store.layers() if kind == "all" else {}
    if LayerId(name) in known:
        return known[LayerId(name)]
    raise NotFound(f"{name} not found: {why}", name=name)


def _container(engine: Engine, name: str) -> str:
    try:
        return rows.find(engine.database, name).config.id
    except NotFound:
        return name
