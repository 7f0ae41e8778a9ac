"""The hooks of a storage driver. Clauses: docs/contract/storage.md."""

from sonata_core.hookspecs.plugin import PluginHooks
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.markers import hookspec

if TYPE_CHECKING:
    from sonata_core.models.ids import LayerId
    from sonata_core.models.mount import MountPlan
    from sonata_core.models.storage import (
        Change,
        LayerFacts,
        LayerOptions,
        LayerRef,
        MountOptions,
        StorageFacts,
        StorageFinding,
        UnpackTarget,
        Usage,
    )


class StorageHooks(PluginHooks, Protocol):
    """What containers/storage calls a graph driver.

    It owns its folder under the graph root, returns mounts and mounts nothing.

    The engine holds `layers.lock` for writing around create, remove and mount; a plugin takes no
    store lock. Records and tar-split are the engine's.
    """

    @hookspec()
    def storage_facts(self) -> "StorageFacts":
        """S-13. Format and abilities on this host. Raises HostLacks when it cannot work here, with its reason."""

    @hookspec()
    def storage_stage(self, options: "LayerOptions") -> "UnpackTarget | None":
        """S-14. A private folder to unpack into while no lock is held.

        None where this driver can only unpack over the parent's copy.
        """

    @hookspec()
    def storage_unstage(self, staged: "UnpackTarget") -> None:
        """S-14. Give a stage up, whether it was put in place or not. Absent is success."""

    @hookspec()
    def storage_create(
        self, layer: "LayerRef", parent: "LayerRef | None", options: "LayerOptions", staged: "UnpackTarget | None"
    ) -> "UnpackTarget":
        """S-01, S-02, S-03, S-04, S-12, S-18. Make an empty child of `parent`, or put a stage in place by rename.

        Raises AlreadyExists.
        """

    @hookspec()
    def storage_contents(self, layer: "LayerRef") -> "tuple[UnpackTarget, ...]":
        """S-06, S-07. Folders with this layer's own files, nearest first, and their format. Raises NotFound."""

    @hookspec()
    def storage_mounts(self, layer: "LayerRef", options: "MountOptions") -> "MountPlan":
        """S-01, S-08, S-10, S-11. What to mount to see the layer.

        The same answer for the same layer, also after a restart.
        """

    @hookspec()
    def storage_info(self, layer: "LayerRef") -> "LayerFacts":
        """S-15. What lies in the driver's folder of this layer. Raises NotFound."""

    @hookspec()
    def storage_list(self) -> "tuple[LayerId, ...]":
        """S-15. Every layer in the driver's folder of the writable store, recorded or not."""

    @hookspec()
    def storage_usage(self, layer: "LayerRef") -> "Usage":
        """S-09. Own bytes on disk and inodes, without parents."""

    @hookspec()
    def storage_remove(self, layer: "LayerRef") -> None:
        """S-05, S-12. Remove the layer's folder and links; absent is success, half-made too.

        Raises InUse for a parent of another.
        """


class StorageChanges(Protocol):
    """Optional: a difference found faster than by walking both trees."""

    @hookspec()
    def storage_changes(self, layer: "LayerRef", parent: "LayerRef | None") -> "tuple[Change, ...]":
        """S-16. Paths that differ from the parent, sorted."""


class StorageWithdraw(Protocol):
    """Optional: a layer is out of the way at once, however long it takes to delete its files."""

    @hookspec()
    def storage_withdraw(self, layer: "LayerRef") -> "UnpackTarget | None":
        """S-19. Have the layer gone, its files a stage: `storage_unstage` deletes them when no lock is held.

        None: not here, so that it is to be removed. Raises InUse for a parent of another.
        """


class StorageCheck(Protocol):
    """Optional: what is wrong in the driver's own folder that the records cannot tell."""

    @hookspec()
    def storage_check(self, repair: bool) -> "tuple[StorageFinding, ...]":
        """S-17. Stages of the dead, links to nothing, layers without their link. With `repair` they are mended."""
