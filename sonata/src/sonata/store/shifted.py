"""An image's top layer once more, with the owners of a user namespace: for drivers that cannot show it so.

The copy is recorded as peers record theirs: a layer of a random id with the maps it lies by, in the image's
`mapped-layers`, which every container with these maps stands on. It goes with the image.
"""

from __future__ import annotations

import os
import time

from sonata.store.images import Images
from sonata.store.layers import Layers
from sonata.store.names import format_time, new_id
from sonata.store.records import map_rows
from sonata.store.table import trouble
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.storage import LayerOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.store.layers import Opener
    from sonata.store.locks import Locks
    from sonata.store.place import Place
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata.store.table import Row
    from sonata_core.models.ids import ImageId, LayerId
    from sonata_core.models.process import IdMapping

_COPIED = ("compressed-diff-digest", "compressed-size", "diff-digest", "diff-size", "compression", "uidset", "gidset")


class Shifted:
    """The mapped copies of images' layers, under layers.lock and images.lock."""

    def __init__(self, place: Place, locks: Locks, driver: Opener) -> None:
        self._place = place
        self._layers = Layers(place, locks, driver)
        self._images = Images(place, locks)

    def layer(self, image: ImageId, mapping: IdMapping, shift: Callable[[LayerRecord], None]) -> LayerId:
        """The layer to stand a container with these maps on, made if there is none.

        `shift` changes the owners of a new layer's files, which show those of the image. Raises NotFound.
        """
        record = self._images.find(image)
        if record is None or record.layer is None:
            raise NotFound(f"image {image} has no layer in a writable store")
        wanted = (map_rows(mapping.uids), map_rows(mapping.gids))
        for known in record.mapped_layers:
            found = self._layers.find(known)
            if found is not None and (found.data.get("uidmap"), found.data.get("gidmap")) == wanted:
                return known
        return self._make(record, self._layers.get(record.layer), wanted, shift)

    def _make(
        self,
        image: ImageRecord,
        template: LayerRecord,
        wanted: tuple[list[Row], list[Row]],
        shift: Callable[[LayerRecord], None],
    ) -> LayerId:
        row: Row = {"id": new_id()}
        if template.parent is not None:
            row["parent"] = template.parent
        row["created"] = format_time(time.time_ns())
        row.update({key: template.data[key] for key in _COPIED if key in template.data})
        row["uidmap"], row["gidmap"] = wanted
        made = self._layers.create(row, template, LayerOptions(writable=True))
        try:
            shift(made)
            self._copy_tar_split(template.id, made.id)
        except BaseException:
            self._layers.delete(made)
            raise
        self._layers.complete(made, durable=True)
        image.data["mapped-layers"] = [*image.mapped_layers, made.id]
        self._images.save(image.store)
        return made.id

    def _copy_tar_split(self, template: LayerId, made: LayerId) -> None:
        """One more name for the file from which the layer's tar is made again, where there is one."""
        try:
            os.link(self._place.tar_split(template), self._place.tar_split(made))
        except FileNotFoundError:
            return
        except OSError as error:
            raise trouble(error, f"tar-split of layer {made}") from error
