"""Whether the files of the store's layers are those that were unpacked: their tars are made again and compared."""

from __future__ import annotations

from sonata.engine.images.stored import open_layer
from sonata.engine.storage import ignores_owners
from sonata.store.check import Truth
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import LayerRecord
    from sonata_core.models.ids import LayerId


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
    import zlib

    from sonata.image.layers.agree import layer_differences

    # Owners of a layer that was made for another user namespace are others than its tar's.
    own = not layer.data.get("uidmap") and not ignores_owners(engine)
    try:
        target = engine.storage.hook.storage_contents(layer=layer.ref)[0]
        stream = open_layer(engine.store, lambda ref: engine.storage.hook.storage_contents(layer=ref), layer)
        digest, size, told = layer_differences(
            stream, target.path, target.format, nodes=not engine.facts.rootless, any_owner=not own
        )
    except NotFound:
        return None
    except Damaged as error:
        return Truth(evidence=error.message)
    except (OSError, EOFError, zlib.error) as error:
        return Truth(evidence=f"its tar cannot be made again: {error}")
    if digest != layer.diff_digest:
        return Truth(evidence=f"its tar has the digest {digest}, and should have {layer.diff_digest}")
    return Truth(evidence="; ".join(told), size=size)
