"""The overlay driver: `<graph root>/overlay`, in the layout that Podman, Buildah, Skopeo and CRI-O read."""

from __future__ import annotations

import os
import stat
from errno import EBUSY

from sonata_core.errors import (
    AlreadyExists,
    Damaged,
    Denied,
    HostLacks,
    InUse,
    NotFound,
    Unavailable,
    Unsupported,
    UsageError,
)
from sonata_core.hookspecs.storage import StorageChanges, StorageCheck, StorageHooks, StorageWithdraw
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.ids import LayerId
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.storage import (
    LayerFacts,
    LayerFormat,
    LayerRef,
    StorageFacts,
    UnpackTarget,
    Usage,
)
from sonata_core.sdk.stages import Stage, clear, reap_stages, set_aside
from sonata_core.sdk.trees import remove_tree, tree_usage
from sonata_storage_overlay.layout import (
    LINKS,
    TEMPDIRS,
    child_of,
    diffs_of,
    is_childless,
    layer_ids,
    link_of,
    lowers_of,
    mark_childless,
    new_link,
    read_text,
    write_text,
)
from sonata_storage_overlay.mounts import MAX_LOWERS, plan_mounts

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.mount import MountPlan
    from sonata_core.models.process import IdMap, IdMapping
    from sonata_core.models.storage import Change, LayerOptions, MountOptions, StorageFinding, StoreRoot

_MAPPABLE = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs"))
"""File systems that take id-mapped mounts (mount_setattr(2)); on others owners are shifted by copying."""


_OPTIONS = frozenset(
    (
        "mountopt",
        "mount_program",
        "skip_mount_home",
        "ignore_chown_errors",
        "sync",
        "imagestore",
        "disable-volatile",
        "override_kernel_check",
    )
)


class OverlayStorage(StorageHooks, StorageChanges, StorageCheck, StorageWithdraw):
    """Layers as folders of differences, shown together by the kernel's overlay file system."""

    def __init__(self, context: PluginContext) -> None:
        if not context.stores:
            raise Unavailable("overlay: no store was given", hint="set graphroot in storage.conf")
        self._context = context
        self._require_known()
        self._roots: dict[str, StoreRoot] = {root.path: root for root in context.stores}
        self._homes = tuple(_home(root.path) for root in context.stores)
        self._stages: dict[str, Stage] = {}
        self._format = LayerFormat.OVERLAY_USER if context.facts.rootless else LayerFormat.OVERLAY_TRUSTED
        self._program = str(context.config.get("mount_program", ""))
        """What mounts instead of the kernel."""
        if context.facts.rootless and not self._program:
            from sonata_storage_overlay import fuse

            self._program = fuse.needed(self._homes[0])
        self._format = LayerFormat.OVERLAY_FUSE if self._program else self._format

    def _require_known(self) -> None:
        """Raises UsageError, Unsupported for options of storage.conf that would have no effect."""
        given = {key: value for key, value in self._context.config.items() if value not in ("", "false", None)}
        for key, value in given.items():
            if key in ("size", "inodes"):
                backing = _shown(_file_system(self._context.stores[0].path))
                text = "storage option overlay.size and overlay.inodes only supported for backingFS XFS. Found "
                if backing == "xfs":
                    raise Unsupported(f"overlay: {key}={value}: no quotas of containers' layers", "leave it out")
                raise Unsupported(f"configure storage: {text}{backing}", f"leave {key} out of storage.conf's options")
            if key in ("use_composefs", "force_mask"):
                raise Unsupported(f"overlay: {key}={value} is not supported", "leave it out of storage.conf's options")
            if key not in _OPTIONS:
                raise UsageError(f'configure storage: unknown option "{key}" ("overlay.{key}={value}")')

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(
            name="overlay", version="0.1.0", summary="layers in overlay file systems", contract="storage/1.1"
        )

    @hookimpl
    def storage_facts(self) -> StorageFacts:
        if self._program:
            return self._facts_of_program()
        with open("/proc/filesystems", encoding="ascii") as file:
            known = "\toverlay\n" in file.read()
        if not known and not os.path.isdir("/sys/module/overlay"):
            raise HostLacks(
                "the kernel has no overlay file system", hint="run `modprobe overlay`, or use the vfs driver"
            )
        backing = _file_system(self._homes[0])
        if backing == "overlay":
            raise HostLacks(
                f"overlay: {self._homes[0]} lies on an overlay file system itself, which cannot hold an upper layer",
                hint="put graphroot on another file system, or use the vfs driver",
            )
        release = _release(self._context.facts.kernel)
        maps = not self._context.facts.rootless and _maps_owners(release, backing)
        return StorageFacts(
            format=self._format,
            id_mapping=maps,
            rootless=release >= (5, 11),
            reflink=backing in ("btrfs", "xfs"),
            max_layers=MAX_LOWERS,
            backing_fs=backing,
            status={
                "Backing Filesystem": _shown(backing),
                "Native Overlay Diff": "true",
                "Supports d_type": "true",
                "Supports shifting": "true" if maps else "false",
                "Supports volatile": "true" if release >= (5, 10) else "false",
                "Using metacopy": "false",
            },
        )

    def _facts_of_program(self) -> StorageFacts:
        from sonata_storage_overlay import fuse

        fuse.require_device(fuse.find(self._context, self._program))
        backing = _file_system(self._homes[0])
        return StorageFacts(
            format=self._format,
            reflink=backing in ("btrfs", "xfs"),
            max_layers=MAX_LOWERS,
            backing_fs=backing,
            status={
                "Backing Filesystem": _shown(backing),
                "Native Overlay Diff": "false",
                "Supports d_type": "true",
                "Using metacopy": "false",
            },
        )

    @hookimpl
    def storage_stage(self, options: LayerOptions) -> UnpackTarget | None:
        parent = os.path.join(self._stage_home(options), TEMPDIRS)
        stage = Stage(parent)
        folder = os.path.join(stage.path, "0-addition")
        try:
            os.mkdir(folder, 0o755)
        except BaseException:
            stage.close()
            raise
        self._stages[folder] = stage
        return UnpackTarget(path=folder, format=self._format)

    @hookimpl
    def storage_unstage(self, staged: UnpackTarget) -> None:
        stage = self._stages.pop(staged.path, None)
        if stage is not None:
            clear(stage)

    @hookimpl
    def storage_create(
        self, layer: LayerRef, parent: LayerRef | None, options: LayerOptions, staged: UnpackTarget | None
    ) -> UnpackTarget:
        home = self._writable_home(layer)
        folder = os.path.join(home, layer.id)
        lower, ids, above = self._below(parent)
        os.makedirs(os.path.join(home, LINKS), 0o755, exist_ok=True)
        if self._program:
            from sonata_storage_overlay import fuse

            fuse.note(home)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            raise AlreadyExists(f"layer {layer.id} exists already in {home}") from None
        diff = os.path.join(folder, "diff")
        if staged is None:
            os.mkdir(diff, 0o555)
        if above is not None:
            mark_childless(os.path.dirname(above), childless=False)
        mark_childless(folder, childless=options.writable)
        mode, owner = _diff_as(above, options.id_mapping)
        place = diff if staged is None else staged.path
        os.chown(place, *owner)
        os.chmod(place, mode)
        link = new_link()
        # `link` first: whatever step a crash follows, removing the folder finds the link to remove.
        write_text(os.path.join(folder, "link"), link)
        os.symlink(f"../{layer.id}/diff", os.path.join(home, LINKS, link))
        if parent is None:
            os.mkdir(os.path.join(folder, "empty"), 0o700)
        else:
            write_text(os.path.join(folder, "lower"), lower)
            write_text(os.path.join(folder, "lower-layers"), ids)
        for name in ("work", "merged"):
            os.mkdir(os.path.join(folder, name), 0o700)
        if staged is not None:
            os.rename(staged.path, diff)
        return UnpackTarget(path=diff, format=self._format)

    @hookimpl
    def storage_contents(self, layer: LayerRef) -> tuple[UnpackTarget, ...]:
        folder = self._folder(layer)
        return tuple(UnpackTarget(path=path, format=self._format) for path in diffs_of(folder))

    @hookimpl
    def storage_mounts(self, layer: LayerRef, options: MountOptions) -> MountPlan:
        folder = self._folder(layer)
        root = self._roots[layer.store]
        target = os.path.join(folder, "merged")
        if root.read_only:
            options = options.replace(read_only=True)
            target = os.path.join(self._context.stores[0].run, "overlay", layer.id, "merged")
        _make_folder(target)
        extra = (*self._default_options(), *options.extra)
        lowers = lowers_of(self._homes, folder)
        userxattr = self._context.facts.rootless
        plan = plan_mounts(folder, lowers, target, options.replace(extra=extra), userxattr)
        if not self._program:
            return plan
        from sonata_storage_overlay import fuse

        program = fuse.find(self._context, self._program)
        fuse.require_device(program)
        return fuse.mounted_by(program, plan)

    @hookimpl
    def storage_info(self, layer: LayerRef) -> LayerFacts:
        folder = self._folder(layer)
        link_of(folder)
        lowers = lowers_of(self._homes, folder)
        if not lowers and not os.path.isdir(os.path.join(folder, "empty")):
            # A layer that stands on none has this folder instead.
            raise Damaged(
                f"layer {layer.id}: its file `lower` is absent or empty",
                hint="`sonata system check` lists the images that need it; pull them again",
                layer=layer.id,
            )
        return LayerFacts(
            id=layer.id,
            parent=LayerId(lowers[0].id) if lowers else None,
            paths=tuple(diffs_of(folder)),
        )

    @hookimpl
    def storage_list(self) -> tuple[LayerId, ...]:
        found: list[LayerId] = []
        for root in self._context.stores:
            if not root.read_only:
                found += layer_ids(_home(root.path))
        return tuple(found)

    @hookimpl
    def storage_usage(self, layer: LayerRef) -> Usage:
        total, inodes = 0, 0
        for path in diffs_of(self._folder(layer)):
            size, count = tree_usage(path)
            total, inodes = total + size, inodes + count
        return Usage(bytes=total, inodes=inodes)

    @hookimpl
    def storage_remove(self, layer: LayerRef) -> None:
        folder = self._unlink_layer(layer)
        try:
            remove_tree(folder)
        except OSError as error:
            raise _busy(layer.id, error) from error

    @hookimpl
    def storage_withdraw(self, layer: LayerRef) -> UnpackTarget | None:
        folder = self._unlink_layer(layer)
        try:
            # Whether something is mounted there: the rename would not say so.
            os.rmdir(os.path.join(folder, "merged"))
        except OSError as error:
            if error.errno == EBUSY:
                raise _busy(layer.id, error) from error
        stage = set_aside(folder, os.path.join(os.path.dirname(folder), TEMPDIRS))
        if stage is None:
            return None
        self._stages[stage.path] = stage
        return UnpackTarget(path=stage.path, format=self._format)

    def _unlink_layer(self, layer: LayerRef) -> str:
        """Take a layer's link away; its folder. Raises InUse for a parent of another."""
        home = self._writable_home(layer)
        folder = os.path.join(home, layer.id)
        link = read_text(os.path.join(folder, "link"))
        if link:
            child = None if is_childless(folder) else child_of(home, link)
            if child is not None:
                raise InUse(f"layer {layer.id} is the parent of layer {child}")
            remove_tree(os.path.join(home, LINKS, os.path.basename(link)))
        return folder

    @hookimpl
    def storage_changes(self, layer: LayerRef, parent: LayerRef | None) -> tuple[Change, ...]:
        from sonata_storage_overlay.changes import find_changes

        below = [path for lower in lowers_of(self._homes, self._folder(layer)) for path in diffs_of(lower.folder)]
        own = diffs_of(self._folder(layer))
        return find_changes(own, below if parent is not None else [], fuse=bool(self._program))

    @hookimpl
    def storage_check(self, repair: bool) -> tuple[StorageFinding, ...]:
        from sonata_storage_overlay.check import check_home

        found: list[StorageFinding] = []
        for root in self._context.stores:
            if root.read_only:
                continue
            try:
                found += check_home(self._homes, _home(root.path), repair=repair)
            except PermissionError as error:
                raise Denied(
                    f"{error.filename}: permission denied", hint="it is another user's: have that one remove it"
                ) from error
        return tuple(found)

    def _below(self, parent: LayerRef | None) -> tuple[str, str, str | None]:
        """What `lower` and `lower-layers` of a child say, and the parent's `diff`."""
        if parent is None:
            return "", "", None
        folder = self._folder(parent)
        link = f"{LINKS}/{link_of(folder)}"
        deeper = read_text(os.path.join(folder, "lower"))
        ids = read_text(os.path.join(folder, "lower-layers"))
        if deeper and not ids:
            ids = ":".join(lower.id for lower in lowers_of(self._homes, folder))
        lower = f"{link}:{deeper}" if deeper else link
        return lower, f"{parent.id}:{ids}" if ids else parent.id, os.path.join(folder, "diff")

    def _folder(self, layer: LayerRef) -> str:
        if layer.store not in self._roots:
            raise NotFound(f"store {layer.store} is none of this driver's")
        folder = os.path.join(_home(layer.store), layer.id)
        if not os.path.isdir(os.path.join(folder, "diff")):
            raise NotFound(f"layer {layer.id} has no folder in {_home(layer.store)}")
        return folder

    def _writable_home(self, layer: LayerRef) -> str:
        root = self._roots.get(layer.store)
        if root is None:
            raise NotFound(f"store {layer.store} is none of this driver's")
        if root.read_only:
            raise Denied(f"store {layer.store} is read-only", hint="layers are made and removed in the graph root")
        return _home(root.path)

    def _stage_home(self, options: LayerOptions) -> str:
        """Image layers go to the image store where there is one: the second writable root."""
        writable = [root.path for root in self._context.stores if not root.read_only]
        home = _home(writable[0] if options.writable else writable[-1])
        reap_stages(os.path.join(home, TEMPDIRS))
        return home

    def _default_options(self) -> tuple[str, ...]:
        text = self._context.config.get("mountopt", "")
        # metacopy would leave files whose content lies in another layer: peers strip it too where unsupported.
        return tuple(part for part in str(text).split(",") if part and part != "metacopy=on")


def _home(store: str) -> str:
    return os.path.join(store, "overlay")


def _busy(layer: LayerId, error: OSError) -> InUse:
    return InUse(f"layer {layer}: {error.strerror}: {error.filename}", hint="is it still mounted?")


def _make_folder(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(path, 0o700, exist_ok=True)


def _diff_as(above: str | None, mapping: IdMapping | None) -> tuple[int, tuple[int, int]]:
    """Mode and owner of a new `diff`: the parent's, or 0555 of root; shifted for a container with maps of its own."""
    mode, uid, gid = 0o555, 0, 0
    if above is not None:
        found = os.stat(above)
        mode, uid, gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    if mapping is not None:
        uid, gid = _shift(uid, mapping.uids), _shift(gid, mapping.gids)
    return mode, (uid, gid)


def _shift(number: int, maps: tuple[IdMap, ...]) -> int:
    for part in maps:
        if part.container_id <= number < part.container_id + part.size:
            return part.host_id + number - part.container_id
    return number


def _release(kernel: str) -> tuple[int, int]:
    major, _, rest = kernel.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return int(major) if major.isdigit() else 0, int(minor) if minor.isdigit() else 0


def _maps_owners(release: tuple[int, int], backing: str) -> bool:
    """Whether lower layers can be mounted with shifted owners (5.19); the variable is containers/storage's own."""
    if os.environ.get("_CONTAINERS_OVERLAY_DISABLE_IDMAP") == "yes":
        return False
    return release >= (5, 19) and (backing in _MAPPABLE or (backing == "tmpfs" and release >= (6, 3)))


def _file_system(path: str) -> str:
    """The type of the file system that a path is, or would be, on."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found = ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split()
            if fields[2] == wanted:
                found = fields[fields.index("-") + 1]
    return found


def _shown(backing: str) -> str:
    """The name as Podman's info has it."""
    return {"ext2": "extfs", "ext3": "extfs", "ext4": "extfs", "": "<unknown>"}.get(backing, backing)
