"""Whether the files of the store's layers are those that were unpacked: their tars are made again and compared."""

from __future__ import annotations

from sonata.engine.storage import ignores_owners
from sonata.store.check import Truth
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sonata.engine.engine import Engine
    from sonata.image.layers.members import Members
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
    below: list[Members | None] = []
    for depth, layer in _from_the_base_up(layers):
        del below[depth:]
        truth, members = _read(engine, layer, below)
        below.append(members)
        if truth is not None and layer.id in engine.store.layers():
            found[layer.id] = truth
    return found


def _from_the_base_up(layers: Mapping[LayerId, LayerRecord]) -> Iterator[tuple[int, LayerRecord]]:
    """Every layer after the one that it stands on, and how many it stands on; those that stand on none first."""
    above: dict[LayerId | None, list[LayerRecord]] = {}
    for layer in layers.values():
        above.setdefault(layer.parent if layer.parent in layers else None, []).append(layer)
    waiting = [(0, layer) for layer in reversed(above.get(None, []))]
    while waiting:
        depth, layer = waiting.pop()
        yield depth, layer
        waiting += [(depth + 1, one) for one in above.get(layer.id, [])]


def _read(engine: Engine, layer: LayerRecord, below: list[Members | None]) -> tuple[Truth | None, Members | None]:
    import zlib

    from sonata.image.layers.members import read_members

    path = engine.store.tar_split(layer.id)
    if layer.read_only or not layer.diff_digest or path is None:
        return None, None
    try:
        targets = engine.storage.hook.storage_contents(layer=layer.ref)
        members = read_members(path, tuple(one.path for one in targets))
        if members.digest != layer.diff_digest:
            text = f"its tar has the digest {members.digest}, and should have {layer.diff_digest}"
            return Truth(evidence=text), None
        told = _told(engine, layer, members, below)
    except NotFound:
        return None, None
    except Damaged as error:
        return Truth(evidence=error.message), None
    except (OSError, EOFError, zlib.error) as error:
        return Truth(evidence=f"its tar cannot be made again: {error}"), None
    kept = members if targets[0].format is LayerFormat.PLAIN else None
    return Truth(evidence="; ".join(told), size=members.size), kept


def _told(engine: Engine, layer: LayerRecord, members: Members, below: list[Members | None]) -> list[str]:
    """What the layer's folder has otherwise than its tar; nothing where files of an unknown layer lie among its own."""
    from sonata.image.layers.agree import Rules, layer_differences

    target = engine.storage.hook.storage_contents(layer=layer.ref)[0]
    merged = target.format is LayerFormat.PLAIN
    known = [one for one in below if one is not None]
    if merged and (len(known) != len(below) or (layer.parent and not below)):
        return []
    # Owners of a layer that was made for another user namespace are others than its tar's.
    any_owner = bool(layer.data.get("uidmap")) or ignores_owners(engine)
    rules = Rules(kind=target.format, nodes=not engine.facts.rootless, any_owner=any_owner)
    return layer_differences(target.path, members, known, rules)
