"""`HostConfig` of `container inspect`."""

from __future__ import annotations

from sonata.model.container import MountKind, NamespaceKind, NetworkMode
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.model.container import ContainerConfig, MountUse, NamespaceChoice


def host_config(config: ContainerConfig, log_path: str) -> dict[str, Any]:
    """The `HostConfig` object."""
    security = config.security
    network = config.network
    return {
        "Binds": _binds(config),
        "CgroupManager": config.backends.cgroup_manager,
        "CgroupMode": namespace(config.namespaces.cgroup),
        "ContainerIDFile": config.cid_file,
        "LogConfig": _log(config, log_path),
        "NetworkMode": network_mode(config),
        "PortBindings": port_bindings(config),
        "RestartPolicy": {"Name": config.restart.name, "MaximumRetryCount": config.restart.retries},
        "AutoRemove": config.auto_remove,
        "AutoRemoveImage": config.auto_remove_image,
        "Annotations": dict(sorted(config.annotations.items())),
        "VolumeDriver": "",
        "VolumesFrom": list(config.volumes_from) or None,
        "CapAdd": list(security.cap_add),
        "CapDrop": list(security.cap_drop),
        "Dns": list(network.dns_servers),
        "DnsOptions": list(network.dns_options),
        "DnsSearch": list(network.dns_search),
        "ExtraHosts": list(network.add_hosts),
        "HostsFile": network.base_hosts,
        "GroupAdd": list(config.process.groups),
        "IpcMode": namespace(config.namespaces.ipc),
        "Cgroup": "",
        "Cgroups": "default" if config.cgroups == "enabled" else config.cgroups,
        "Links": None,
        "OomScoreAdj": config.process.oom_score_adj or 0,
        "PidMode": namespace(config.namespaces.pid),
        "Privileged": security.privileged,
        "PublishAllPorts": network.publish_all,
        "ReadonlyRootfs": config.read_only,
        "SecurityOpt": list(security.security_opt),
        "Tmpfs": {use.target: _tmpfs(use) for use in config.mounts if use.kind is MountKind.TMPFS},
        "UTSMode": namespace(config.namespaces.uts),
        **_user_namespace(config),
        "ShmSize": config.shm_size,
        "Runtime": "oci",
        "ConsoleSize": [0, 0],
        "Isolation": "",
        **_resources(config),
        "CgroupConf": dict(config.resources.get("unified", {})) or None,
    }


def _resources(config: ContainerConfig) -> dict[str, Any]:
    memory, cpu = config.resources.get("memory", {}), config.resources.get("cpu", {})
    block = config.resources.get("blockIO", {})
    return {
        "CpuShares": cpu.get("shares", 0),
        "Memory": memory.get("limit", 0),
        "NanoCpus": _nano_cpus(cpu),
        "CgroupParent": config.cgroup_parent,
        "BlkioWeight": block.get("weight", 0),
        "BlkioWeightDevice": devices_shown(block.get("weightDevice"), "weight"),
        "BlkioDeviceReadBps": devices_shown(block.get("throttleReadBpsDevice"), "rate"),
        "BlkioDeviceWriteBps": devices_shown(block.get("throttleWriteBpsDevice"), "rate"),
        "BlkioDeviceReadIOps": devices_shown(block.get("throttleReadIOPSDevice"), "rate"),
        "BlkioDeviceWriteIOps": devices_shown(block.get("throttleWriteIOPSDevice"), "rate"),
        "CpuPeriod": cpu.get("period", 0),
        "CpuQuota": cpu.get("quota", 0),
        "CpuRealtimePeriod": cpu.get("realtimePeriod", 0),
        "CpuRealtimeRuntime": cpu.get("realtimeRuntime", 0),
        "CpusetCpus": cpu.get("cpus", ""),
        "CpusetMems": cpu.get("mems", ""),
        "Devices": [
            {"PathOnHost": one.source, "PathInContainer": one.path, "CgroupPermissions": ""} for one in config.devices
        ],
        "DiskQuota": 0,
        "KernelMemory": 0,
        "MemoryReservation": memory.get("reservation", 0),
        "MemorySwap": memory.get("swap", 0),
        "MemorySwappiness": memory.get("swappiness", 0),
        "OomKillDisable": memory.get("disableOOMKiller", False),
        "PidsLimit": config.resources.get("pids", {}).get("limit", 0),
        "Ulimits": [{"Name": one.type, "Soft": one.soft, "Hard": one.hard} for one in config.rlimits],
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    }


def _nano_cpus(cpu: dict[str, Any]) -> int:
    period, quota = cpu.get("period", 0), cpu.get("quota", 0)
    return quota * 10**9 // period if period and quota > 0 else 0


def _log(config: ContainerConfig, path: str) -> dict[str, Any]:
    log = config.log
    return {
        "Type": log.driver,
        "Config": None,
        "Path": (log.path or path) if log.driver in ("k8s-file", "json-file") else "",
        "Tag": log.tag,
        "Size": "0B" if not log.max_size else f"{log.max_size}B",
    }


def _binds(config: ContainerConfig) -> list[str]:
    """`source:target:options`, of named volumes and then of binds; what has no options has no colon for them."""
    uses = [use for use in volumes_and_binds(config) if use.kind is not MountKind.IMAGE]
    return [":".join([use.source, use.target, *filter(None, [",".join(bind_options(use))])]) for use in uses]


_NOT_SHOWN = (MountKind.ARTIFACT, MountKind.TMPFS, MountKind.VOLUME)


def volumes_and_binds(config: ContainerConfig) -> list[MountUse]:
    """The mounts that inspect shows, in Podman's order: named volumes first."""
    volumes = [use for use in config.mounts if use.kind is MountKind.VOLUME]
    others = [use for use in config.mounts if use.kind not in _NOT_SHOWN]
    return volumes + [use for use in others if use.origin != "infra"]


def bind_options(use: MountUse) -> list[str]:
    """All options of a mount, as `Binds` has them."""
    if use.kind in _UNBOUND:
        return list(use.options)
    head = [*(("ro",) if use.read_only else ()), *((use.relabel,) if use.relabel else ())]
    marks = [*(("O",) if use.overlay else ()), *(() if use.copy else ("nocopy",))]
    return [*head, *marks, propagation(use), *mount_options(use)]


def propagation(use: MountUse) -> str:
    """How mounts below it are passed on; empty where it is no bind."""
    if use.kind in _UNBOUND:
        return ""
    return next((option for option in use.options if option in PROPAGATIONS), "rprivate")


def mount_options(use: MountUse) -> list[str]:
    """Options beyond propagation, access and label, with those that a mount of its kind always gets."""
    given = [option for option in use.options if option not in PROPAGATIONS and option not in _SHOWN_ELSEWHERE]
    always = _ALWAYS.get(use.kind, ())
    return [*given, *(option for option in always if option not in given and _OPPOSITE.get(option) not in given)]


PROPAGATIONS = ("shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable")
_UNBOUND = (MountKind.IMAGE, MountKind.DEVPTS, MountKind.RAMFS)
_SHOWN_ELSEWHERE = ("ro", "rw", "z", "Z")
_ALWAYS: dict[MountKind, tuple[str, ...]] = {
    MountKind.BIND: ("rbind",),
    MountKind.TMPFS: ("rprivate", "nosuid", "nodev", "tmpcopyup"),
    MountKind.VOLUME: ("nosuid", "nodev", "rbind"),
}
_OPPOSITE = {"nodev": "dev", "nosuid": "suid", "rbind": "bind", "tmpcopyup": "notmpcopyup"}


def _tmpfs(use: MountUse) -> str:
    given = [option for option in use.options if option not in PROPAGATIONS]
    always = [option for option in _ALWAYS[MountKind.TMPFS] if option not in given]
    return ",".join([*given, *(option for option in always if _OPPOSITE.get(option) not in given)])


def namespace(choice: NamespaceChoice) -> str:
    """A namespace as the option that asks for it: `private`, `host`, `container:ID`, `ns:PATH`."""
    if choice.kind is NamespaceKind.CONTAINER:
        return f"container:{choice.value}"
    if choice.kind is NamespaceKind.PATH:
        return f"ns:{choice.value}"
    return str(choice.kind)


def network_mode(config: ContainerConfig) -> str:
    """The network as the option that asks for it."""
    mode = config.network.mode
    if mode is NetworkMode.CONTAINER:
        return f"container:{config.namespaces.network.value}"
    if mode is NetworkMode.PATH:
        return f"ns:{config.namespaces.network.value}"
    return str(mode)


def port_bindings(config: ContainerConfig, *, exposed: bool = False) -> dict[str, Any]:
    """`80/tcp` → where it is published; with `exposed` also ports that are not (None)."""
    found: dict[str, Any] = dict.fromkeys(config.network.exposed) if exposed else {}
    for mapping in config.network.ports:
        for number in range(mapping.range):
            key = f"{mapping.container_port + number}/{mapping.protocol}"
            entry = {"HostIp": mapping.host_ip or "0.0.0.0", "HostPort": str(mapping.host_port + number)}  # noqa: S104
            found[key] = [*(found.get(key) or []), entry]
    return dict(sorted(found.items()))


def _user_namespace(config: ContainerConfig) -> dict[str, Any]:
    """The mode, which is told only with the maps, and these as `CONTAINER:HOST:SIZE`."""
    choice, mapping = config.namespaces.user, config.id_mapping
    if choice.kind is NamespaceKind.HOST:
        return {"UsernsMode": ""}
    drawn = choice.kind in (NamespaceKind.AUTO, NamespaceKind.KEEP_ID)
    mode = namespace(choice.replace(kind=NamespaceKind.PRIVATE, value="") if drawn else choice)
    if mapping is None:
        return {"UsernsMode": mode}
    uids, gids = (
        [f"{one.container_id}:{one.host_id}:{one.size}" for one in maps] for maps in (mapping.uids, mapping.gids)
    )
    return {"UsernsMode": mode, "IDMappings": {"UidMap": uids, "GidMap": gids}}


def devices_shown(entries: Any, what: str) -> list[dict[str, Any]] | None:
    """Limits of block devices, by the devices' paths."""
    return [{"Path": _block_device(one), what.title(): one[what]} for one in entries] if entries else None


def _block_device(entry: Mapping[str, int]) -> str:
    """The path of a block device; its numbers where the host has it no longer."""
    number = f"{entry['major']}:{entry['minor']}"
    try:
        with open(f"/sys/dev/block/{number}/uevent", encoding="ascii", errors="replace") as file:
            found = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        return number
    return f"/dev/{found['DEVNAME']}" if "DEVNAME" in found else number
