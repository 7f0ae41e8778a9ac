"""What a request comes to on this host: the container, decided and not yet made."""

from __future__ import annotations

import os

from sonata.engine.containers.materials import gather
from sonata.host import ports as host_ports
from sonata.model.container import ContainerConfig, MountKind, NamespaceKind
from sonata.model.materials import ImageFacts
from sonata.plan import ports as plan_ports
from sonata.plan.container import plan_container
from sonata_core.errors import HostLacks, NotFound, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.materials import Materials
    from sonata.model.request import RunRequest


_TO_SETTLE = (MountKind.GLOB, MountKind.IMAGE)


def decide(engine: Engine, request: RunRequest, facts: ImageFacts) -> ContainerConfig:
    """The container that the request comes to, with host ports chosen and backends named. Makes nothing."""
    config = planned(engine, request, facts, gather(engine, request))
    wanted = plan_ports.wanted(config.network.ports)
    if wanted:
        free = [host_ports.find_free(one.protocol, one.host_ip, one.range) for one in wanted]
        ports = plan_ports.assign(config.network.ports, free)
        config = config.replace(network=config.network.replace(ports=ports))
    return config


def planned(engine: Engine, request: RunRequest, facts: ImageFacts, materials: Materials) -> ContainerConfig:
    """As `decide`, with nothing drawn: identity is in `materials`, host ports that nobody named are still 0."""
    from sonata.engine.choose import runtime_name

    config = plan_container(_from_here(request), facts, materials, engine.facts, engine.defaults)
    if config.security.seccomp_policy == "image":
        from sonata.engine.containers.seccomp_image import profile_of

        profile_of(config)
    _require_profile(config.security.seccomp)
    if any(use.kind in _TO_SETTLE for use in config.mounts):
        from sonata.engine.containers.layered_mounts import settle

        config = settle(engine, config)
    _require_sources(config)
    _require_namespaces(config)
    backends = config.backends.replace(runtime=runtime_name(engine), storage=engine.driver)
    config = config.replace(backends=backends)
    if "keep-groups" in config.process.groups and os.path.basename(backends.runtime) == "runc":
        raise Unsupported(
            "--group-add keep-groups: the runtime runc drops the groups of who starts a container",
            hint="--runtime crun",
        )
    _require_parts(engine, config)
    _require_places(config)
    return config


def _from_here(request: RunRequest) -> RunRequest:
    """With full paths of files that later commands use from other working directories."""
    changes = {}
    for name, words in (("hosts_file", ("none", "image")), ("pidfile", ()), ("conmon_pidfile", ())):
        path = getattr(request, name)
        if path and path not in words and not path.startswith("/"):
            changes[name] = os.path.abspath(path)
    return request.replace(**changes) if changes else request


def _require_sources(config: ContainerConfig) -> None:
    """A bind mount's source must be there already: nothing is made on the host by a slip of the pen."""
    for use in config.mounts:
        if use.kind in (MountKind.BIND, MountKind.OVERLAY) and not os.path.lexists(use.source):
            raise NotFound(f"statfs {use.source}: no such file or directory", name=use.source)


def _require_namespaces(config: ContainerConfig) -> None:
    """Raises NotFound where a namespace is named by a path that shows none."""
    spaces = config.namespaces
    for name, choice in (
        ("PID", spaces.pid),
        ("IPC", spaces.ipc),
        ("UTS", spaces.uts),
        ("cgroup", spaces.cgroup),
        ("network", spaces.network),
        ("user", spaces.user),
    ):
        if choice.kind is NamespaceKind.PATH:
            try:
                os.stat(choice.value)
            except OSError as error:
                told = (error.strerror or "").lower()
                raise NotFound(
                    f"cannot find specified {name} namespace path: faccessat {choice.value}: {told}"
                ) from error


def _require_places(config: ContainerConfig) -> None:
    """Files of the host that the container is to see, or to join, must be there. Raises UsageError, NotFound."""
    if config.process.timezone:
        from sonata.engine.containers import timezone

        timezone.source(config.process.timezone)
    hosts = config.network.base_hosts
    if hosts not in ("", "none", "image") and not os.path.exists(hosts):
        raise NotFound(f"failed to create new hosts file: open {hosts}: no such file or directory", name=hosts)


def _require_parts(engine: Engine, config: ContainerConfig) -> None:
    """What the container is to be made of must be there now. Raises UsageError, HostLacks."""
    if config.rootfs and not os.path.isdir(config.rootfs):
        why = "not a directory" if os.path.exists(config.rootfs) else "no such file or directory"
        raise UsageError(f"running container create option: faccessat {config.rootfs}: {why}")
    if config.healthcheck is not None:
        from sonata.engine.containers.health_log import require_folder

        require_folder(config.healthcheck.log_destination, "running container create option: ")
    if config.log.driver == "journald":
        from sonata.engine.containers import journal

        journal.require()
    if config.secrets:
        from sonata.engine.containers import secrets

        secrets.require(engine, config.secrets)
    if config.process.init:
        from sonata.engine.containers.files import init_program

        init_program(engine, config)
    cpu = config.resources.get("cpu", {})
    if "cpus" in cpu or "mems" in cpu:
        from sonata.host import cpusets

        cpusets.require(cpu.get("cpus", ""), cpu.get("mems", ""))
    if config.rdt_class and not os.path.ismount("/sys/fs/resctrl"):
        raise HostLacks(
            f"rdt class {config.rdt_class}: /sys/fs/resctrl is not there: no such file or directory",
            hint="mount -t resctrl resctrl /sys/fs/resctrl, on a host with Intel RDT; or leave out --rdt-class",
        )


def _require_profile(path: str) -> None:
    """Raise UsageError for a seccomp profile that is not there, before anything is made."""
    if path not in ("", "unconfined") and not os.path.exists(path):
        raise UsageError(f"opening seccomp profile failed: open {path}: no such file or directory")
