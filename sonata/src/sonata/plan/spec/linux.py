"""`linux` of a spec: namespaces, resources, devices, paths that are hidden, seccomp."""

from __future__ import annotations

from sonata.model.container import NamespaceKind
from sonata.model.materials import OURS
from sonata.plan import seccomp
from sonata.plan.spec.mounts import bound, host_nodes, id_map, sees_host_sys
from sonata_core.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.model.container import ContainerConfig, Device, NamespaceChoice
    from sonata.model.materials import SpecInputs
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts
    from sonata_core.models.process import IdMapping

MASKED = (
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/proc/interrupts",
)
READ_ONLY = ("/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_JOINED = (NamespaceKind.CONTAINER, NamespaceKind.PATH, NamespaceKind.POD)


def build(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> dict[str, Any]:
    """`linux`. Empty parts are left out."""
    security = config.security
    masked, read_only = hidden(config, facts)
    parts: dict[str, Any] = {
        **(_id_maps(config.id_mapping, facts) if config.id_mapping else {}),
        "sysctl": dict(config.sysctl),
        "resources": _resources(config, inputs, facts),
        "cgroupsPath": cgroups_path(config, facts),
        "namespaces": _namespaces(config, inputs),
        "devices": _nodes(config, inputs, facts),
        "rootfsPropagation": _propagation(config),
        "maskedPaths": masked,
        "readonlyPaths": read_only,
    }
    if inputs.seccomp is not None and not security.privileged and security.seccomp != "unconfined":
        parts["seccomp"] = seccomp.convert(inputs.seccomp, facts.machine, security.capabilities.bounding)
    if inputs.selinux_mount and not security.privileged:
        parts["mountLabel"] = inputs.selinux_mount
    if config.process.personality:
        parts["personality"] = {"domain": config.process.personality}
    if config.rdt_class:
        parts["intelRdt"] = {"closID": config.rdt_class}
    return {key: value for key, value in parts.items() if value}


def _id_maps(mapping: IdMapping, facts: HostFacts) -> dict[str, list[dict[str, int]]]:
    if facts.id_mapping is not None:
        from sonata.model.idranges import split

        outer = facts.id_mapping
        mapping = mapping.replace(uids=split(mapping.uids, outer.uids), gids=split(mapping.gids, outer.gids))
    return {"uidMappings": id_map(mapping.uids), "gidMappings": id_map(mapping.gids)}


def cgroups_path(config: ContainerConfig, facts: HostFacts) -> str:
    """Where the container's cgroup is, in the manager's words; empty: none is made."""
    if not _has_group(config, facts):
        return ""
    if config.backends.cgroup_manager == "systemd":
        parent = config.cgroup_parent or ("user.slice" if facts.rootless else "machine.slice")
        return f"{parent}:libpod:{config.id}"
    parent = config.cgroup_parent or "/libpod_parent"
    return f"{parent.rstrip('/')}/libpod-{config.id}"


def _has_group(config: ContainerConfig, facts: HostFacts) -> bool:
    """An ordinary user has one from systemd, or below one that he may divide."""
    if config.cgroups == "disabled":
        return False
    if not facts.rootless:
        return True
    return facts.cgroup_version == 2 and (config.backends.cgroup_manager == "systemd" or bool(config.cgroup_parent))


def _resources(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> dict[str, Any]:
    if not _has_group(config, facts):
        return {}
    rules: list[dict[str, Any]] = []
    if config.security.privileged:
        rules.append({"allow": True, "access": "rwm"})
    else:
        if config.namespaces.user.kind is NamespaceKind.HOST:
            # In a user namespace of its own a container can make no nodes; it sees those that it was given.
            rules.append({"allow": False, "access": "rwm"})
        rules += [_rule(device) for device in config.devices]
    rules += [dict(rule) for rule in config.device_rules]
    limits = dict(config.resources) if config.backends.cgroup_manager == "systemd" else limited(config.resources)
    return ({"devices": rules} if rules else {}) | limits


def limited(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Limits without those that are none: a new group has none, and crun before 1.9 cannot write "unlimited"."""
    found = dict(resources)
    if found.get("pids", {}).get("limit", 0) < 0:
        del found["pids"]
    if found.get("cpu", {}).get("quota", 0) < 0:
        found["cpu"] = {key: value for key, value in found["cpu"].items() if key != "quota"}
    return found


def _rule(device: Device) -> dict[str, Any]:
    return {
        "allow": True,
        "type": device.type,
        "major": device.major,
        "minor": device.minor,
        "access": device.access,
    }


def _nodes(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> list[dict[str, Any]]:
    if facts.rootless:
        return []
    nodes = {
        device.path: device
        for device in (*host_nodes(config, inputs, facts), *config.devices)
        if not bound(device, config)
    }
    return [
        {
            "path": device.path,
            "type": device.type,
            "major": device.major,
            "minor": device.minor,
            "fileMode": device.mode,
            "uid": device.uid,
            "gid": device.gid,
        }
        for device in nodes.values()
    ]


def _namespaces(config: ContainerConfig, inputs: SpecInputs) -> list[dict[str, str]]:
    chosen = config.namespaces
    result: list[dict[str, str]] = []
    for kind, choice in (
        ("pid", chosen.pid),
        ("network", chosen.network),
        ("ipc", chosen.ipc),
        ("uts", chosen.uts),
        ("user", chosen.user),
    ):
        result += _namespace(kind, choice, inputs)
    result.append({"type": "mount"})
    return result + _namespace("cgroup", chosen.cgroup, inputs)


def _namespace(kind: str, choice: NamespaceChoice, inputs: SpecInputs) -> list[dict[str, str]]:
    if choice.kind == NamespaceKind.HOST:
        return []
    path = choice.value if choice.kind == NamespaceKind.PATH else ""
    path = inputs.namespaces.get(kind, path)
    if path == OURS:
        return []
    if kind == "network":
        path = inputs.net.netns or path
    if choice.kind in _JOINED and not path:
        # Left out, it would be the host's.
        raise Conflict(f"the {kind} namespace that is to be joined has no path")
    return [{"type": kind, "path": path} if path else {"type": kind}]


def _propagation(config: ContainerConfig) -> str:
    options = {text for use in config.mounts for text in use.options}
    if options & {"shared", "rshared"}:
        return "shared"
    return "rslave" if options & {"slave", "rslave"} else ""


def hidden(config: ContainerConfig, facts: HostFacts) -> tuple[list[str], list[str]]:
    """Masked and read-only paths, after `mask=` and `unmask=`."""
    security = config.security
    if security.privileged:
        return [], []
    masked = [*MASKED, *security.mask]
    if config.process.systemd and facts.cgroup_version == 1:
        masked.append("/sys/fs/cgroup/systemd/release_agent")
    if sees_host_sys(config, facts):
        masked.append("/sys/kernel")
    if "ALL" in security.unmask:
        return list(security.mask), []
    open_paths = security.unmask
    return (
        [path for path in dict.fromkeys(masked) if not _opened(path, open_paths)],
        [path for path in READ_ONLY if not _opened(path, open_paths)],
    )


def _opened(path: str, patterns: tuple[str, ...]) -> bool:
    if path in patterns:
        return True
    if not any(char in pattern for pattern in patterns for char in "*?["):
        return False
    from fnmatch import fnmatchcase

    return any(fnmatchcase(path, pattern) for pattern in patterns)
