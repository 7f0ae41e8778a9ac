"""Signatures of an image of the store: one item of joined signatures for each manifest, and their sizes."""

from __future__ import annotations

from sonata_core import json_text
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.store.records import ImageRecord
    from sonata.store.store import Store
    from sonata_core.models.ids import Digest


def stored_signatures(store: Store, image: ImageRecord, manifest: Digest) -> tuple[bytes, ...]:
    """The stored signatures of one of the image's manifests. Raises Damaged where item and sizes do not agree."""
    sizes = _sizes(image, manifest)
    if not sizes:
        return ()
    try:
        joined = store.image_data(image, f"signature-{manifest.partition(':')[2]}")
    except NotFound:
        try:
            joined = store.image_data(image, "signatures")
        except NotFound as error:
            raise Damaged(f"image {image.id} lacks the signatures that its record speaks of") from error
    if sum(sizes) != len(joined):
        raise Damaged(f"the signatures of image {image.id} have {len(joined)} bytes, its record says {sum(sizes)}")
    found, at = [], 0
    for size in sizes:
        found.append(joined[at : at + size])
        at += size
    return tuple(found)


def _sizes(image: ImageRecord, manifest: Digest) -> list[int]:
    try:
        metadata = json_text.loads(image.data.get("metadata") or "{}")
    except ValueError:
        return []
    told = metadata.get("signatures-sizes") if isinstance(metadata, dict) else None
    sizes = told.get(manifest) if isinstance(told, dict) else None
    if not isinstance(sizes, list) or not all(type(one) is int and one > 0 for one in sizes):
        return []
    return sizes
