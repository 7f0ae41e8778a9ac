"""`image inspect`, `history` and `image exists`."""

from __future__ import annotations

from sonata.engine.graph import graph_driver
from sonata.engine.images import lookup
from sonata.engine.images.listing import size_of
from sonata.image import view
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord


def inspect(engine: Engine, name: str) -> dict[str, Any]:
    """The object that `inspect` shows for an image. Raises NotFound, Damaged."""
    from sonata.engine.images.kinship import Kinship

    try:
        image, _ = lookup.get(engine, name)
    except UsageError as error:
        # What is no name is not here either: what else was asked for is shown all the same.
        raise NotFound(error.message, name=name, hint=error.hint) from error
    parent = Kinship(engine).parent(image)
    return view.inspect(shown(engine, image, name), graph_driver(engine, image.layer), parent.id if parent else "")


def shown(engine: Engine, image: ImageRecord, asked: str = "") -> view.ImageView:
    """What the store has of an image, read; `asked`: as what it was found. Raises Damaged."""
    content = engine.store.image_data(image, "manifest")
    stored = view.StoredImage(
        id=image.id,
        manifest=ManifestBytes(content=content, media_type="", digest=_digest(image, asked)),
        config=engine.store.image_data(image, f"sha256:{image.id}"),
        names=image.names,
        names_history=image.names_history,
        digests=tuple(image.digests),
        size=size_of(image, engine.store.layers()),
    )
    return view.view(stored)


def _digest(image: ImageRecord, asked: str) -> Digest:
    """Of an image's manifests the one that Podman shows: its own, also where it came through an index.

    Asked for by a digest, it is that one; by an id, what the record has: the index's, or the first of several.
    """
    named = asked.partition("@")[2]
    if named in image.digests:
        return Digest(named)
    if image.digest and image.id.startswith(asked.removeprefix("sha256:") or "-"):
        return image.digest
    return Digest(str(image.big_data_digests.get("manifest") or image.digest))


def history(engine: Engine, name: str) -> tuple[view.HistoryRow, ...]:
    """The steps of an image, newest first. Raises NotFound, Damaged."""
    image, _ = lookup.get(engine, name)
    layers = engine.store.layers()
    tops: dict[str, list[ImageRecord]] = {}
    for other in engine.store.images():
        tops.setdefault(other.layer or "", []).append(other)
    chain = []
    layer = image.layer
    while layer and layer in layers:
        of_it = tops.get(layer, [])
        use = view.LayerUse(size=max(layers[layer].diff_size, 0))
        names = tuple(name for one in of_it for name in one.names)
        chain.append(use.replace(image_id=of_it[0].id, tags=names) if of_it else use)
        layer = layers[layer].parent
    return view.history(shown(engine, image), chain[::-1])


def exists(engine: Engine, name: str) -> bool:
    """Is there such an image?"""
    return lookup.find(engine, name) is not None
