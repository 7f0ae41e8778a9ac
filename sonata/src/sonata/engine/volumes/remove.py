"""Removing volumes."""

from __future__ import annotations

from sonata.engine.volumes.erasing import erase
from sonata.state import objects
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def remove(engine: Engine, name: str, *, force: bool = False, timeout: int | None = None) -> str:
    """Remove a volume and its content; its name. `force` removes the containers that use it.

    Raises NotFound, InUse, ExternalFailure.
    """
    volume = objects.find_volume(engine.database, name)
    if force:
        from sonata.engine.containers.freeing import remove_user

        for user in objects.volume_users(engine.database, volume.name):
            remove_user(engine, user, timeout=timeout)
    return erase(engine, volume.name, force=force)
