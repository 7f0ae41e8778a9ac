"""`pod inspect`: everything about one pod, with Podman's keys in Podman's order."""

from __future__ import annotations

from sonata.engine.containers.describe import mount_shown
from sonata.engine.containers.inspect_host import devices_shown, namespace, port_bindings, volumes_and_binds
from sonata.engine.pods.listing import cgroup_parent, shown_group
from sonata.engine.pods.members import listed, members, status_of
from sonata.model.container import NetworkMode
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.pod import PodConfig


def inspect(engine: Engine, pod: PodConfig) -> dict[str, Any]:
    """The object that `pod inspect` shows."""
    found = members(engine, pod)
    shown = listed(found)
    infra = next((row.config for row in found if row.config.infra), None)
    described: dict[str, Any] = {"Id": pod.id, "Name": pod.name, "Created": pod.created}
    if pod.create_command:
        described["CreateCommand"] = list(pod.create_command)
    described |= {"ExitPolicy": pod.exit_policy, "State": status_of(shown), "Hostname": pod.hostname}
    if pod.labels:
        described["Labels"] = dict(sorted(pod.labels.items()))
    described |= {"CreateCgroup": pod.share_parent, "CgroupParent": cgroup_parent(pod)}
    if pod.cgroup():
        described["CgroupPath"] = shown_group(pod)
    described["CreateInfra"] = infra is not None
    if infra is not None:
        described["InfraContainerID"] = infra.id
        described["InfraConfig"] = _infra(pod, infra)
        described["SharedNamespaces"] = list(pod.share)
    described["NumContainers"] = len(shown)
    if shown:
        described["Containers"] = [{"Id": one.id, "Name": one.name, "State": one.state} for one in shown]
    described |= _limits(pod.resources)
    described |= _inherited(engine, pod, infra)
    described |= _memory(pod.resources)
    if pod.restart is not None:
        described["RestartPolicy"] = pod.restart.name
    described["LockNumber"] = 0
    return described


def _infra(pod: PodConfig, infra: ContainerConfig) -> dict[str, Any]:
    network, cpu = infra.network, pod.resources.get("cpu", {})
    shown: dict[str, Any] = {
        "PortBindings": port_bindings(infra),
        "HostNetwork": network.mode is NetworkMode.HOST,
        "StaticIP": "",
        "StaticMAC": "",
        "NoManageResolvConf": not network.manage_resolv and network.mode is not NetworkMode.NONE,
        "DNSServer": list(network.dns_servers) or None,
        "DNSSearch": list(network.dns_search) or None,
        "DNSOption": list(network.dns_options) or None,
        "NoManageHostname": not network.manage_hostname,
        "NoManageHosts": not network.manage_hosts,
        "HostAdd": list(network.add_hosts) or None,
        "HostsFile": network.base_hosts,
        "Networks": [use.network for use in network.networks] or None,
        "NetworkOptions": {str(network.mode): list(network.options)} if network.options else None,
    }
    for key, name in (("period", "cpu_period"), ("quota", "cpu_quota"), ("cpus", "cpuset_cpus")):
        if key in cpu:
            shown[name] = cpu[key]
    spaces = infra.namespaces
    shown["pid_ns"] = namespace(spaces.pid) or "private"
    shown["userns"] = namespace(spaces.user) or "host"
    shown["uts_ns"] = namespace(spaces.uts) or "private"
    return shown


_CPU = (
    ("period", "cpu_period"),
    ("quota", "cpu_quota"),
    ("shares", "cpu_shares"),
    ("cpus", "cpuset_cpus"),
    ("mems", "cpuset_mems"),
)


def _limits(resources: Mapping[str, Any]) -> dict[str, Any]:
    cpu = resources.get("cpu", {})
    return {name: cpu[key] for key, name in _CPU if key in cpu}


def _memory(resources: Mapping[str, Any]) -> dict[str, Any]:
    memory, block = resources.get("memory", {}), resources.get("blockIO", {})
    shown = {
        "memory_limit": memory.get("limit"),
        "memory_swap": memory.get("swap"),
        "blkio_weight": block.get("weight"),
        "blkio_weight_device": devices_shown(block.get("weightDevice"), "weight"),
        "device_write_bps": devices_shown(block.get("throttleWriteBpsDevice"), "rate"),
    }
    return {name: value for name, value in shown.items() if value}


def _inherited(engine: Engine, pod: PodConfig, infra: ContainerConfig | None) -> dict[str, Any]:
    rates = pod.resources.get("blockIO", {}).get("throttleReadBpsDevice")
    shown: dict[str, Any] = {
        "mounts": [mount_shown(engine, use) for use in volumes_and_binds(infra)] if infra else [],
        "devices": [
            {"PathOnHost": one.source, "PathInContainer": one.path, "CgroupPermissions": one.access}
            for one in (infra.devices if infra else ())
        ],
        "device_read_bps": devices_shown(rates, "rate"),
        "volumes_from": list(infra.volumes_from) if infra else [],
        "security_opt": list(pod.security_opt),
    }
    return {name: value for name, value in shown.items() if value}
