"""Starting containers."""

from __future__ import annotations

from sonata.engine.background import Background
from sonata.engine.containers import lookup
from sonata.engine.containers.starting import start_needed, start_one
from sonata.engine.system import pending
from sonata.host import cgroups
from sonata_core import interrupts
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def start(engine: Engine, container: str, *, restarts: int = 0) -> str:
    """Start a container that does not run; its id. Running already is success. What it needs is started first.

    `restarts` is the count to show, which a start by hand begins anew.
    Raises NotFound, Conflict, and what `init` raises.
    """
    pending.recover(engine)
    Background(cgroups.wake)
    row = lookup.load(engine, container)
    with interrupts.Shield():
        start_needed(engine, row)
        return start_one(engine, row, restarts=restarts).config.id
