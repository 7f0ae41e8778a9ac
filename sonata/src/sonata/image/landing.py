"""What a pull needs of a store, and what it hands over. The store itself is a sibling: the engine joins the two."""

from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.models.ids import Digest, ImageId, LayerId
from sonata_core.models.image import ManifestBytes
from sonata_core.models.storage import UnpackTarget
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable


class PulledLayer(Record):
    """A layer that was unpacked. Sizes in bytes; `compression` in the words of `layers.compress.Compression`.

    `tar_split` is the finished file in the stage; `table` a zstd:chunked layer's table of contents, packed as it came.
    """

    id: LayerId
    parent: LayerId | None
    diff_digest: Digest
    diff_size: int
    compressed_digest: Digest
    compressed_size: int
    compression: str
    uids: tuple[int, ...]
    gids: tuple[int, ...]
    tar_split: str
    table: bytes = b""


class PulledImage(Record):
    """An image whose layers are all in the store.

    `config` is None for what has none of its own (schema 1); `index` is what the manifest was chosen from.
    `created` is the config's text, verbatim. `signatures` are the stored ones of the manifest.
    """

    id: ImageId
    layer: LayerId | None
    manifest: ManifestBytes
    config: bytes | None
    config_digest: Digest
    index: ManifestBytes | None
    created: str
    signatures: tuple[bytes, ...] = ()


class LandingStage(Protocol):
    """Where one layer is unpacked; `target` is None where only the parent's copy, under the lock, will do."""

    target: UnpackTarget | None
    tar_split: str

    def close(self) -> None:
        """Remove what was not put into the store. Idempotent."""


class Landing(Protocol):
    """The store as a pull sees it. `stage` and `layer_id` may be called from several threads at once."""

    def layer_id(self, parent: LayerId | None, diff_id: Digest) -> LayerId:
        """The id of a layer with that content on that parent."""

    def has_layer(self, layer: LayerId) -> bool:
        """Whether the store has a complete layer of that id."""

    def has_image(self, image: ImageId, manifest: Digest) -> bool:
        """Whether the store has an image of that id, all its layers, and that manifest as the one that came last."""

    def config_of(self, config: Digest, manifest: Digest) -> bytes | None:
        """The config of an image that is here with that manifest, if its bytes have their digest; else None."""

    def stage(self) -> LandingStage:
        """Begin a layer."""

    def put_layer(
        self,
        make: "Callable[[UnpackTarget | None], PulledLayer]",
        layer: LayerId,
        parent: LayerId | None,
        stage: LandingStage,
    ) -> None:
        """Put a layer in its place. `make` is called once: with None where the stage was filled, else with
        the folder to fill, the store's lock being held; it returns the facts for the record.

        Raises NotFound, with `layer` among its details, where the parent is not there.
        """

    def put_image(self, image: PulledImage) -> None:
        """Record the image, all of it at once, with the names that the engine chose.

        Raises NotFound, with `layer` among its details, where its top layer is not there.
        """
