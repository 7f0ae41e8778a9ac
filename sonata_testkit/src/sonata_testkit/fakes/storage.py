"""A storage driver for tests that want a store and not a particular driver: whole copies, made by cp."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from sonata_core.errors import AlreadyExists, CommandFailed, Denied, HostLacks, NotFound
from sonata_core.hookspecs.storage import StorageHooks
from sonata_core.markers import hookimpl
from sonata_core.models.ids import LayerId
from sonata_core.models.mount import MountPlan
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command
from sonata_core.models.storage import LayerFacts, LayerFormat, LayerRef, StorageFacts, UnpackTarget, Usage
from sonata_testkit.trees import disk_use

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.process import IdMap
    from sonata_core.models.storage import LayerOptions, MountOptions


class FakeStorage(StorageHooks):
    """Layers are folders `STORE/fake/ID`. It keeps the whole contract, and is slow."""

    def __init__(self, context: PluginContext) -> None:
        copier = context.find_program("cp")
        if copier is None:
            raise HostLacks("cp not found in PATH", "apt-get install coreutils")
        self._copier = copier
        self._context = context
        self._stores = {store.path: store for store in context.stores}

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="fake", version="0.1.0", summary="whole copies, for tests", contract="storage/1.0")

    @hookimpl
    def storage_facts(self) -> StorageFacts:
        return StorageFacts(format=LayerFormat.PLAIN)

    @hookimpl
    def storage_stage(self, options: LayerOptions) -> UnpackTarget | None:
        return None

    @hookimpl
    def storage_unstage(self, staged: UnpackTarget) -> None:
        return None

    @hookimpl
    def storage_create(
        self, layer: LayerRef, parent: LayerRef | None, options: LayerOptions, staged: UnpackTarget | None
    ) -> UnpackTarget:
        folder = self._writable(layer)
        above = None if parent is None else self._there(parent)
        if os.path.isdir(folder):
            raise AlreadyExists(f"layer {layer.id} is there already")
        os.makedirs(folder, 0o755)
        if above is not None:
            argv = (self._copier, "-a", "--sparse=always", f"{above}/.", folder)
            result = self._context.run_command(Command(argv=argv))
            if result.code:
                raise CommandFailed(result.stderr.decode(errors="replace"), argv=argv, code=result.code)
        if options.id_mapping is not None:
            _shift(folder, options.id_mapping.uids, options.id_mapping.gids)
        return UnpackTarget(path=folder, format=LayerFormat.PLAIN)

    @hookimpl
    def storage_contents(self, layer: LayerRef) -> tuple[UnpackTarget, ...]:
        return (UnpackTarget(path=self._there(layer), format=LayerFormat.PLAIN),)

    @hookimpl
    def storage_mounts(self, layer: LayerRef, options: MountOptions) -> MountPlan:
        return MountPlan(root=self._there(layer), writable=not options.read_only)

    @hookimpl
    def storage_info(self, layer: LayerRef) -> LayerFacts:
        return LayerFacts(id=layer.id, paths=(self._there(layer),))

    @hookimpl
    def storage_list(self) -> tuple[LayerId, ...]:
        homes = [f"{store.path}/fake" for store in self._context.stores if not store.read_only]
        return tuple(LayerId(name) for home in homes if os.path.isdir(home) for name in sorted(os.listdir(home)))

    @hookimpl
    def storage_usage(self, layer: LayerRef) -> Usage:
        folder = self._there(layer)
        return Usage(
            bytes=disk_use(folder), inodes=1 + sum(len(dirs) + len(names) for _, dirs, names in os.walk(folder))
        )

    @hookimpl
    def storage_remove(self, layer: LayerRef) -> None:
        shutil.rmtree(self._writable(layer), ignore_errors=True)

    def _there(self, layer: LayerRef) -> str:
        folder = f"{layer.store}/fake/{layer.id}"
        if layer.store not in self._stores or not os.path.isdir(folder):
            raise NotFound(f"layer {layer.id} not known")
        return folder

    def _writable(self, layer: LayerRef) -> str:
        store = self._stores.get(layer.store)
        if store is None:
            raise NotFound(f"store {layer.store} not known")
        if store.read_only:
            raise Denied(f"store {layer.store} is read-only")
        return f"{layer.store}/fake/{layer.id}"


def _shift(folder: str, uids: tuple[IdMap, ...], gids: tuple[IdMap, ...]) -> None:
    paths = [os.path.join(top, name) for top, dirs, names in os.walk(folder) for name in (*dirs, *names)]
    for path in (folder, *paths):
        status = os.lstat(path)
        os.chown(path, _mapped(status.st_uid, uids), _mapped(status.st_gid, gids), follow_symlinks=False)


def _mapped(number: int, maps: tuple[IdMap, ...]) -> int:
    for part in maps:
        if part.container_id <= number < part.container_id + part.size:
            return part.host_id + number - part.container_id
    return number
