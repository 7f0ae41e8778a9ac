"""`volume export` and `volume import`: a volume's content as a tar."""

from __future__ import annotations

from sonata.engine.volumes.mounting import Mounted
from sonata.state import objects
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

    from sonata.engine.engine import Engine


def export(engine: Engine, name: str) -> Generator[bytes, None, None]:
    """The tar in pieces; nothing is mounted before the first is asked for. No link in the volume is followed.

    Raises NotFound, Unavailable and what mounting the volume raises.
    """
    return _pieces(engine, objects.find_volume(engine.database, name))


def _pieces(engine: Engine, volume: objects.Volume) -> Generator[bytes, None, None]:
    from sonata.image.layers.diff import tree_tar

    with Mounted(engine, volume) as path:
        yield from tree_tar(path, root=False)


def import_tar(engine: Engine, name: str, tar: BinaryIO) -> None:
    """Unpack a tar, compressed or not, over what the volume has. Nothing is written outside, whatever it holds.

    Names that mean deletions in layers are plain names here. What was unpacked before an error stays.
    Raises NotFound, Damaged, Denied, Unavailable.
    """
    from sonata.image.layers.apply import apply_layer
    from sonata.image.layers.compress import decompressed
    from sonata_core.models.storage import LayerFormat, UnpackTarget

    volume = objects.find_volume(engine.database, name)
    with Mounted(engine, volume) as path:
        target = UnpackTarget(path=path, format=LayerFormat.OVERLAY_FUSE)
        try:
            apply_layer(decompressed(tar), target, rootless=engine.facts.rootless)
        except Damaged as error:
            text = f"extracting into volume {volume.name}: unpacking failed ({error.message})"
            raise Damaged(text, error.hint) from error
