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


_TWIG, _LEAF = "├── ", "└── "
_BRANCH, _BLANK = "│   ", "    "


def tree(engine: Engine, name: str, *, whatrequires: bool = False) -> ImageTree:
    """The tree of an image; with `whatrequires` that of all that is built upon it. Raises NotFound."""
    image, _ = lookup.get(engine, name)
    known = engine.store.layers()
    tags: dict[str | None, list[str]] = {}
    for other in engine.store.images():
        tags.setdefault(other.layer, []).extend(_tags(other.names))
    walk = _above if whatrequires else _below
    layers = walk(known, image.layer) if image.layer else ()
    twigs = (
        Twig(layer=one.id, size=max(one.diff_size, 0), tags=tuple(tags.get(one.id, ())), lead=lead)
        for one, lead in layers
    )
    return ImageTree(image=image.id, tags=_tags(image.names), size=size_of(image, known), layers=tuple(twigs))


def _tags(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if "@" not in name)


def _below(known: Mapping[LayerId, LayerRecord], top: LayerId) -> list[tuple[LayerRecord, str]]:
    chain: list[LayerRecord] = []
    at: LayerId | None = top
    while at is not None and at in known:
        chain.append(known[at])
        at = known[at].parent
    return [(one, _LEAF if one is chain[0] else _TWIG) for one in reversed(chain)]


class _Node:
    """A layer, and what is shown below it."""

    def __init__(self, layer: LayerRecord) -> None:
        self.layer = layer
        self.below: list[_Node] = []


def _above(known: Mapping[LayerId, LayerRecord], base: LayerId) -> list[tuple[LayerRecord, str]]:
    """The base, and what is upon it. As in Podman what has no sibling opens no branch."""
    children: dict[LayerId | None, list[LayerId]] = {}
    for layer in known.values():
        children.setdefault(layer.parent, []).append(layer.id)
    top: list[_Node] = []
    waiting = [(base, top)]
    while waiting:
        at, beside = waiting.pop()
        node = _Node(known[at])
        beside.append(node)
        alone = known[at].parent is None or len(children[known[at].parent]) == 1
        waiting += [(one, beside if alone else node.below) for one in reversed(children.get(at, []))]
    return _lines(top)


def _lines(top: list[_Node]) -> list[tuple[LayerRecord, str]]:
    found = []
    waiting = [(node, "", node is top[-1]) for node in reversed(top)]
    while waiting:
        node, lead, last = waiting.pop()
        found.append((node.layer, lead + (_LEAF if last else _TWIG)))
        deeper = lead + (_BLANK if last else _BRANCH)
        waiting += [(one, deeper, one is node.below[-1]) for one in reversed(node.below)]
    return found
