"""A container by what a user calls it, as it is now."""

from __future__ import annotations

from sonata.engine.containers import present
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow


_UNFINISHED = (Phase.CREATING, Phase.INITIALISING, Phase.INITIALISED, Phase.REMOVING)
"""Phases in which either a command is at work, or one was killed."""


def load(engine: Engine, text: str) -> ContainerRow:
    """A container by name, id or id prefix, as it is now; what a killed command left of it is dealt with first."""
    row = rows.find(engine.database, text)
    if row.state.phase in _UNFINISHED and intents.of(engine.database, row.config.id):
        from sonata.engine.containers.recovery import recover_one

        recover_one(engine, row.config.id)
        row = rows.get(engine.database, row.config.id)
    return present.corrected(engine, row)
