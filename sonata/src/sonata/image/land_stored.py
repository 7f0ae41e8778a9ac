"""An image of one store into another: its own manifest and config, layers as the tars that they came from."""

from __future__ import annotations

from sonata.image.landing import PulledImage
from sonata.image.layer_transfer import Layers
from sonata.image.manifest import Index, LegacyManifest, parse
from sonata.image.progress import Quiet
from sonata.image.transfer import chain_of, land
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor
from sonata_core.models.media import OCI_LAYER
from sonata_core.sdk.holding import HoldsNothing

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata.image.landing import Landing
    from sonata.image.progress import Progress
    from sonata.image.pull_options import PullOptions
    from sonata.image.push import StoredImage
    from sonata_core.models.ids import ImageId
    from sonata_core.models.image import ManifestBytes

_BLOCK = 1 << 20


class _Tars(HoldsNothing):
    """The layers of a stored image as a source of blobs: each under the digest of its plain tar."""

    def __init__(self, image: StoredImage) -> None:
        self._image = image

    def resolve(self) -> ManifestBytes:
        return self._image.manifest

    def manifest(self, digest: Digest) -> ManifestBytes:
        raise NotFound(f"a store's image has no manifest {digest} beside its own")

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        layer = next(one for one in self._image.layers if one.diff_digest == blob.digest)
        stream = layer.open_tar()
        while offset and (part := stream.read(min(offset, _BLOCK))):
            offset -= len(part)
        return stream

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        return ()


def land_stored(
    image_id: ImageId, image: StoredImage, landing: Landing, options: PullOptions, progress: Progress | None = None
) -> None:
    """Put an image of a store into another store: id, manifest and digests are the same there. Without a name.

    Raises Damaged (the store's copy was changed), Unavailable.
    """
    from sonata.image.config import check_layers
    from sonata.image.config import parse as parse_config

    document = parse(image.manifest)
    if isinstance(document, Index):
        raise Damaged(f"{image_id} is a list of images, no image")
    described = parse_config(image.config)
    check_layers(described, len(image.layers))
    if landing.has_image(image_id, image.manifest.digest):
        return
    blobs = tuple(
        Descriptor(media_type=OCI_LAYER, digest=layer.diff_digest, size=layer.diff_size) for layer in image.layers
    )
    chain = chain_of(landing, described)
    legacy = isinstance(document, LegacyManifest)
    record = PulledImage(
        id=image_id,
        layer=chain[-1] if chain else None,
        manifest=image.manifest,
        config=None if legacy else image.config,
        config_digest=Digest(f"sha256:{image_id}") if legacy else document.config.digest,  # type: ignore[union-attr]
        index=None,
        created=described.created,
    )
    told = progress or Quiet()
    land(landing, record, lambda: Layers(_Tars(image), landing, options, told).bring(blobs, chain, described))
