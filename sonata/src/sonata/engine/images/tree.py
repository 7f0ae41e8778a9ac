"""The layers of an image, and which images begin with them."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.listing import size_of
from sonata.model.image_listing import ImageTree, Twig
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.engine.engine import Engine
    from sonata.store.records import LayerRecord
    from sonata_core.models.ids import LayerId


def tree(engine: Engine, name: str, *, whatrequires: bool = False) -> ImageTree:
    """The tree of an image; with `whatrequires` that of all that is built upon it. Raises NotFound."""
    image, _ = lookup.get(engine, name)
    known = engine.store.layers()
    tags: dict[str | None, list[str]] = {}
    for other in engine.store.images():
        tags.setdefault(other.layer, []).extend(_tags(other.names))
    walk = _above if whatrequires else _below
    layers = walk(known, image.layer) if image.layer else ()
    twigs = (Twig(layer=one.id, size=max(one.diff_size, 0), tags=tuple(tags.get(one.id, ()))) for one in layers)
    return ImageTree(image=image.id, tags=_tags(image.names), size=size_of(image, known), layers=tuple(twigs))


def _tags(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if "@" not in name)


def _below(known: Mapping[LayerId, LayerRecord], top: LayerId) -> list[LayerRecord]:
    chain: list[LayerRecord] = []
    at: LayerId | None = top
    while at is not None and at in known:
        chain.append(known[at])
        at = known[at].parent
    return chain[::-1]


def _above(known: Mapping[LayerId, LayerRecord], base: LayerId) -> list[LayerRecord]:
    children: dict[LayerId | None, list[LayerId]] = {}
    for layer in known.values():
        children.setdefault(layer.parent, []).append(layer.id)
    found: list[LayerRecord] = []
    waiting = [base]
    while waiting:
        at = waiting.pop()
        found.append(known[at])
        waiting += reversed(children.get(at, []))
    return found
