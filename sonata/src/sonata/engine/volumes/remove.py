"""Removing volumes."""

from __future__ import annotations

from sonata.engine import events
from sonata.state import objects
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def remove(engine: Engine, name: str, *, force: bool = False) -> str:
    """Remove a volume and its content; its name. `force` removes the containers that use it.

    Raises NotFound, InUse.
    """
    volume = objects.find_volume(engine.database, name)
    if force:
        from sonata.engine.containers.remove import remove as remove_container

        for user in objects.volume_users(engine.database, volume.name):
            remove_container(engine, user, force=True)
    with engine.locks.hold(f"volume-{volume.name}"):
        # The row goes first: a folder without a row is found and removed by `system check`.
        objects.remove_volume(engine.database, volume.name)
        remove_tree(volume.mountpoint.removesuffix("/_data"))
        engine.locks.forget(f"volume-{volume.name}")
    events.thing(engine, "volume", "remove", volume.name)
    return volume.name
