"""Standing a container with a user namespace on its image where the storage driver cannot map owners itself.

Old kernels, and file systems that take no id-mapped mounts: the image's top layer is copied with shifted owners once
for each map, as containers/storage does it. It takes the space and the time of the whole image.
"""

from __future__ import annotations

import os
import stat

from sonata.engine import storage
from sonata.host import mounts
from sonata.plan.userns import NOBODY, on_host
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ImageId
from sonata_core.models.storage import LayerFormat, LayerRef, MountOptions

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata_core.models.ids import LayerId
    from sonata_core.models.process import IdMapping

_CAPABILITY = "security.capability"
_DEEPEST = 900
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Owner = tuple[int, int]


def base(engine: Engine, image: ImageRecord, mapping: IdMapping) -> tuple[LayerId | None, bool]:
    """The layer for a container of `image` with these maps, and whether its owners are shifted already.

    Raises what mounting and copying the image raise.
    """
    facts = engine.storage.hook.storage_facts()
    if image.layer is None or facts.id_mapping or facts.format is LayerFormat.PLAIN:
        return image.layer, False
    made = engine.store.shifted_layer(ImageId(image.id), mapping, lambda layer: _shift(engine, layer, mapping))
    return made, True


def unmapped(engine: Engine, layer: LayerId | None) -> LayerId | None:
    """The image's own layer for a copy with shifted owners; every other layer is itself."""
    return next((one.layer for one in engine.store.images() if layer in one.mapped_layers), layer)


def _shift(engine: Engine, layer: LayerRecord, mapping: IdMapping) -> None:
    ref = LayerRef(store=layer.store, id=layer.id)
    plan = engine.storage.hook.storage_mounts(layer=ref, options=MountOptions())
    mounts.make(engine.kernel, plan, engine.run_command)
    try:
        top = os.open(plan.root, _FOLDER)
        try:
            _Shifter(mapping).folder(top)
        finally:
            os.close(top)
    finally:
        storage.unmount(engine, plan.root)


class _Shifter:
    """Changes the owners of a tree; modes and capabilities of files, which leave with an owner, stay."""

    def __init__(self, mapping: IdMapping) -> None:
        self._maps = mapping
        self._root = on_host(mapping.uids, 0) or 0
        self._linked: dict[tuple[int, int], Owner] = {}
        """Where files with several names belong: a name may or may not be the same file once it is copied up."""

    def folder(self, handle: int, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise Damaged(f"folders of the image are nested more than {_DEEPEST} deep")
        with os.scandir(handle) as entries:
            names = [entry.name for entry in entries]
        for name in names:
            seen = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISDIR(seen.st_mode):
                inner = os.open(name, _FOLDER, dir_fd=handle)
                try:
                    self.folder(inner, depth + 1)
                finally:
                    os.close(inner)
            else:
                self._entry(handle, name, seen)
        seen = os.fstat(handle)
        os.fchown(handle, *self._owner(seen))
        os.fchmod(handle, stat.S_IMODE(seen.st_mode))

    def _owner(self, seen: os.stat_result) -> Owner:
        uid, gid = on_host(self._maps.uids, seen.st_uid), on_host(self._maps.gids, seen.st_gid)
        return NOBODY if uid is None else uid, NOBODY if gid is None else gid

    def _entry(self, folder: int, name: str, seen: os.stat_result) -> None:
        owner = self._owner(seen)
        if seen.st_nlink > 1:
            owner = self._linked.setdefault((seen.st_dev, seen.st_ino), owner)
            if owner == (seen.st_uid, seen.st_gid):
                return
        path = f"/proc/self/fd/{folder}/{name}"
        capability = _capability(path) if stat.S_ISREG(seen.st_mode) else b""
        os.chown(name, *owner, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISLNK(seen.st_mode):
            os.chmod(name, stat.S_IMODE(seen.st_mode), dir_fd=folder)
        if capability:
            os.setxattr(path, _CAPABILITY, _owned_by(capability, self._root), follow_symlinks=False)


def _capability(path: str) -> bytes:
    try:
        return os.getxattr(path, _CAPABILITY, follow_symlinks=False)
    except OSError:
        return b""


def _owned_by(capability: bytes, root: int) -> bytes:
    """File capabilities that count in the user namespace whose root is `root` (linux/capability.h, revision 3)."""
    if len(capability) < 20 or capability[3] not in (2, 3):
        return capability
    return capability[:3] + b"\x03" + capability[4:20] + root.to_bytes(4, "little")
