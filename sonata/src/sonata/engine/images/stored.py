"""An image of the store as a push wants it: its own bytes, and layers as the very tars that they came from."""

from __future__ import annotations

import os
from contextlib import contextmanager

from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from sonata.image.layers.heads import OfSplit
    from sonata.image.layers.tarsplit import InFolders
    from sonata.image.push import StoredImage
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata.store.store import Store
    from sonata_core.models.storage import LayerRef, UnpackTarget

    Contents = Callable[[LayerRef], tuple[UnpackTarget, ...]]


def stored_image(store: Store, contents: Contents, record: ImageRecord, digest: str = "") -> StoredImage:
    """Everything that a push needs; layers are read when they are opened.

    `contents` is the storage slot's `storage_contents`; `digest` chooses among several manifests of the image, by
    default it is the one that came last. Raises NotFound for a missing layer, Damaged for an
    image that has no manifest or whose layers do not fit it.
    """
    from sonata.image.legacy_config import from_legacy
    from sonata.image.manifest import Index, LegacyManifest, Manifest, parse_bytes
    from sonata.image.push import StoredImage, StoredLayer
    from sonata_core.models.image import ManifestBytes
    from sonata_core.sdk.manifests import digest_of

    try:
        content = store.image_data(record, _manifest_key(record, digest))
    except NotFound as error:
        raise Damaged(f"image {record.id} has no manifest in the store", hint="pull it again") from error
    document = parse_bytes(content)
    if isinstance(document, Index):
        raise Damaged(f"{record.id} is a manifest list, no image", hint="`manifest push` pushes lists")
    chain = layer_chain(store, record)
    if isinstance(document, LegacyManifest):
        config = from_legacy(document, tuple(layer.diff_digest for layer in chain))
    else:
        assert isinstance(document, Manifest)
        config = store.image_data(record, document.config.digest)
    layers = tuple(
        StoredLayer(diff_digest=layer.diff_digest, diff_size=layer.diff_size, open_tar=_opener(store, contents, layer))
        for layer in chain
    )
    manifest = ManifestBytes(media_type=document.media_type, digest=digest_of(content), content=content)
    return StoredImage(manifest=manifest, config=config, layers=layers)


def _manifest_key(record: ImageRecord, digest: str) -> str:
    keys = [key for key, one in record.big_data_digests.items() if key.startswith("manifest") and one == digest]
    return keys[0] if keys else "manifest"


def layer_chain(store: Store, record: ImageRecord) -> list[LayerRecord]:
    """The image's layers, base first. Raises NotFound."""
    known = store.layers()
    chain: list[LayerRecord] = []
    at = record.layer
    while at is not None:
        if at not in known:
            raise NotFound(f"layer {at} of image {record.id} is not known", hint="`system check` tells more")
        chain.append(known[at])
        at = known[at].parent
    return chain[::-1]


def _opener(store: Store, contents: Contents, layer: LayerRecord) -> Callable[[], BinaryIO]:
    return lambda: open_layer(store, contents, layer)


def open_layer(store: Store, contents: Contents, layer: LayerRecord) -> BinaryIO:
    """The exact tar that a layer was unpacked from. Raises Damaged where it cannot be made again."""
    from sonata.image.layers.compress import Pieces

    return Pieces(_pieces(_tar_split(store, layer), contents(layer.ref)))  # type: ignore[return-value]


def _tar_split(store: Store, layer: LayerRecord) -> str:
    path = store.tar_split(layer.id)
    if path is None:
        raise Damaged(f"layer {layer.id} has no tar-split data: its tar cannot be made again", hint="pull it again")
    return path


@contextmanager
def open_heads(store: Store, contents: Contents, layer: LayerRecord) -> Iterator[OfSplit]:
    """The headers of a layer's tar, and the beginnings of the files that are wanted. Raises Damaged as `open_layer`."""
    from sonata.image.layers.heads import OfSplit
    from sonata.image.layers.tarsplit import entries

    with _opened(_tar_split(store, layer), contents(layer.ref)) as (record, find):
        yield OfSplit(entries(record), find)


def _pieces(path: str, targets: tuple[UnpackTarget, ...]) -> Iterator[bytes]:
    from sonata.image.layers.tarsplit import reassemble

    with _opened(path, targets) as (record, find):
        yield from reassemble(record, find)


@contextmanager
def _opened(path: str, targets: tuple[UnpackTarget, ...]) -> Iterator[tuple[BinaryIO, InFolders]]:
    """A layer's tar-split data, and what opens the layer's files."""
    from sonata.image.layers.tarsplit import InFolders

    folders: list[int] = []
    try:
        for target in targets:
            folders.append(os.open(target.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        with open(path, "rb") as record, InFolders(tuple(folders)) as find:
            yield record, find
    finally:
        for folder in folders:
            os.close(folder)
