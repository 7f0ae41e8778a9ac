"""The vfs driver: `<graph root>/vfs/dir/<id>` is a whole copy of the merged tree. Large, and works anywhere."""

from __future__ import annotations

import os

from sonata_core.errors import AlreadyExists, Denied, InUse, NotFound, Unavailable
from sonata_core.hookspecs.storage import StorageCheck, StorageHooks, StorageWithdraw
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.ids import LayerId
from sonata_core.models.mount import MountPlan
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.storage import LayerFacts, LayerFormat, LayerRef, StorageFacts, UnpackTarget, Usage
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.stages import clear, reap_stages, set_aside, stage_findings
from sonata_core.sdk.trees import remove_tree, tree_usage

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.process import IdMap
    from sonata_core.models.storage import LayerOptions, MountOptions, StorageFinding, StoreRoot
    from sonata_core.sdk.stages import Stage

_HEX = frozenset("0123456789abcdef")


class VfsStorage(StorageHooks, StorageCheck, StorageWithdraw):
    """Layers as whole copies of their parents. A mount is no more than the folder."""

    def __init__(self, context: PluginContext) -> None:
        if not context.stores:
            raise Unavailable("vfs: no store was given", hint="set graphroot in storage.conf")
        self._context = context
        self._roots: dict[str, StoreRoot] = {root.path: root for root in context.stores}
        self._stages: dict[str, Stage] = {}

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="vfs", version="0.1.0", summary="layers as whole copies", contract="storage/1.1")

    @hookimpl
    def storage_facts(self) -> StorageFacts:
        return StorageFacts(
            format=LayerFormat.PLAIN,
            rootless=True,
            reflink=_clones(self._context.stores[0].path),
        )

    @hookimpl
    def storage_stage(self, options: LayerOptions) -> UnpackTarget | None:
        for root in self._context.stores:
            if not root.read_only:
                reap_stages(_set_aside(root.path))
        return None

    @hookimpl
    def storage_unstage(self, staged: UnpackTarget) -> None:
        stage = self._stages.pop(staged.path, None)
        if stage is not None:
            clear(stage)

    @hookimpl
    def storage_create(
        self, layer: LayerRef, parent: LayerRef | None, options: LayerOptions, staged: UnpackTarget | None
    ) -> UnpackTarget:
        from sonata_storage_vfs.copy import copy_tree

        home = self._writable_home(layer)
        above = self._folder(parent) if parent is not None else None
        make_private(home)
        folder = os.path.join(home, layer.id)
        try:
            os.mkdir(folder, 0o555)
        except FileExistsError:
            raise AlreadyExists(f"layer {layer.id} exists already in {home}") from None
        if above is not None:
            copy_tree(above, folder)
        else:
            # Whatever the umask: this is what peers make.
            os.chmod(folder, 0o555)  # noqa: S103
        if options.id_mapping is not None:
            _shift_tree(folder, options.id_mapping.uids, options.id_mapping.gids)
        return UnpackTarget(path=folder, format=LayerFormat.PLAIN)

    @hookimpl
    def storage_contents(self, layer: LayerRef) -> tuple[UnpackTarget, ...]:
        return (UnpackTarget(path=self._folder(layer), format=LayerFormat.PLAIN),)

    @hookimpl
    def storage_mounts(self, layer: LayerRef, options: MountOptions) -> MountPlan:
        folder = self._folder(layer)
        return MountPlan(root=folder, writable=not options.read_only and not self._roots[layer.store].read_only)

    @hookimpl
    def storage_info(self, layer: LayerRef) -> LayerFacts:
        return LayerFacts(id=layer.id, paths=(self._folder(layer),))

    @hookimpl
    def storage_list(self) -> tuple[LayerId, ...]:
        found: list[LayerId] = []
        for root in self._context.stores:
            home = _home(root.path)
            if root.read_only or not os.path.isdir(home):
                continue
            found += [LayerId(name) for name in sorted(os.listdir(home)) if len(name) == 64 and _HEX.issuperset(name)]
        return tuple(found)

    @hookimpl
    def storage_usage(self, layer: LayerRef) -> Usage:
        size, inodes = tree_usage(self._folder(layer))
        return Usage(bytes=size, inodes=inodes)

    @hookimpl
    def storage_remove(self, layer: LayerRef) -> None:
        # A child is a copy, so no layer needs its parent once it is made.
        try:
            remove_tree(os.path.join(self._writable_home(layer), layer.id))
        except OSError as error:
            raise InUse(f"layer {layer.id}: {error.strerror}: {error.filename}", hint="is it still mounted?") from error

    @hookimpl
    def storage_withdraw(self, layer: LayerRef) -> UnpackTarget | None:
        folder = os.path.join(self._writable_home(layer), layer.id)
        stage = set_aside(folder, _set_aside(layer.store))
        if stage is None:
            return None
        self._stages[stage.path] = stage
        return UnpackTarget(path=stage.path, format=LayerFormat.PLAIN)

    @hookimpl
    def storage_check(self, repair: bool) -> tuple[StorageFinding, ...]:
        parents = [_set_aside(root.path) for root in self._context.stores if not root.read_only]
        return tuple(one for parent in parents for one in stage_findings(parent, repair=repair))

    def _folder(self, layer: LayerRef) -> str:
        if layer.store not in self._roots:
            raise NotFound(f"store {layer.store} is none of this driver's")
        folder = os.path.join(_home(layer.store), layer.id)
        if not os.path.isdir(folder):
            raise NotFound(f"layer {layer.id} has no folder in {_home(layer.store)}")
        return folder

    def _writable_home(self, layer: LayerRef) -> str:
        root = self._roots.get(layer.store)
        if root is None:
            raise NotFound(f"store {layer.store} is none of this driver's")
        if root.read_only:
            raise Denied(f"store {layer.store} is read-only", hint="layers are made and removed in the graph root")
        return _home(root.path)


def _home(store: str) -> str:
    return os.path.join(store, "vfs", "dir")


def _set_aside(store: str) -> str:
    """Where layers wait for being deleted."""
    return os.path.join(store, "vfs", "tempdirs")


def _clones(path: str) -> bool:
    """Whether files under a path can share their blocks."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = [line.split() for line in file]
    best = ""
    kind = ""
    for fields in mounts:
        if (path + "/").startswith(fields[4].rstrip("/") + "/") and len(fields[4]) >= len(best):
            best, kind = fields[4], fields[fields.index("-") + 1]
    return kind in ("btrfs", "xfs")


def _shift_tree(top: str, uids: tuple[IdMap, ...], gids: tuple[IdMap, ...]) -> None:
    """Shift the owners of a copy for a container with a user namespace of its own; set-id bits survive."""
    import stat

    seen: set[tuple[int, int]] = set()
    pending = [top]
    while pending:
        path = pending.pop()
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            pending += [entry.path for entry in os.scandir(path)]
        elif (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        os.chown(path, _shifted(status.st_uid, uids), _shifted(status.st_gid, gids), follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            os.chmod(path, stat.S_IMODE(status.st_mode))


def _shifted(number: int, maps: tuple[IdMap, ...]) -> int:
    for part in maps:
        if part.container_id <= number < part.container_id + part.size:
            return part.host_id + number - part.container_id
    return number
