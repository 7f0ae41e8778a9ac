"""The store as a pull sees it: joins `image.landing` and `store`, which do not know each other."""

from __future__ import annotations

from sonata.store.names import layer_id
from sonata.store.records import NewImage, NewLayer
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.image.landing import PulledImage, PulledLayer
    from sonata.store.store import LayerStage, Store
    from sonata_core.models.ids import Digest, ImageId, LayerId
    from sonata_core.models.storage import UnpackTarget

COMPRESSION_CODES = {"uncompressed": 0, "bzip2": 1, "gzip": 2, "xz": 3, "zstd": 4}
"""What layers.json calls them."""


class StoreLanding:
    """A `Landing` over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def layer_id(self, parent: LayerId | None, diff_id: Digest) -> LayerId:
        """As containers/storage computes it."""
        return layer_id(parent, diff_id)

    def has_layer(self, layer: LayerId) -> bool:
        """In any store."""
        return layer in self._store.layers()

    def has_image(self, image: ImageId, manifest: Digest) -> bool:
        """With that manifest, and every layer that it stands on."""
        layers = self._store.layers()
        for record in self._store.images():
            if record.id != image or manifest not in record.digests:
                continue
            at = record.layer
            while at is not None and at in layers:
                at = layers[at].parent
            return at is None
        return False

    def stage(self) -> LayerStage:
        """The store's own."""
        return self._store.stage()

    def put_layer(
        self,
        make: Callable[[UnpackTarget | None], PulledLayer],
        layer: LayerId,
        parent: LayerId | None,
        stage: LayerStage,
    ) -> None:
        """Under the store's lock."""
        if stage.target is not None:
            self._store.put_layer(_new_layer(make(None)), stage)
            return
        self._store.put_layer(NewLayer(id=layer, parent=parent), stage, lambda target: _new_layer(make(target)))

    def put_image(self, image: PulledImage) -> None:
        """With its big data in the order in which peers write them."""
        data: list[tuple[str, bytes]] = []
        if image.config is not None:
            data.append((image.config_digest, image.config))
        if image.index is not None:
            data.append((f"manifest-{image.index.digest}", image.index.content))
        data.append((f"manifest-{image.manifest.digest}", image.manifest.content))
        data.append(("manifest", image.manifest.content))
        metadata = "{}"
        if image.signatures:
            sizes = ",".join(str(len(one)) for one in image.signatures)
            plain, listed = (
                f'"signature-sizes":[{sizes}],',
                f'"signatures-sizes":{{"{image.manifest.digest}":[{sizes}]}}',
            )
            metadata = "{" + (plain if image.index is None else "") + listed + "}"
            joined = b"".join(image.signatures)
            if image.index is None:
                data.append(("signatures", joined))
            data.append((f"signature-{image.manifest.digest.partition(':')[2]}", joined))
        self._store.put_image(
            NewImage(
                id=image.id,
                layer=image.layer,
                big_data=tuple(data),
                digest=(image.index or image.manifest).digest,
                metadata=metadata,
                created=image.created,
            )
        )


def _new_layer(layer: PulledLayer) -> NewLayer:
    return NewLayer(
        id=layer.id,
        parent=layer.parent,
        diff_digest=layer.diff_digest,
        diff_size=layer.diff_size,
        compressed_digest=layer.compressed_digest,
        compressed_size=layer.compressed_size,
        compression=COMPRESSION_CODES[layer.compression],
        uids=layer.uids,
        gids=layer.gids,
        tar_split=layer.tar_split,
    )
