"""The store as a pull sees it: `image` and `store` are siblings, and here they meet."""

from __future__ import annotations

from sonata.store.names import layer_id
from sonata.store.pulled import pulled_image
from sonata.store.records import NewLayer
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ImageId

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.image.landing import LandingStage, PulledImage, PulledLayer
    from sonata.store.records import ImageRecord
    from sonata.store.store import LayerStage, Store
    from sonata_core.models.ids import Digest, LayerId
    from sonata_core.models.storage import UnpackTarget

_COMPRESSION = {"uncompressed": 0, "bzip2": 1, "gzip": 2, "xz": 3, "zstd": 4}
"""The numbers that records have for `image.layers.compress.Compression`."""


class StoreLanding:
    """`image.landing.Landing` on a store. An image that is new there has these names from its beginning."""

    def __init__(self, store: Store, names: tuple[str, ...] = ()) -> None:
        self._store = store
        self._names = names

    def layer_id(self, parent: LayerId | None, diff_id: Digest) -> LayerId:
        """The id of a layer with that content on that parent."""
        return layer_id(parent, diff_id)

    def has_layer(self, layer: LayerId) -> bool:
        """Whether the store has a complete layer of that id."""
        return layer in self._store.layers()

    def has_image(self, image: ImageId, manifest: Digest) -> bool:
        """Whether the store has an image of that id with that manifest as its last one, and all its layers."""
        found = self._whole(image, manifest)
        return found is not None and found.big_data_digests.get("manifest") == manifest

    def _whole(self, image: ImageId, manifest: Digest) -> ImageRecord | None:
        found = next((one for one in self._store.images() if one.id == image), None)
        if found is None or found.read_only or manifest not in found.digests:
            return None
        layers = self._store.layers()
        top = found.layer
        while top is not None:
            if top not in layers:
                return None
            top = layers[top].parent
        return found

    def config_of(self, config: Digest, manifest: Digest) -> bytes | None:
        """The config of an image that is here in full, if its bytes have their digest."""
        import hashlib

        found = self._whole(ImageId(config.removeprefix("sha256:")), manifest)
        if found is None:
            return None
        try:
            content = self._store.image_data(found, config)
        except (NotFound, Damaged):
            return None
        return content if config == f"sha256:{hashlib.sha256(content).hexdigest()}" else None

    def stage(self) -> LayerStage:
        """Begin a layer."""
        return self._store.stage()

    def put_layer(
        self,
        make: Callable[[UnpackTarget | None], PulledLayer],
        layer: LayerId,
        parent: LayerId | None,
        stage: LandingStage,
    ) -> None:
        """Put a layer in its place; filled before, or now, over its parent's copy."""
        if stage.target is not None:
            self._store.put_layer(_new_layer(make(None)), stage)
        else:
            bare = NewLayer(id=layer, parent=parent)
            self._store.put_layer(bare, stage, lambda target: _new_layer(make(target)))

    def put_image(self, image: PulledImage) -> None:
        """Record the image."""
        config = (image.config_digest, image.config) if image.config is not None else None
        self._store.put_image(
            pulled_image(
                image.id,
                image.layer,
                manifest=image.manifest,
                index=image.index,
                config=config,
                created=image.created,
                signatures=image.signatures,
                names=self._names,
            )
        )


def _new_layer(pulled: PulledLayer) -> NewLayer:
    return NewLayer(
        id=pulled.id,
        parent=pulled.parent,
        diff_digest=pulled.diff_digest,
        diff_size=pulled.diff_size,
        compressed_digest=pulled.compressed_digest,
        compressed_size=pulled.compressed_size,
        compression=_COMPRESSION[pulled.compression],
        uids=pulled.uids,
        gids=pulled.gids,
        tar_split=pulled.tar_split,
        table=pulled.table,
    )
