"""Pods: what is shared, which container holds it, and what a member's request becomes."""

from __future__ import annotations

from sonata.model.container import NamespaceKind
from sonata.model.pod import INFRA_PROGRAM, PodConfig
from sonata.model.request import ResourceOptions, RunRequest
from sonata.plan import env, resources, restart
from sonata.plan.values import go_quote
from sonata_core.errors import UsageError
from sonata_core.record import fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sonata.model.container import ContainerConfig
    from sonata.model.defaults import Defaults
    from sonata.model.materials import Materials
    from sonata.model.pod import PodRequest
    from sonata_core.models.host import HostFacts

SHARED_BY_DEFAULT = ("ipc", "net", "uts")
SHARED_KINDS = ("cgroup", "ipc", "net", "pid", "user", "uts")
EXIT_POLICIES = ("continue", "stop")

_NEEDS_INFRA = (
    ("publish", "you must have an infra container to publish port bindings to the host"),
    ("network", "NoInfra and network modes cannot be used together"),
    ("infra_name", "NoInfra and InfraName are mutually exclusive pod options: invalid pod spec"),
    ("infra_command", "NoInfra and InfraCommand are mutually exclusive pod options: invalid pod spec"),
    ("infra_image", "NoInfra and InfraImage are mutually exclusive pod options: invalid pod spec"),
    ("infra_conmon_pidfile", "NoInfra and InfraConmonPidFile are mutually exclusive pod options: invalid pod spec"),
    ("dns", "NoInfra and DNSServer are mutually exclusive pod options: invalid pod spec"),
    ("dns_search", "NoInfra and DNSSearch are mutually exclusive pod options: invalid pod spec"),
    ("dns_option", "NoInfra and DNSOption are mutually exclusive pod options: invalid pod spec"),
    ("add_host", "NoInfra and HostAdd are mutually exclusive pod options: invalid pod spec"),
    ("no_hosts", "cannot specify --no-hosts without an infra container"),
    ("no_hostname", "cannot specify --no-hostname without an infra container"),
    ("hosts_file", "cannot specify --hosts-file without an infra container"),
    ("ip", "cannot set --ip without infra container: invalid argument"),
    ("ip6", "cannot set --ip6 without infra container: invalid argument"),
    ("mac_address", "cannot set --mac without infra container: invalid argument"),
    ("network_alias", "cannot set --network-alias without infra container: invalid argument"),
)
"""Options that say what an infra container is to be, with Podman's words where there is none."""

_NO_HOLDER = (
    *("hostname", "pid", "uts", "userns", "uidmap", "gidmap", "subuidname", "subgidname", "sysctl"),
    *("volume", "volumes_from"),
)
"""Options of namespaces and mounts that Podman accepts without an infra container, and then forgets."""


def shared(text: str | None) -> tuple[str, ...]:
    """`--share`: the namespaces that members join; `+pid` adds to the usual ones. Raises UsageError."""
    if text is None:
        return SHARED_BY_DEFAULT
    usual = SHARED_BY_DEFAULT if text.startswith("+") else ()
    names = [name for name in text.removeprefix("+").split(",") if name]
    for name in names:
        if name not in (*SHARED_KINDS, "none"):
            raise UsageError(
                f"invalid kernel namespace to share: {name}. Options are: cgroup, ipc, net, pid, uts or none"
            )
    return tuple(sorted({*usual, *names} - {"none"}))


def has_infra(request: PodRequest, share: Sequence[str]) -> bool:
    """Whether there is to be an infra container. Raises UsageError where options need one that is not to be."""
    if request.infra is not False:
        return bool(share) or _asks_for_infra(request)
    if request.share is not None and share:
        raise UsageError(f"cannot set share({request.share}) namespaces without an infra container")
    for field, told in _NEEDS_INFRA:
        if getattr(request, field):
            raise UsageError(told)
    for field in _NO_HOLDER:
        if getattr(request, field):
            raise UsageError(
                f"--{field.replace('_', '-')} has no effect without an infra container",
                hint="leave out --infra=false, or give the option to each container of the pod",
            )
    return False


def _asks_for_infra(request: PodRequest) -> bool:
    """With nothing shared an infra container is of use to nobody, unless its own options are given."""
    return any(getattr(request, field) for field, _ in _NEEDS_INFRA)


def plan_pod(
    request: PodRequest, materials: Materials, facts: HostFacts, defaults: Defaults
) -> tuple[PodConfig, list[str]]:
    """The pod, but for its infra container's id, and notices about what was left out.

    `materials` are the pod's: its id and name. Raises UsageError.
    """
    share = shared(request.share)
    infra = has_infra(request, share)
    _require_sense(request)
    share = share if infra else ()
    if "cgroup" in share and request.share_parent:
        raise UsageError(
            "cannot define the pod as the cgroup parent at the same time as joining the infra container's cgroupNS: "
            "invalid argument"
        )
    policy = request.exit_policy or defaults.pod_exit_policy
    if policy not in EXIT_POLICIES:
        raise UsageError(f"running pod create option: invalid pod exit policy: {go_quote(policy)}")
    limits, notices = resources.decide(request.replace(pids_limit=-1), materials, facts, defaults)
    limits.pop("pids", None)
    if limits and not request.share_parent:
        raise UsageError(
            "limits hold for the pod's control group, and --share-parent=false leaves the containers out of it",
            hint="give the limits to each container of the pod",
        )
    parent = resources.group_parent(request, materials, facts, defaults)
    if not parent and facts.rootless and defaults.cgroup_manager == "systemd":
        parent = "user.slice"
    # On version 1 nothing is made for an ordinary user either; there the runtime is not told.
    grouped = facts.cgroup_version != 2 or resources.groups_are_made(parent, defaults, facts)
    pod = PodConfig(
        id=materials.id,
        name=materials.name,
        created=materials.created,
        labels=env.labels({}, materials.label_files, request.label, request.caller_env),
        hostname=request.hostname,
        share=share,
        share_parent=request.share_parent and grouped,
        cgroup_parent=parent,
        cgroup_manager=defaults.cgroup_manager,
        resources=limits,
        exit_policy=policy,
        restart=restart.parse(request.restart, "running pod create option: ") if request.restart else None,
        device=request.device,
        gpus=request.gpus,
        security_opt=request.security_opt,
        shm_size=request.shm_size,
        shm_size_systemd=request.shm_size_systemd,
        create_command=request.create_command,
    )
    return pod, notices


def _require_sense(request: PodRequest) -> None:
    """Raises UsageError, with Podman's texts, for what a pod's own namespaces cannot have."""
    mode = request.network[0].partition(":")[0] if request.network else ""
    if mode == "container":
        raise UsageError("pods presently do not support network mode container")
    if request.publish and mode in ("host", "none", "ns"):
        raise UsageError("PortMappings can only be used with Bridge, slirp4netns, or pasta networking")
    if request.uts == "host" and request.hostname:
        raise UsageError(
            "invalid config provided: cannot set hostname when running in the host UTS namespace: invalid configuration"
        )


_OF_THE_POD = (
    *("blkio_weight", "blkio_weight_device", "cpu_shares", "cpus", "cpuset_cpus", "cpuset_mems", "device_read_bps"),
    *("device_write_bps", "memory", "memory_swap", "cgroup_parent"),
)
"""Options that hold for the pod's control group and not for the infra container's."""


def infra_request(request: PodRequest, pod: PodConfig, rootfs: str) -> RunRequest:
    """The infra container's own request. `rootfs`: an empty folder, for one that is of no image."""
    kept = {name: getattr(request, name) for name in fields_of(ResourceOptions) if name not in _OF_THE_POD}
    command = tuple(request.infra_command.split(" ")) if request.infra_command else None
    if not request.infra_image:
        command = command or (INFRA_PROGRAM, "-P")
    kept |= {
        "hostname": "" if request.uts == "host" else request.hostname or pod.name,
        "entrypoint": (command[0] if command else None),
        "ipc": "shareable",
        "cgroupns": "private" if "cgroup" in pod.share else "",
        "pids_limit": 0,
        "systemd": "false",
    }
    return RunRequest(
        **kept,
        image=request.infra_image or f"{rootfs}:O",
        rootfs=not request.infra_image,
        command=command[1:] or None if command else None,
        name=request.infra_name or f"{pod.id[:12]}-infra",
        conmon_pidfile=request.infra_conmon_pidfile,
        cgroup_parent=pod.cgroup() or pod.cgroup_parent,
        pod=pod.id,
        caller_env=request.caller_env,
        caller_dir=request.caller_dir,
    )


_SHARED_NETWORK = "network cannot be configured when it is shared with a pod"


def member_request(request: RunRequest, pod: PodConfig, infra: ContainerConfig | None) -> RunRequest:
    """The request of a container that is to be in a pod: what is shared is joined, what is inherited is added.

    Raises UsageError, with Podman's texts, for what only the pod can have.
    """
    changes: dict[str, object] = {"pod": pod.id, "pod_id_file": ""}
    if pod.share_parent and not request.cgroup_parent and request.cgroups != "disabled":
        changes["cgroup_parent"] = pod.cgroup()
    if pod.restart is not None and not (request.restart or request.rm or request.rmi or request.init_ctr):
        changes["restart"] = restart.text(pod.restart)
    changes["device"] = (*(one for one in pod.device if one not in request.device), *request.device)
    changes["gpus"] = (*(one for one in pod.gpus if one not in request.gpus), *request.gpus)
    changes["shm_size_systemd"] = request.shm_size_systemd or pod.shm_size_systemd
    if not request.security_opt:
        changes["security_opt"] = pod.security_opt
    if infra is not None:
        changes |= _joined(request, pod, infra)
    return request.replace(**changes)


_AS_POD = ("", "pod")
"""Values of options of namespaces that leave them to the pod."""


def _joined(request: RunRequest, pod: PodConfig, infra: ContainerConfig) -> dict[str, object]:
    this = f"container:{infra.id}"
    changes: dict[str, object] = {
        "annotation": (*request.annotation, f"io.kubernetes.cri-o.SandboxID={infra.id}"),
        "inherits": infra.id,
    }
    if "net" in pod.share and request.network in (None, ("pod",)):
        _require_plain_network(request)
        changes["network"] = (this,)
    if "uts" in pod.share and request.uts in _AS_POD:
        if request.hostname:
            raise UsageError(
                "invalid config provided: cannot set hostname when joining the pod UTS namespace: invalid configuration"
            )
        changes["uts"] = this
        changes["hostname"] = infra.hostname
    if "ipc" in pod.share and request.ipc in _AS_POD:
        changes["ipc"] = this
        changes["shm_size"] = request.shm_size or pod.shm_size
    if "pid" in pod.share and request.pid in _AS_POD:
        changes["pid"] = this
    if "cgroup" in pod.share and not request.cgroupns:
        changes["cgroupns"] = this
    if (
        request.userns not in ("", "host")
        or request.uidmap
        or request.gidmap
        or request.subuidname
        or request.subgidname
    ):
        raise UsageError("cannot set user namespace mode when joining pod with infra container: invalid argument")
    if infra.id_mapping is not None:
        changes["userns"] = this
    if infra.namespaces.user.kind is NamespaceKind.KEEP_ID and not request.user:
        changes |= {"user": infra.process.user, "hostuser": (*request.hostuser, *infra.process.host_users)}
    return changes


def _require_plain_network(request: RunRequest) -> None:
    told = ""
    if request.publish or request.publish_all:
        told = "published or exposed ports must be defined when the pod is created"
    elif request.add_host:
        told = "extra host entries must be specified on the pod"
    elif request.ip or request.ip6 or request.mac_address or request.network_alias:
        told = "networks must be defined when the pod is created"
    elif request.dns or request.dns_search or request.dns_option:
        told = "DNS servers, search domains and options must be defined when the pod is created"
    elif request.no_hosts or request.hosts_file:
        told = "the hosts file must be defined when the pod is created"
    if told:
        raise UsageError(f"invalid config provided: {told}: {_SHARED_NETWORK}")


_MOVED = (
    *("add_host", "dns", "dns_option", "dns_search", "hosts_file", "ip", "ip6", "mac_address", "network"),
    *("network_alias", "no_hosts", "publish", "hostname", "userns", "uidmap", "gidmap", "subuidname", "subgidname"),
    *("pid", "restart", "cpus", "cpuset_cpus"),
)
"""Options of `run --pod new:NAME` that are the new pod's."""


def new_pod(request: RunRequest, name: str, make: Callable[..., PodRequest]) -> tuple[PodRequest, RunRequest]:
    """`--pod new:NAME`: the pod's request, and what is left for its first container. Raises UsageError."""
    if not name:
        raise UsageError("new pod name must be at least one character")
    moved = {field: getattr(request, field) for field in _MOVED}
    if moved["pid"]:
        moved["share"] = "+pid"
    pod = make(
        **moved,
        name=name,
        caller_env=request.caller_env,
        caller_dir=request.caller_dir,
        create_command=request.create_command,
    )
    plain = RunRequest(image="")
    return pod, request.replace(**{field: getattr(plain, field) for field in _MOVED})


def status(states: Sequence[str]) -> str:
    """The pod's state from those of its containers, init containers left out: Podman's rules."""
    count = {"running": 0, "paused": 0, "ended": 0, "created": 0, "other": 0}
    kinds = {"exited": "ended", "stopped": "ended", "initialized": "created"}
    for state in states:
        kind = kinds.get(state, state)
        count[kind if kind in count else "other"] += 1
    if not states:
        return "Created"
    if count["running"]:
        return "Running" if count["running"] == len(states) else "Degraded"
    if count["paused"] == len(states):
        return "Paused"
    if count["ended"]:
        return "Exited" if count["ended"] == len(states) else "Stopped"
    return "Error" if count["other"] else "Created"
