"""Opening the image store, and mounting what it holds."""

from __future__ import annotations

import os

from sonata.host import mounts
from sonata.store.place import Place
from sonata.store.store import Store
from sonata_core.errors import Damaged, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ContainerId, LayerId
from sonata_core.models.mount import Mount
from sonata_core.models.storage import LayerRef, MountOptions

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.engine.engine import Engine
    from sonata.store.records import LayerRecord


def open_store(engine: Engine) -> Store:
    """The store that the configuration names."""
    storage = engine.config.storage
    place = Place(
        driver=engine.driver,
        graph=storage.graph_root,
        run=storage.run_root,
        image_root=storage.image_store,
        additional=storage.additional_stores,
        sync=_option(engine, "sync") == "filesystem",
    )
    return Store(place, lambda: engine.storage.hook)


def absent_stores(engine: Engine) -> list[str]:
    """Additional image stores that are configured, and not there: their file system may not be mounted."""
    place = engine.store.place
    return [root for root in place.additional if not os.path.isdir(place.folder("layers", root))]


def _option(engine: Engine, key: str) -> str:
    """What storage.conf or --storage-opt says of one thing, for the driver or for all."""
    options = engine.config.storage.options
    return options.get(engine.driver, {}).get(key) or options.get("", {}).get(key, "")


def ignores_owners(engine: Engine) -> bool:
    """Whether files whose owner cannot be set stay ours, as in a user namespace of one id."""
    return _option(engine, "ignore_chown_errors") in ("1", "t", "T", "TRUE", "true", "True")


def mount_container(engine: Engine, container: str, options: MountOptions) -> str:
    """Mount a container's root filesystem, or count one more user of it; where it is."""
    record = engine.store.find_container(container)
    return mount_layer(engine, record.layer if record else LayerId(container), options)


def mount_layer(engine: Engine, layer: LayerId, options: MountOptions) -> str:
    """Mount a layer, or count one more user of it; where it is."""
    return engine.store.mount_layer(
        layer, lambda found: _mount(engine, found, options), mounts.is_mounted, lambda path: unmount(engine, path)
    )


def unmount_container(engine: Engine, container: str, *, force: bool = False) -> None:
    """Take one use of the root filesystem back; unmounted with the last. Absent is success.

    `force` takes it away altogether, also a mount that a killed command did not come to count.
    """
    record = engine.store.find_container(container)
    if record is None:
        return
    engine.store.unmount_layer(record.layer, lambda path: unmount(engine, path), force=force, mounted=mounts.is_mounted)
    if force:
        try:
            layer = engine.store.layer(record.layer)
            ref = LayerRef(store=layer.store, id=layer.id)
            plan = engine.storage.hook.storage_mounts(layer=ref, options=MountOptions())
        except (NotFound, Damaged):
            return  # what lies below is gone: nothing could be mounted, and so nothing need be found
        # vfs has no mount of its own: its root is the layer's folder.
        unmount(engine, plan.root)


def require_lasting_mounts(engine: Engine, kind: str, instead: str) -> None:
    """Raise Unsupported where a mount would not be seen by whoever asks, who is in another mount namespace."""
    if not engine.facts.rootless:
        return
    from sonata.host.rootless import is_callers

    if not is_callers():
        text = f'cannot run command "sonata {kind}mount" in rootless mode, must execute `sonata unshare` first'
        raise Unsupported(text, hint=f"{instead} reaches the files")


class MountedLayer:
    """`with MountedLayer(engine, layer) as path`: a layer where it can be read; an image's is read-only."""

    def __init__(self, engine: Engine, layer: LayerId, options: MountOptions | None = None) -> None:
        self._engine = engine
        self._layer = layer
        self._options = options

    def __enter__(self) -> str:
        return mount_layer(self._engine, self._layer, self._options or self._seen_as())

    def _seen_as(self) -> MountOptions:
        for record in self._engine.store.containers():
            if record.layer == self._layer:
                return MountOptions(volatile=record.volatile, id_mapping=record.id_mapping)
        return MountOptions(read_only=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        engine = self._engine
        engine.store.unmount_layer(self._layer, lambda path: unmount(engine, path), mounted=mounts.is_mounted)


def unmount(engine: Engine, path: str) -> None:
    """Take a mount away, however deep it is stacked; with the last of the driver's, that of its folder."""
    while mounts.is_mounted(path) and mounts.unmount(engine.kernel, path):
        pass
    if path.startswith(f"{_home(engine)}/"):
        leave_home(engine)


def leave_home(engine: Engine) -> None:
    """Take the mount of the driver's folder away, if nothing uses it. A file system of its own there is the host's.

    Whoever deletes files there keeps others from it, and so asks again at the end.
    """
    home = _home(engine)
    try:
        ours = os.stat(home).st_dev == os.stat(f"{home}/..").st_dev
    except OSError:
        return
    if ours:
        mounts.unmount_unused(engine.kernel, home)


def _home(engine: Engine) -> str:
    """The driver's folder, in which it mounts."""
    return f"{engine.store.place.graph}/{engine.driver}"


def _set_apart(engine: Engine, root: str) -> None:
    """Have the driver's folder be a private mount of its own before anything is mounted in it.

    Peers make it one when they begin. If they did that later, our mounts would lie beneath theirs, where nobody
    can take them away.
    """
    home = _home(engine)
    options = engine.config.storage.options
    skip = any(options.get(table, {}).get("skip_mount_home") == "true" for table in ("", engine.driver))
    # What is mounted there already, by a command of before or of a peer, would be hidden.
    if skip or not root.startswith(f"{home}/") or mounts.is_own_mount(home) or mounts.mounts_below(home):
        return
    mounts.make_one(
        engine.kernel, Mount(type="bind", source=home, target=home, options=("private",)), engine.run_command
    )


def delete_container_layer(engine: Engine, container: str) -> None:
    """Remove a container's writable layer, ahead of the rest. Absent is success."""
    record = engine.store.find_container(container)
    if record is not None and record.layer:
        engine.store.delete_layer(record.layer, durable=not record.volatile)


def delete_container(engine: Engine, container: str) -> None:
    """Remove a container's writable layer, folders and record from the store. Absent is success."""
    engine.store.delete_container(ContainerId(container), unmount=lambda path: unmount(engine, path))
    leave_home(engine)


def _mount(engine: Engine, layer: LayerRecord, options: MountOptions) -> str:
    if options.id_mapping is not None and layer.parent and engine.store.layer(layer.parent).data.get("uidmap"):
        # What it stands on was copied with shifted owners: they are not to be shifted twice.
        options = options.replace(id_mapping=None)
    plan = engine.storage.hook.storage_mounts(layer=LayerRef(store=layer.store, id=layer.id), options=options)
    if plan.mounts:
        _set_apart(engine, plan.root)
    mounts.make(engine.kernel, plan, engine.run_command)
    return plan.root
