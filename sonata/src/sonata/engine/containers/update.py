"""`update`: other limits, restart policy, environment and health check; limits and checks of what runs at once."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import health_log, lookup, materials, present
from sonata.engine.paths import ContainerPaths
from sonata.host import cgroups
from sonata.plan import env, resources, restart, ulimits
from sonata.plan import health as health_plan
from sonata.plan.lifecycle import Phase
from sonata.plan.spec.linux import limited
from sonata.state import containers as rows
from sonata_core.errors import Conflict, UsageError
from sonata_core.hookspecs.runtime import RuntimeUpdate
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.request import RunRequest
    from sonata.state.rows import ContainerRow

_LIVE = (Phase.INITIALISED, Phase.RUNNING, Phase.PAUSED)
_GONE = (Phase.CREATING, Phase.REMOVING)


def update(engine: Engine, container: str, request: RunRequest) -> str:
    """Apply those options of a request that were given; the container's id.

    Limits of a running container change at once; the rest counts from the next start. When the runtime
    refuses a limit, nothing is kept. Raises NotFound, UsageError, Conflict, ProcessRefused.
    """
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        config, phase = row.config, Phase(row.state.phase)
        if phase in _GONE:
            raise Conflict(f"container {config.id} is {phase}: container state improper")
        limits = given_limits(engine, config, request)
        merged = merged_limits(config.resources, limits)
        changed = _changed(config, request).replace(resources=merged)
        if limits and phase in _LIVE:
            _apply(engine, row, _applied(limits, merged))
            _unlimit(engine, row, limits)
        rows.put_config(engine.database, changed)
        if changed.healthcheck != config.healthcheck and phase is Phase.RUNNING:
            from sonata.engine.containers import health_clock

            health_clock.change(engine, config, row.replace(config=changed))
    events.container(engine, changed, "update")
    return changed.id


def _apply(engine: Engine, row: ContainerRow, limits: dict[str, Any]) -> None:
    config = row.config
    weights: dict[str, Any] = {}
    if limits.get("blockIO"):
        from sonata.engine.containers import block_weight

        if block_weight.is_only_bfqs(engine.facts.cgroup_version):
            weights, limits = block_weight.asked(limits), block_weight.without(limits)
    if limits:
        ref = ContainerPaths(engine, config.backends.storage, config.id).ref
        hook = engine.runtime(config.backends.runtime).require(RuntimeUpdate)
        hook.runtime_update(ref=ref, resources=limited(limits))
    if weights:
        block_weight.write(row.state.pid, weights)


def _unlimit(engine: Engine, row: ContainerRow, limits: Mapping[str, Any]) -> None:
    """Take limits away that are given up: that is no runtime's business."""
    version = engine.facts.cgroup_version
    for controller, key in (("pids", "limit"), ("cpu", "quota")):
        if limits.get(controller, {}).get(key, 0) < 0:
            group = cgroups.of_process(row.state.pid).get("" if version == 2 else controller)
            if group:
                cgroups.unlimit(group, controller, version)


def given_limits(engine: Engine, config: ContainerConfig, request: RunRequest) -> dict[str, Any]:
    """What was given of limits; a default that nobody asked for is none. Raises UsageError."""
    known = config.resources.get("memory", {}).get("limit", 0)
    if request.memory_swap not in ("", "-1") and not request.memory and known:
        request = request.replace(memory=str(known))
    found, notices = resources.decide(request, materials.gather(engine, request), engine.facts, engine.defaults)
    if notices:
        raise UsageError(notices[0], hint="a limit that cannot be set is not written down either")
    if request.memory_swap == "-1":
        found["memory"] = {**found.get("memory", {}), "swap": -1}
    if request.pids_limit is None:
        found.pop("pids", None)
    if not request.cgroup_conf:
        found.pop("unified", None)
    return found


def merged_limits(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Old limits with the new ones in their place. A quota without a period, or the reverse, keeps its other half.

    Raises UsageError for limits that contradict each other.
    """
    merged = dict(old)
    for kind, values in new.items():
        merged[kind] = {**merged.get(kind, {}), **values}
    memory = merged.get("memory", {})
    if 0 < memory.get("swap", 0) < memory.get("limit", 0):
        raise UsageError("minimum memoryswap limit should be larger than memory limit, see usage")
    return merged


def _applied(new: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """The kinds that changed, whole: a runtime sets what it is given, and swap goes with memory."""
    return {kind: merged[kind] for kind in new}


def _changed(config: ContainerConfig, request: RunRequest) -> ContainerConfig:
    if request.restart:
        policy = restart.parse(request.restart, "")
        if config.auto_remove and policy.name != "no":
            raise UsageError("cannot set restart policy for a container created with --rm")
        config = config.replace(restart=policy)
    if request.ulimit:
        rlimits, host = ulimits.decide(request.ulimit, ())
        given = {one.type for one in rlimits}
        kept = tuple(one for one in config.rlimits if one.type not in given)
        config = config.replace(rlimits=(*kept, *rlimits), rlimits_host=host)
    if request.no_healthcheck or any(getattr(request, name) is not None for name in health_plan.OPTIONS):
        check = health_plan.updated(request, config.healthcheck)
        if check is not None:
            health_log.require_folder(check.log_destination)
        config = config.replace(healthcheck=check)
    if request.env or request.unsetenv:
        values = {key: value for key, value in config.process.env.items() if key not in request.unsetenv}
        values.update(env.entries(request.env, request.caller_env))
        config = config.replace(process=config.process.replace(env=values))
    return config
