"""Where the helpers of a container run: in a control group of their own, not in that of who happened to start them."""

from __future__ import annotations

from sonata.host import cgroups
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig

CONMON_CGROUP = "conmon"
DEFAULT_PARENT = "/libpod_parent"


def put_aside(engine: Engine, config: ContainerConfig, pid: int, ident: str = "") -> None:
    """Move a helper of the container into the monitors' control group; with systemd into a scope of its own.

    For an ordinary user this is more than order: of a login's session, which is root's, nobody may move a process into
    a container's group. `ident` names a helper beside the container's own conmon. Never raises; troubles are logged.
    """
    if config.cgroups != "enabled":
        return
    by_systemd = config.backends.cgroup_manager == "systemd"
    if not by_systemd and not engine.facts.rootless:
        for trouble in cgroups.move(pid, f"{config.cgroup_parent or DEFAULT_PARENT}/{CONMON_CGROUP}"):
            engine.log.info("conmon_not_moved", trouble=trouble)
    elif by_systemd or (config.cgroup_parent and engine.facts.cgroup_version == 2):
        _into_scope(engine, config, pid, f"libpod-conmon-{ident or config.id}.scope")


def _into_scope(engine: Engine, config: ContainerConfig, pid: int, unit: str) -> None:
    from sonata.host import systemd
    from sonata_core.errors import SonataError

    rootless = engine.facts.rootless
    # A service's processes stay together, if its group is such as the container's processes can be moved from.
    if engine.config.environment.get("INVOCATION_ID") and not (rootless and not cgroups.delegated()):
        return
    parent = config.cgroup_parent.rpartition("/")[2]
    inside = parent if parent.endswith(".slice") else "user.slice" if rootless else "machine.slice"
    try:
        systemd.start_scope(systemd.place(engine.config.places.runtime_dir, rootless=rootless), unit, pid, inside)
    except SonataError as error:
        engine.log.info("conmon_not_moved", trouble=error.message)
