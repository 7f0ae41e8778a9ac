"""What passes between the engine and a storage driver's plugin."""

from sonata_core.lite import Mapping, StrEnum
from sonata_core.models.ids import LayerId
from sonata_core.models.process import IdMapping
from sonata_core.record import Record


class LayerFormat(StrEnum):
    """How deletions and ownership lie on disk in a layer's folder."""

    PLAIN = "plain"
    """A merged tree: whiteouts are applied, nothing marks them."""
    OVERLAY_TRUSTED = "overlay-trusted"
    """0:0 character devices and `trusted.overlay.opaque`."""
    OVERLAY_USER = "overlay-user"
    """0:0 character devices and `user.overlay.opaque`."""
    OVERLAY_FUSE = "overlay-fuse"
    """`.wh.` files stay as they are."""


class StoreRoot(Record):
    """One store: `path` is its graph root, `run` its run root."""

    path: str
    run: str
    read_only: bool = False


class LayerRef(Record):
    """A layer, and the graph root of the store that has it."""

    store: str
    id: LayerId


class UnpackTarget(Record):
    """A folder to unpack a layer into, or to read one from."""

    path: str
    format: LayerFormat


class LayerOptions(Record):
    """How a new layer is to be. `size_limit` is in bytes, 0 for none."""

    writable: bool = False
    id_mapping: IdMapping | None = None
    size_limit: int = 0


class MountOptions(Record):
    """How a layer is to be seen."""

    read_only: bool = False
    label: str = ""
    volatile: bool = False
    id_mapping: IdMapping | None = None
    extra: tuple[str, ...] = ()


class LayerFacts(Record):
    """A layer as it lies in the driver's own folder."""

    id: LayerId
    parent: LayerId | None = None
    paths: tuple[str, ...] = ()


class Usage(Record):
    """What a layer takes by itself, without its parents: bytes on disk and inodes."""

    bytes: int
    inodes: int


class ChangeKind(StrEnum):
    """How a path differs from the parent's."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class Change(Record):
    """One path that differs from the parent; absolute within the layer."""

    path: str
    kind: ChangeKind


class StorageFacts(Record):
    """A storage driver. `status` is what `info` shows of it."""

    format: LayerFormat
    id_mapping: bool = False
    rootless: bool = True
    reflink: bool = False
    max_layers: int = 500
    backing_fs: str = ""
    status: Mapping[str, str] = {}


class StorageFinding(Record):
    """Something wrong in a driver's own folder. `repair` says what mending does (or did)."""

    what: str
    path: str
    evidence: str
    repair: str
    layer: LayerId | None = None
