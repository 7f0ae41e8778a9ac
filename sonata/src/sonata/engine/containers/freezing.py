"""Frozen containers: whether one is, and having it go on."""

from __future__ import annotations

from sonata.engine.paths import ContainerPaths, cgroup_of
from sonata.host import cgroups
from sonata_core.errors import Conflict, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


def is_frozen(row: ContainerRow) -> bool:
    """Whether a container is that its row says is paused: the command that wrote it may have been killed.

    Where its control group is not known, or not there, the row is believed.
    """
    group = cgroup_of(row)
    return not group or not cgroups.exists(group) or cgroups.frozen(group)


def thaw(engine: Engine, row: ContainerRow) -> None:
    """Have a container go on if it is frozen.

    With version 1 of control groups no signal arrives before that. A command that was killed may have frozen it, or a
    runtime that outlived such a command, and its row does not say so.
    """
    from sonata_core.hookspecs.runtime import RuntimePause

    config = row.config
    ref = ContainerPaths(engine, config.backends.storage, config.id).ref
    slot = engine.runtime(config.backends.runtime)
    if slot.offers(RuntimePause):
        try:
            slot.require(RuntimePause).runtime_resume(ref=ref)
        except (Conflict, NotFound):
            # It was not frozen, or is gone.
            return
