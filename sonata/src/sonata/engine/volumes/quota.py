"""The quota of a volume's folder."""

from __future__ import annotations

from sonata.host.quota import limit_folder
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.objects import Volume


def limit(engine: Engine, volume: Volume, folder: str) -> None:
    """Bound what a volume may take. Raises HostLacks where the file system cannot."""
    engine.log.info("volume_quota", volume=volume.name, size=volume.size, inodes=volume.inodes)
    limit_folder(folder, volume.size, volume.inodes)
