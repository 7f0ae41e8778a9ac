"""The record of a pulled image: which items it has, under which keys, in which order. Source: what peers write."""

from __future__ import annotations

from sonata.store.names import dump_json
from sonata.store.records import NewImage
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.store.table import Row
    from sonata_core.models.ids import Digest, ImageId, LayerId
    from sonata_core.models.image import ManifestBytes


def pulled_image(
    image: ImageId,
    layer: LayerId | None,
    *,
    manifest: ManifestBytes,
    index: ManifestBytes | None = None,
    config: tuple[Digest, bytes] | None = None,
    created: str = "",
    signatures: tuple[bytes, ...] = (),
    names: tuple[str, ...] = (),
) -> NewImage:
    """What `Store.put_image` takes. `index` is what the manifest was chosen from; `created` is the config's text."""
    items: list[tuple[str, bytes]] = []
    if config is not None:
        items.append(config)
    if index is not None:
        items.append((f"manifest-{index.digest}", index.content))
    items.append((f"manifest-{manifest.digest}", manifest.content))
    items.append(("manifest", manifest.content))
    metadata: Row = {}
    if signatures:
        sizes = [len(one) for one in signatures]
        joined = b"".join(signatures)
        metadata["signature-sizes"] = sizes
        metadata["signatures-sizes"] = {manifest.digest: sizes}
        items.append(("signatures", joined))
        items.append((f"signature-{manifest.digest.partition(':')[2]}", joined))
    return NewImage(
        id=image,
        layer=layer,
        big_data=tuple(items),
        names=names,
        digest=index.digest if index is not None else manifest.digest,
        metadata=dump_json(metadata).decode(),
        created=created,
    )
