"""`pod top`, `pod stats` and `pod logs`: what is asked of containers, of all that are in pods."""

from __future__ import annotations

from sonata.engine.containers import stats, top
from sonata.engine.pods.members import members
from sonata.model.container_request import Selection
from sonata.model.watch_request import StatsRequest
from sonata.plan.lifecycle import Phase
from sonata_core.errors import Conflict, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig
    from sonata.model.stats import ContainerStats

_LIVE = (Phase.RUNNING, Phase.PAUSED)


def processes(engine: Engine, pod: PodConfig, wanted: tuple[str, ...]) -> list[list[str]]:
    """Headings and one row a process, container by container; nothing at all where none runs.

    Raises UsageError for an unknown descriptor: options of ps(1) are for `top` of one container.
    """
    names = tuple(name for word in wanted for name in word.split(",") if name)
    for name in names:
        if top.ALIASES.get(name, name) not in top.DESCRIPTORS:
            raise UsageError(f"'{name}': unknown descriptor", hint="`sonata top --help` lists the descriptors")
    found: list[list[str]] = []
    for row in members(engine, pod):
        if row.state.phase not in _LIVE:
            continue
        try:
            more = [line for line in top.top(engine, row.config.id, names) if not isinstance(line, str)]
        except (Conflict, NotFound):
            continue  # it ended meanwhile
        found += more[1:] if found else more
    return found


def sample(
    engine: Engine, pods: list[PodConfig], before: Mapping[str, ContainerStats]
) -> list[tuple[PodConfig, ContainerStats]]:
    """What the containers of pods use now; those that do not run use nothing."""
    stats.require_groups(engine, "pod ")
    found = []
    for pod in pods:
        names = tuple(row.config.id for row in members(engine, pod) if row.config.cgroups != "disabled")
        if names:
            request = StatsRequest(select=Selection(names=names))
            found += [(pod, one) for one in stats.sample(engine, request, before)]
    return found


def with_logs(engine: Engine, pod: PodConfig, container: str) -> tuple[str, ...]:
    """Ids of the containers whose logs are the pod's: one if `container` names it, all but the infra container.

    Raises NotFound for one that is not in the pod.
    """
    found = [row.config for row in members(engine, pod) if not row.config.infra]
    if not container:
        return tuple(config.id for config in found)
    for config in found:
        if container == config.name or config.id.startswith(container):
            return (config.id,)
    raise NotFound(f"container {container} is not in pod {pod.name}: no such container", name=container)
