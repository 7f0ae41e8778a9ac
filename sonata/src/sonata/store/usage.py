"""What takes room in a store: by image, by container, and every byte below the graph root by what it is for."""

from __future__ import annotations

import os

from sonata.store.containers import read_containers
from sonata.store.images import nearest, read_images
from sonata.store.layers import read_layers
from sonata.store.records import ImageRecord, LayerRecord
from sonata.store.usage_models import ContainerUsage, ImageUsage, StoreUsage
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import LayerId
from sonata_core.sdk.trees import tree_usage

if TYPE_CHECKING:
    from sonata.store.layers import Opener
    from sonata.store.place import Place


def chain(layers: dict[LayerId, LayerRecord], top: LayerId | None) -> list[LayerRecord]:
    """A layer and those below it, top first; ends where a record is missing."""
    found: list[LayerRecord] = []
    while top is not None and top in layers and len(found) <= len(layers):
        found.append(layers[top])
        top = layers[top].parent
    return found


def image_size(image: ImageRecord, layers: dict[LayerId, LayerRecord]) -> int:
    """Bytes of an image as Podman shows them: its uncompressed layers and its big data."""
    data = sum(int(size) for size in image.big_data_sizes.values())
    return data + sum(layer.diff_size for layer in chain(layers, image.layer))


def measure(place: Place, driver: Opener) -> StoreUsage:
    """Walk everything below the graph root. Takes no lock: what goes away meanwhile counts as absent."""
    layers = read_layers(place)
    containers = read_containers(place)
    images = nearest(read_images(place))
    chains = {image.id: chain(layers, image.layer) for image in images}
    holders: dict[LayerId, int] = {}
    for links in chains.values():
        for layer in links:
            holders[layer.id] = holders.get(layer.id, 0) + 1
    shown = tuple(
        ImageUsage(
            id=image.id,
            names=image.names,
            size=image_size(image, layers),
            shared=sum(layer.diff_size for layer in chains[image.id] if holders[layer.id] > 1),
            containers=sum(one.image == image.id for one in containers),
            read_only=image.read_only,
        )
        for image in images
    )
    own = tuple(
        ContainerUsage(id=one.id, names=one.names, size=_layer_bytes(driver, layers.get(one.layer)))
        for one in containers
    )
    return StoreUsage(images=shown, containers=own, folders=folder_bytes(place))


def _layer_bytes(driver: Opener, layer: LayerRecord | None) -> int:
    if layer is None:
        return 0
    try:
        return driver().storage_usage(layer=layer.ref).bytes
    except NotFound:
        return 0


def folder_bytes(place: Place) -> dict[str, int]:
    """Bytes on disk of each entry of the writable roots, by path; the root itself is what their sum leaves."""
    found = {}
    for root in place.writable:
        try:
            names = sorted(os.listdir(root))
        except FileNotFoundError:
            continue
        for name in names:
            path = os.path.join(root, name)
            found[path] = tree_usage(path)[0]
        found[root] = os.lstat(root).st_blocks * 512
    return found
