"""`pod kill`: a signal to every container of a pod that runs, the infra container last."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import present
from sonata.engine.containers.kill import kill as kill_container
from sonata.engine.pods.members import levels, members
from sonata.plan import signals
from sonata.plan.lifecycle import Phase
from sonata_core.errors import Conflict, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig

_ALIVE = (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING, Phase.INITIALISED)


def kill(engine: Engine, pod: PodConfig, signal: str = "KILL") -> list[SonataError]:
    """Signal the pod's containers; what went wrong. None that runs is success. Raises UsageError for the signal."""
    signals.number(signal)
    troubles: list[SonataError] = []
    for row in (row for level in reversed(levels(engine, members(engine, pod))) for row in level):
        if row.state.phase not in _ALIVE and not present.is_awaited(engine, row):
            continue
        try:
            kill_container(engine, row.config.id, signal)
        except (Conflict, NotFound):
            continue  # it ended meanwhile
        except SonataError as error:
            error.message = f"killing container {row.config.id}: {error.message}"
            troubles.append(error)
    if not troubles:
        events.pod(engine, pod.id, pod.name, "kill")
    return troubles
