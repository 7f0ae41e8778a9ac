"""`container clone --pod`: a container as it is decided already, moved into a pod."""

from __future__ import annotations

from sonata.model.container import NamespaceChoice, NamespaceKind, NetworkConfig, NetworkMode, NetworkUse
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.pod import PodConfig

_KINDS = {"cgroup": "cgroup", "ipc": "ipc", "net": "network", "pid": "pid", "uts": "uts"}
SANDBOX = "io.kubernetes.cri-o.SandboxID"


def into(engine: Engine, config: ContainerConfig, name: str) -> ContainerConfig:
    """The container's configuration in the pod of that name: it joins what is shared there.

    Raises NotFound, UsageError for what the pod cannot have: published ports, a user namespace of its own.
    """
    pod = pods.find(engine.database, name)
    if config.infra:
        raise UsageError("an infra container cannot be cloned into a pod", hint="`sonata pod clone` clones the pod")
    if pod.id == config.pod:
        return config
    infra = rows.get(engine.database, pod.infra).config if pod.infra else None
    left = _out_of(engine, config)
    annotations = {key: value for key, value in left.annotations.items() if key != SANDBOX}
    left = left.replace(pod=pod.id, annotations=annotations)
    if pod.share_parent:
        left = left.replace(cgroup_parent=pod.cgroup())
    return left if infra is None else _joined(left, pod, infra)


def _out_of(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """Without what it shares with the pod that it is in: that becomes private again."""
    if not config.pod:
        return config
    infra = pods.get(engine.database, config.pod).infra
    spaces = config.namespaces
    private = NamespaceChoice(kind=NamespaceKind.PRIVATE)
    shared = {name: private for name in _KINDS.values() if getattr(spaces, name).value == infra and infra}
    own = tuple(use for use in config.mounts if use.origin != "pod")
    config = config.replace(namespaces=spaces.replace(**shared), mounts=own, cgroup_parent="")
    if "network" in shared:
        network = NetworkConfig(mode=NetworkMode.BRIDGE, networks=(NetworkUse(network=""),))
        config = config.replace(network=network)
    return config.replace(hostname="") if "uts" in shared else config


def _joined(config: ContainerConfig, pod: PodConfig, infra: ContainerConfig) -> ContainerConfig:
    this = NamespaceChoice(kind=NamespaceKind.CONTAINER, value=infra.id)
    if config.id_mapping != infra.id_mapping:
        raise UsageError("cannot set user namespace mode when joining pod with infra container: invalid argument")
    if "net" in pod.share:
        if config.network.ports or config.network.publish_all:
            raise UsageError(
                "invalid config provided: published or exposed ports must be defined when the pod is created: "
                "network cannot be configured when it is shared with a pod"
            )
        config = config.replace(network=NetworkConfig(mode=NetworkMode.CONTAINER))
    if "uts" in pod.share:
        config = config.replace(hostname=infra.hostname)
    joined = {_KINDS[name]: this for name in pod.share if name in _KINDS}
    taken = {use.target for use in config.mounts}
    new = (use for use in infra.mounts if use.origin != "infra" and use.target not in taken)
    return config.replace(
        namespaces=config.namespaces.replace(**joined),
        annotations={**config.annotations, SANDBOX: infra.id},
        mounts=(*config.mounts, *(use.replace(origin="pod", anonymous=False) for use in new)),
    )
