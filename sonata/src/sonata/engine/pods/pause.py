"""`pod pause` and `pod unpause`: the members that run, and those that are paused."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import small
from sonata.engine.pods.members import members
from sonata.host import cgroups
from sonata.plan.lifecycle import Phase
from sonata_core.errors import SonataError, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig


def pause(engine: Engine, pod: PodConfig) -> list[SonataError]:
    """Freeze what runs of the pod; what went wrong. None that runs is success."""
    if not cgroups.granted(engine.facts):
        text = "can not pause pods containing rootless containers with cgroup V1: this container does not have a cgroup"
        return [Unsupported(text)]
    return _each(engine, pod, Phase.RUNNING, small.pause, "pause")


def unpause(engine: Engine, pod: PodConfig) -> list[SonataError]:
    """Thaw what is paused of the pod; what went wrong."""
    return _each(engine, pod, Phase.PAUSED, small.unpause, "unpause")


def is_paused(engine: Engine, pod: PodConfig) -> bool:
    """Whether a container of the pod is paused."""
    return any(row.state.phase == Phase.PAUSED for row in members(engine, pod))


def _each(
    engine: Engine, pod: PodConfig, phase: Phase, act: Callable[[Engine, str], object], verb: str
) -> list[SonataError]:
    troubles: list[SonataError] = []
    for row in members(engine, pod):
        if row.state.phase != phase:
            continue
        try:
            act(engine, row.config.id)
        except SonataError as error:
            error.message = f"{verb.removesuffix('e')}ing container {row.config.id}: {error.message}"
            troubles.append(error)
    if not troubles:
        events.pod(engine, pod.id, pod.name, verb)
    return troubles
