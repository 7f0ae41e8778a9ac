"""The end of a pod's container, as it concerns the pod: its exit policy."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import present
from sonata.engine.containers.stopping import stop
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig

_ENDED = (Phase.STOPPED, Phase.EXITED, Phase.REMOVING)


def member_ended(engine: Engine, config: ContainerConfig) -> None:
    """With the exit policy `stop`, stop the pod when the last of its containers has ended. The caller has no lock.

    One that was never started, or is about to start again by its policy, keeps the pod up.
    """
    if config.infra or config.init_type:
        return
    try:
        pod = pods.get(engine.database, config.pod)
    except NotFound:
        return
    if pod.exit_policy != "stop" or not pod.infra:
        return
    for row in rows.of_pod(engine.database, pod.id):
        if row.config.infra or row.config.init_type or row.config.id == config.id:
            continue
        now = present.corrected(engine, row)
        if now.state.phase not in _ENDED or present.is_awaited(engine, now):
            return
    try:
        stop(engine, pod.infra)
    except SonataError as error:
        engine.log.warning("pod_not_stopped", pod=pod.id, error=error.message)
        return
    events.pod(engine, pod.id, pod.name, "stop")
