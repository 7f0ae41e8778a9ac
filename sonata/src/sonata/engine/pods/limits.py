"""The control group of a pod, with the limits that hold for all of its containers together."""

from __future__ import annotations

from sonata.host import cgroup_limits, cgroups
from sonata.state import pods
from sonata_core.errors import Conflict, ExternalFailure, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig


def require(engine: Engine, pod: PodConfig) -> None:
    """The limits must be such as this host can set. Raises UsageError, Unsupported."""
    cpu = pod.resources.get("cpu", {})
    if "cpus" in cpu or "mems" in cpu:
        from sonata.host import cpusets

        cpusets.require(cpu.get("cpus", ""), cpu.get("mems", ""))
    if pod.resources and pod.cgroup_manager == "systemd" and engine.facts.cgroup_version != 2:
        raise Unsupported(
            "limits of a pod are not supported with the cgroup manager systemd on cgroup version 1",
            hint="--cgroup-manager=cgroupfs, or give the limits to each container of the pod",
        )
    if pod.resources and not engine.facts.cgroup_version:
        raise Unsupported("limits of a pod need control groups, and /sys/fs/cgroup shows none")


def ensure(engine: Engine, pod: PodConfig) -> None:
    """Make the pod's group with its limits, if it has limits and is not there: at its making, and after a reboot."""
    group = pod.cgroup()
    if not pod.resources or not group:
        return
    if pod.cgroup_manager == "systemd":
        from sonata.host import systemd

        systemd.start_slice(_place(engine), group, pod.resources)
        return
    if cgroups.exists(group):
        return
    cgroups.create(group)
    cgroup_limits.apply(group, pod.resources, engine.facts.cgroup_version)


def ensure_for(engine: Engine, ident: str) -> None:
    """As `ensure`, before a container of the pod starts."""
    try:
        ensure(engine, pods.get(engine.database, ident))
    except NotFound:
        return


def remove(engine: Engine, pod: PodConfig) -> None:
    """Take the pod's group away. Absent is success; a busy one stays, and that is logged."""
    group = pod.cgroup()
    if group and pod.cgroup_manager == "systemd":
        _stop_slice(engine, group)
        return
    if not group or not cgroups.exists(group):
        return
    try:
        cgroups.remove(group)
    except Conflict as error:
        engine.log.warning("cgroup_stays", pod=pod.id, error=error.message)


def _stop_slice(engine: Engine, name: str) -> None:
    """Members make the slice by being in it; it stays when they are gone."""
    from sonata.host import systemd

    try:
        systemd.stop(_place(engine), name)
    except ExternalFailure as error:
        engine.log.info("slice_stays", slice=name, error=error.message)


def _place(engine: Engine) -> str:
    from sonata.host import systemd

    return systemd.place(engine.config.places.runtime_dir, rootless=engine.facts.rootless)
