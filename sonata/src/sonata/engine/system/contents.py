"""Whether the files of the store's layers are those that were unpacked: every layer's tar is made again and hashed."""

from __future__ import annotations

from sonata.engine.images.stored import open_layer
from sonata.store.check import Truth
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import LayerRecord
    from sonata_core.models.ids import LayerId

_PIECE = 1 << 20


def read_layers(engine: Engine) -> dict[LayerId, Truth]:
    """Read every layer that has come from an image. Takes no lock: what goes away meanwhile is left out."""
    found: dict[LayerId, Truth] = {}
    try:
        layers = engine.store.layers()
    except Damaged:
        # The store's own check tells of records that cannot be read.
        return found
    for layer in layers.values():
        if layer.read_only or not layer.diff_digest or engine.store.tar_split(layer.id) is None:
            continue
        truth = _read(engine, layer)
        if truth is not None and layer.id in engine.store.layers():
            found[layer.id] = truth
    return found


def _read(engine: Engine, layer: LayerRecord) -> Truth | None:
    import hashlib
    import zlib

    digest, size = hashlib.sha256(), 0
    try:
        stream = open_layer(engine.store, lambda ref: engine.storage.hook.storage_contents(layer=ref), layer)
        while part := stream.read(_PIECE):
            digest.update(part)
            size += len(part)
    except NotFound:
        return None
    except Damaged as error:
        return Truth(evidence=error.message)
    except (OSError, EOFError, zlib.error) as error:
        return Truth(evidence=f"its tar cannot be made again: {error}")
    if f"sha256:{digest.hexdigest()}" != layer.diff_digest:
        return Truth(
            evidence=f"its tar has the digest sha256:{digest.hexdigest()}, and should have {layer.diff_digest}"
        )
    return Truth(size=size)
