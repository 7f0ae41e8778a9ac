"""Containers whose state does not outlive a boot (`--transient-store`): what is left of them then is taken away.

Their rows are in the run folder and are gone; their layers are in the graph root, with a mark in the store's records.
"""

from __future__ import annotations

from sonata.engine.containers.erasing import remove_files
from sonata.host import mounts
from sonata.state import containers as rows
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def forget_dead(engine: Engine) -> list[str]:
    """Remove the files of transient containers that no row knows and nobody has mounted; their ids."""
    marked = [one for one in engine.store.containers() if one.transient]
    if not marked:
        return []
    known = set(rows.ids(engine.database))
    used = {mount.target.rpartition("/merged")[0].rpartition("/")[2] for mount in mounts.mount_table()}
    dead = [str(one.id) for one in marked if str(one.id) not in known and str(one.layer) not in used]
    for ident in dead:
        remove_files(engine, engine.driver, ident)
    return dead
