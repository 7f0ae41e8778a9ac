"""`system reset`: everything that the engine keeps is taken away, and nothing else.

Containers, networks, volumes and secrets go first, each as its own command removes it; then the folders of the store by
their names; the state database goes last. A reset that was killed leaves a state from which the next one goes on. What
lies in the roots and is nobody's that we know stays, and so does a root that is not empty then.
"""

from __future__ import annotations

import os

from sonata.engine import secrets
from sonata.engine.containers.remove import remove as remove_container
from sonata.engine.networks.remove import remove as remove_network
from sonata.engine.pods.remove import remove as remove_pod
from sonata.engine.system import pending
from sonata.engine.volumes.remove import remove as remove_volume
from sonata.host import mounts
from sonata.state import containers as rows
from sonata.state import objects, pods
from sonata_core.errors import Denied, InUse, NotFound, SonataError
from sonata_core.groups import STORAGE
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.engine import Engine
    from sonata.state.objects import Volume

_OF_DRIVER = ("-containers", "-images", "-layers", "-locks", "")
"""What a driver's folders are called after its name; the layers go after the records that tell of them."""
_SHARED = ("artifacts", "secrets", "tmp", "defaultNetworkBackend", "storage.lock", "userns.lock")


def external(engine: Engine) -> list[tuple[str, str]]:
    """Ids and names of containers in the store that are another engine's. None where the store cannot be read."""
    own = set(rows.ids(engine.database))
    try:
        found = engine.store.containers()
    except SonataError:
        return []
    return [(str(one.id), one.names[0] if one.names else "") for one in found if str(one.id) not in own]


def reset(engine: Engine) -> list[str]:
    """Remove containers, networks, volumes, secrets, images and the store; what was found in its roots and stays.

    Raises InUse where another engine's container has its files mounted, and what removing a container raises.
    """
    pending.recover(engine)
    _require_unused(engine)
    for pod in pods.listed(engine.database):
        remove_pod(engine, pod, force=True, timeout=0)
    _remove_containers(engine)
    for network in objects.networks(engine.database):
        try:
            remove_network(engine, network.name)
        except (NotFound, Denied):
            continue
    for volume in objects.volumes(engine.database):
        _remove_volume(engine, volume)
    _remove_secrets(engine)
    engine.database.close()
    return _wipe(engine)


def _require_unused(engine: Engine) -> None:
    used = {mount.target for mount in mounts.mount_table()}
    records = {str(one.id): one for one in engine.store.containers()} if external(engine) else {}
    for ident, name in external(engine):
        for root in engine.store.place.writable:
            path = f"{os.path.realpath(root)}/{engine.driver}/{records[ident].layer}/merged"
            if path in used:
                raise InUse(
                    f"container {name or ident} of another engine has its files mounted at {path}",
                    hint="stop it with the program that started it",
                    name=name,
                )


def _remove_containers(engine: Engine) -> None:
    # One that others need goes after them: the newest go first, and what was still needed is met again.
    left = [row.config.id for row in rows.listed(engine.database)]
    while left:
        stayed: list[str] = []
        for ident in reversed(left):
            try:
                remove_container(engine, ident, force=True, timeout=0)
            except NotFound:
                continue
            except InUse:
                stayed.insert(0, ident)
        if len(stayed) == len(left):
            remove_container(engine, stayed[0], force=True, timeout=0)
        left = stayed


def _remove_volume(engine: Engine, volume: Volume) -> None:
    """The content goes before the row: a reset that is killed in between knows the volume again."""
    plain = volume.driver == "local" and not volume.options
    if plain and volume.mountpoint and not mounts.is_mounted(volume.mountpoint):
        remove_tree(volume.mountpoint)
    try:
        remove_volume(engine, volume.name)
    except NotFound:
        pass


def _remove_secrets(engine: Engine) -> None:
    """Each through its driver; where the driver does not work any more, its record goes with the store's folder."""
    for one in secrets.listed(engine):
        try:
            secrets.remove(engine, one.id)
        except SonataError as error:
            engine.log.warning("secret_stays_in_its_driver", secret=one.name, error=error.message)


def _wipe(engine: Engine) -> list[str]:
    storage, paths = engine.config.storage, engine.config.paths
    drivers = engine.catalog.names(STORAGE)
    homes = {f"{root}/{driver}" for root in _roots(engine) for driver in drivers}
    for path in _entries(engine, drivers):
        _remove(engine, path, itself=path in homes)
    for folder in (paths.volume_path, os.path.dirname(paths.static_dir), os.path.dirname(paths.run_dir)):
        _remove_if_empty(folder)
    kept = [f"{root}/{name}" for root in (storage.graph_root, storage.run_root) for name in _names(root)]
    for root in _roots(engine):
        _remove_if_empty(root)
    return kept


def _roots(engine: Engine) -> list[str]:
    storage = engine.config.storage
    return [root for root in (storage.run_root, storage.image_store, storage.graph_root) if root]


def _entries(engine: Engine, drivers: tuple[str, ...]) -> Iterator[str]:
    paths = engine.config.paths
    for root in _roots(engine):
        for driver in drivers:
            yield from (f"{root}/{driver}{end}" for end in _OF_DRIVER)
        yield from (f"{root}/{name}" for name in _SHARED)
    if paths.network_run_dir.startswith(f"{engine.config.storage.run_root}/"):
        yield paths.network_run_dir
    yield paths.run_dir
    yield paths.static_dir


def _remove(engine: Engine, path: str, *, itself: bool) -> None:
    """A folder with all in it, mounts detached first; one that the administrator has mounted is only emptied."""
    real = os.path.realpath(path)
    for mount in reversed(mounts.mounts_below(real)):
        if mount.target != real or itself:
            mounts.unmount(engine.kernel, mount.target)
    if mounts.is_mounted(real):
        for name in _names(real):
            remove_tree(f"{real}/{name}")
        return
    remove_tree(path)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_if_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        # Not empty, a mount, or gone: it stays as it is.
        pass
