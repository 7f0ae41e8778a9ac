"""`generate spec POD`: how a pod was made, in the form of Podman's PodSpecGenerator (podman's pkg/specgen).

Podman leaves out what it keeps elsewhere (sharing, host name, servers of names); here it is told.
"""

from __future__ import annotations

from sonata.engine.containers import specgen
from sonata.engine.pods.clone import free_pod_name
from sonata.plan.pod import SHARED_BY_DEFAULT
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.container_request import SpecRequest
    from sonata.model.pod import PodConfig

_OF_INFRA = ("portmappings", "network_options", "dns_server", "dns_search", "dns_option", "hostadd")
_EMPTY: tuple[object, ...] = (None, "", (), [], {})


def spec_of(engine: Engine, name: str, request: SpecRequest) -> dict[str, Any]:
    """The specification of a pod, without what is empty. Raises NotFound."""
    pod = pods.find(engine.database, name)
    infra = rows.get(engine.database, pod.infra).config if pod.infra else None
    shown = free_pod_name(engine, pod.name) if request.new_name else pod.name
    found = {"name": shown, **_basic(pod, infra), **_network(infra)}
    found |= {"cgroup_parent": pod.asked.get("cgroup_parent", ""), "resource_limits": _limits(pod)}
    found |= _storage(infra)
    found |= {"security_opt": list(pod.security_opt), "idmappings": _maps(infra)}
    return {key: value for key, value in found.items() if value not in _EMPTY}


def _basic(pod: PodConfig, infra: ContainerConfig | None) -> dict[str, Any]:
    asked = pod.asked
    restart = pod.restart
    return {
        "labels": dict(sorted(pod.labels.items())),
        "hostname": pod.hostname,
        "exit_policy": pod.exit_policy if pod.exit_policy != "continue" else "",
        "no_infra": True if infra is None else None,
        "infra_conmon_pid_file": asked.get("infra_conmon_pidfile", ""),
        "infra_command": (asked.get("infra_command") or "").split(),
        "infra_image": asked.get("infra_image", ""),
        "infra_name": asked.get("infra_name", ""),
        "ipcns": {"nsmode": "default"},
        "shared_namespaces": list(pod.share) if infra is not None and pod.share != SHARED_BY_DEFAULT else [],
        "share_parent": None if pod.share_parent else False,
        "restart_policy": restart.name if restart is not None else "",
        "restart_tries": (restart.retries or None) if restart is not None else None,
        "sysctl": dict(infra.sysctl) if infra is not None and asked.get("sysctl") else {},
        "pidns": _asked(asked.get("pid"), "default"),
        "userns": _asked(asked.get("userns"), "default"),
        "utsns": _asked(asked.get("uts"), "private"),
        "pod_devices": list(pod.device),
    }


def _asked(text: str | None, usual: str) -> dict[str, str]:
    kind, _, value = (text or usual).partition(":")
    return {"nsmode": kind, "value": value} if value else {"nsmode": kind}


def _network(infra: ContainerConfig | None) -> dict[str, Any]:
    if infra is None:
        return {}
    found = specgen.network(infra)
    networks = {use.network: specgen.attachment(infra, use) for use in infra.network.networks}
    return {
        "netns": found["netns"],
        **{key: found[key] for key in _OF_INFRA},
        "Networks": networks,
        "no_manage_hosts": None if infra.network.manage_hosts else True,
        "hosts_file": infra.network.base_hosts,
    }


def _limits(pod: PodConfig) -> dict[str, Any]:
    return {"devices": [{"allow": False, "access": "rwm"}], **pod.resources}


def _storage(infra: ContainerConfig | None) -> dict[str, Any]:
    if infra is None:
        return {}
    own = infra.replace(mounts=tuple(use for use in infra.mounts if use.origin != "infra"))
    found = specgen.storage(own)
    return {
        **{key: found[key] for key in ("mounts", "volumes", "overlay_volumes", "image_volumes")},
        "volumes_from": list(infra.volumes_from),
        "shm_size": infra.shm_size,
        "shm_size_systemd": infra.shm_size_systemd,
    }


def _maps(infra: ContainerConfig | None) -> dict[str, Any]:
    mapping = infra.id_mapping if infra is not None else None

    def lines(entries: Any) -> list[dict[str, int]]:
        return [{"container_id": one.container_id, "host_id": one.host_id, "size": one.size} for one in entries]

    return {
        "HostUIDMapping": mapping is None,
        "HostGIDMapping": mapping is None,
        "UIDMap": lines(mapping.uids) if mapping is not None else None,
        "GIDMap": lines(mapping.gids) if mapping is not None else None,
    }
