"""The table of plugin groups."""

from sonata_core.hookspecs.hooks import ContainerEvents, OciHooks, SpecAdjust
from sonata_core.hookspecs.net import (
    NetExplain,
    NetHooks,
    NetKeeper,
    NetLive,
    NetManaged,
    NetNames,
    NetReconcile,
    NetReload,
)
from sonata_core.hookspecs.runtime import RuntimeHooks, RuntimePause, RuntimeTune, RuntimeUpdate
from sonata_core.hookspecs.storage import StorageChanges, StorageCheck, StorageHooks, StorageWithdraw
from sonata_core.hookspecs.transport import (
    TransportBatch,
    TransportHooks,
    TransportLogin,
    TransportReferrers,
    TransportSearch,
    TransportSignatures,
    TransportTags,
    TransportWrite,
)
from sonata_core.record import Record


class Group(Record):
    """A kind of plugin. `slot`: exactly one provider is chosen; otherwise all that are enabled take part."""

    name: str
    major: int
    minor: int
    slot: bool
    required: type
    optional: tuple[type, ...]
    distributions: tuple[str, ...]
    """Bundled distributions of this group: what to name when one is missing."""

    @property
    def entry_points(self) -> str:
        """The entry-point group, such as `sonata.runtime.v1`."""
        return f"sonata.{self.name}.v{self.major}"

    @property
    def contract(self) -> str:
        """The contract of this core, such as `runtime/1.0`."""
        return f"{self.name}/{self.major}.{self.minor}"


RUNTIME = Group(
    name="runtime",
    major=1,
    minor=0,
    slot=True,
    required=RuntimeHooks,
    optional=(RuntimeTune, RuntimePause, RuntimeUpdate),
    distributions=("sonata-runtime-crun", "sonata-runtime-runc"),
)
NET = Group(
    name="net",
    major=1,
    minor=3,
    slot=True,
    required=NetHooks,
    optional=(NetManaged, NetLive, NetReload, NetExplain, NetKeeper, NetNames, NetReconcile),
    distributions=("sonata-net-netavark", "sonata-net-slirp4netns", "sonata-net-pasta", "sonata-net-cni"),
)
STORAGE = Group(
    name="storage",
    major=1,
    minor=1,
    slot=True,
    required=StorageHooks,
    optional=(StorageChanges, StorageCheck, StorageWithdraw),
    distributions=("sonata-storage-overlay", "sonata-storage-vfs"),
)
TRANSPORT = Group(
    name="transport",
    major=1,
    minor=2,
    slot=True,
    required=TransportHooks,
    optional=(
        *(TransportWrite, TransportTags, TransportBatch, TransportLogin, TransportSearch, TransportSignatures),
        TransportReferrers,
    ),
    distributions=(
        "sonata-transport-registry",
        "sonata-transport-oci",
        "sonata-transport-docker-archive",
        "sonata-transport-dir",
    ),
)
HOOKS = Group(
    name="hooks",
    major=1,
    minor=0,
    slot=False,
    required=OciHooks,
    optional=(SpecAdjust, ContainerEvents),
    distributions=("sonata-hooks-dir",),
)

GROUPS = {group.name: group for group in (RUNTIME, NET, STORAGE, TRANSPORT, HOOKS)}
