"""`pod rm`: a pod goes with all of its containers, or says which of them prevent it."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import present
from sonata.engine.containers.remove import remove as remove_container
from sonata.engine.pods import limits
from sonata.engine.pods.members import levels, members
from sonata.engine.pods.stop import stop_all
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import intents, pods
from sonata_core import interrupts
from sonata_core.errors import Conflict, InUse, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig
    from sonata.state.rows import ContainerRow

_ALIVE = (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING, Phase.INITIALISED)
_ROUNDS = 10
"""How often a removal by force begins anew where containers join the pod meanwhile."""


def remove(engine: Engine, pod: PodConfig, *, force: bool = False, timeout: int | None = None) -> list[SonataError]:
    """Remove a pod with its containers and their anonymous volumes; what prevents it.

    `force`: containers that run are stopped first, within `timeout` seconds, and a pod that another command removed
    meanwhile is no trouble. The infra container never prevents it.
    """
    with interrupts.Shield(), engine.locks.hold(pod.id):
        try:
            pods.get(engine.database, pod.id)
        except NotFound:
            engine.locks.forget(pod.id)
            if force:
                return []
            raise
        found = members(engine, pod)
        if not force:
            troubles = _prevented(pod, found)
            if troubles:
                return troubles
        intents.put(engine.database, intents.Intent(id=pod.id, kind=intents.POD))
        try:
            take_apart(engine, pod, timeout)
        except SonataError:
            intents.forget(engine.database, pod.id)
            raise
    return []


def take_apart(engine: Engine, pod: PodConfig, timeout: int | None) -> None:
    """Remove what there is of the pod, under its lock. Works on a half-made one. Raises what stopping raises."""
    for _ in range(_ROUNDS):
        found = [row for row in rows.of_pod(engine.database, pod.id)]
        troubles = _remove_members(engine, found, timeout)
        if troubles:
            raise troubles[0]
        limits.remove(engine, pod)
        try:
            with engine.database.transaction():
                pods.remove(engine.database, pod.id)
                intents.forget(engine.database, pod.id)
            break
        except InUse:
            # A container joined meanwhile.
            continue
    else:
        raise Conflict(f"containers join pod {pod.name} faster than they can be removed")
    engine.locks.forget(pod.id)
    events.pod(engine, pod.id, pod.name, "remove")


def _remove_members(engine: Engine, found: list[ContainerRow], timeout: int | None) -> list[SonataError]:
    now = [present.corrected(engine, row) for row in found]
    troubles = stop_all(engine, [row for row in now if row.state.phase in _STOPPABLE], timeout)
    if troubles:
        return troubles
    for row in (row for level in reversed(levels(engine, now)) for row in level):
        try:
            remove_container(engine, row.config.id, force=True, volumes=True, timeout=0, with_pod=True)
        except NotFound:
            continue
        except SonataError as error:
            troubles.append(error)
    return troubles


_STOPPABLE = (Phase.RUNNING, Phase.STOPPING, Phase.INITIALISED)


def _prevented(pod: PodConfig, found: list[ContainerRow]) -> list[SonataError]:
    """The containers that run, as Podman tells of them; the infra container is told of where they need it."""
    alive = [row.config for row in found if row.state.phase in _ALIVE and not row.config.infra]
    if not alive:
        return []
    head = f"not all containers could be removed from pod {pod.id}: removing pod containers"
    troubles: list[SonataError] = [Conflict(head, hint="`sonata pod rm --force` stops them first")]
    if pod.infra:
        told = f"a container that depends on container {pod.infra} could not be stopped: container state improper"
        troubles.append(_from_pod(pod, pod.infra, told))
    for config in alive:
        told = (
            f"cannot remove container {config.id} as it is running - "
            "running or paused containers cannot be removed without force: container state improper"
        )
        troubles.append(_from_pod(pod, config.id, told))
    return troubles


def _from_pod(pod: PodConfig, ident: str, told: str) -> Conflict:
    return Conflict(f"error removing container {ident} from pod {pod.id}: {told}")
