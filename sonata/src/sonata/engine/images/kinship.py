"""Which image of the store was built upon which.

There is no record of it. As in Podman: a child has its parent's layers first, and its parent's history and one step
more; its top layer is the parent's, or lies on that.
"""

from __future__ import annotations

from sonata.engine.images.facts import read_config
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.model.image import ImageConfig
    from sonata.store.records import ImageRecord
    from sonata_core.models.ids import ImageId, LayerId


class Kinship:
    """The images of one moment. Configs are read when they are asked for, each once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._by_top: dict[LayerId | None, list[ImageRecord]] = {}
        for image in engine.store.images():
            self._by_top.setdefault(image.layer, []).append(image)
        self._below = {layer.id: layer.parent for layer in engine.store.layers().values()}
        self._above: dict[LayerId, list[LayerId]] = {}
        for layer, parent in self._below.items():
            if parent is not None:
                self._above.setdefault(parent, []).append(layer)
        self._configs: dict[ImageId, ImageConfig | None] = {}

    def has_children(self, image: ImageRecord) -> bool:
        """Was another image built upon this one?"""
        tops = [image.layer, *(self._above.get(image.layer, ()) if image.layer else ())]
        return any(self._is_child(other, image) for top in tops for other in self._by_top.get(top, ()))

    def parent(self, image: ImageRecord) -> ImageRecord | None:
        """The image that this one was built upon, if the store has it."""
        tops = [image.layer]
        if image.layer and self._below.get(image.layer):
            tops.append(self._below[image.layer])
        found: Iterable[ImageRecord] = (one for top in tops for one in self._by_top.get(top, ()))
        return next((one for one in found if self._is_child(image, one)), None)

    def _is_child(self, child: ImageRecord, parent: ImageRecord) -> bool:
        if child.id == parent.id:
            return False
        below, above = self._config(parent), self._config(child)
        if below is None or above is None or above.diff_ids[: len(below.diff_ids)] != below.diff_ids:
            return False
        return len(above.history) == len(below.history) + 1 and above.history[:-1] == below.history

    def _config(self, image: ImageRecord) -> ImageConfig | None:
        """None for a list of images, and for what is damaged."""
        if image.id not in self._configs:
            try:
                self._configs[image.id] = read_config(self._engine, image)
            except (Damaged, NotFound):
                self._configs[image.id] = None
        return self._configs[image.id]
