"""Where a volume's data are."""

from __future__ import annotations

from sonata.state import objects
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import MountUse


def folder(engine: Engine, use: MountUse) -> str:
    """The folder to bind for a volume; where it will be, if there is no such volume yet."""
    volume = objects.volume_named(engine.database, use.source)
    if volume is None:
        return mountpoint(engine, use.source)
    return volume.mountpoint if volume.driver == "local" else volume.mounted_at or f"‹{volume.driver}’s mount›"


def mountpoint(engine: Engine, name: str) -> str:
    """Where a new local volume's data go."""
    return f"{engine.config.paths.volume_path}/{name}/_data"


def is_mounted_for_use(volume: objects.Volume) -> bool:
    """Whether there is anything to mount before a volume can be used."""
    if volume.driver == "local" and not volume.options:
        return False
    from sonata.plan.volume_options import needs_mount

    return needs_mount(volume.driver, volume.options)
