"""Connecting a container to its networks and taking it off again: leases, ports, backend."""

from __future__ import annotations

from sonata.engine.paths import store_tag
from sonata.model.container import NetworkMode
from sonata.plan.network import interfaces
from sonata.state import leases
from sonata_core.codec import freeze, thaw
from sonata_core.errors import SonataError, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ContainerId
from sonata_core.models.net import Attachment, AttachRequest, AttachResult, NetnsRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, NetworkUse
    from sonata.state.rows import ContainerState
    from sonata_core.models.net import NetworkDefinition

OWN = (NetworkMode.BRIDGE, NetworkMode.SLIRP4NETNS, NetworkMode.PASTA, NetworkMode.PRIVATE)
"""Modes for which the engine makes and pins a namespace."""
_BACKENDS = {NetworkMode.SLIRP4NETNS: "slirp4netns", NetworkMode.PASTA: "pasta"}


def backend_name(engine: Engine, config: ContainerConfig) -> str:
    """The network backend for this container's mode; empty where none is needed."""
    mode = config.network.mode
    if mode is NetworkMode.BRIDGE:
        return config.backends.network or engine.config.network.network_backend or "netavark"
    return _BACKENDS.get(mode, "")


def made_by_runtime(config: ContainerConfig) -> bool:
    """A namespace that is to belong to the container's user namespace is made with it, and pinned later."""
    return config.id_mapping is not None and config.network.mode in OWN


def new_namespace_path(engine: Engine, config: ContainerConfig) -> str:
    """A name for the network namespace that the engine makes at a start; empty where it makes none."""
    if config.network.mode not in OWN:
        return ""
    from sonata.host import netns

    return netns.new_path(engine.config.paths.netns_dir, store_tag(engine.config.storage.graph_root))


def request_for(engine: Engine, config: ContainerConfig) -> AttachRequest:
    """What the backend is asked: addresses are leased here, host ports taken.

    Raises Conflict for an address or a port that is in use, NotFound for a network.
    """
    attachments: list[Attachment] = []
    taken = [
        (one.protocol, one.host_ip, one.host_port + step) for one in config.network.ports for step in range(one.range)
    ]
    if taken:
        leases.hold_ports(engine.database, config.id, engine.facts.boot_id, taken)
    if config.network.mode is NetworkMode.BRIDGE:
        from sonata.engine.networks.lookup import definition_of

        definitions = [definition_of(engine, use.network) for use in config.network.networks]
        attachments = _lease(engine, config, definitions)
    return request_with(engine, config, attachments).replace(outer=_outer(engine, config))


def servers(engine: Engine, config: ContainerConfig) -> tuple[str, ...]:
    """The name servers of containers.conf, and those that the container was given: as Podman has it, both count."""
    return tuple(dict.fromkeys((*engine.config.containers.dns_servers, *config.network.dns_servers)))


def _outer(engine: Engine, config: ContainerConfig) -> NetnsRef | None:
    """Where the container's bridges are, if not on the host."""
    if config.network.mode is not NetworkMode.BRIDGE:
        return None
    from sonata.engine.networks import shared

    return shared.reference(engine)


def request_with(engine: Engine, config: ContainerConfig, attachments: Iterable[Attachment]) -> AttachRequest:
    """The request for a container whose addresses are chosen."""
    return AttachRequest(
        container=ContainerId(config.id),
        name=config.name,
        hostname=config.hostname,
        attachments=tuple(attachments),
        ports=config.network.ports,
        dns_servers=servers(engine, config),
        arguments=config.network.options,
        options=dict(option.partition("=")[::2] for option in config.network.options),
    )


def _lease(engine: Engine, config: ContainerConfig, definitions: list[NetworkDefinition]) -> list[Attachment]:
    from sonata.engine.networks import kept

    found: list[Attachment] = []
    others = {one.name: kept.taken(engine, one, config.id) for one in definitions}
    with engine.database.transaction(durable=False):
        leases.forget_container(engine.database, config.id)
        names = interfaces(config.network.networks)
        for use, name, definition in zip(config.network.networks, names, definitions, strict=True):
            addresses = lease_addresses(engine, config.id, definition, use.static_ips, others[definition.name])
            found.append(attachment(config, use.replace(interface=name), definition, addresses))
    return found


def attachment(
    config: ContainerConfig, use: NetworkUse, definition: NetworkDefinition, addresses: tuple[str, ...]
) -> Attachment:
    """The container's interface, as its backend is told of it. A host name that was given is one of its names there."""
    return Attachment(
        network=definition,
        interface=use.interface,
        addresses=addresses,
        aliases=tuple(dict.fromkeys((*use.aliases, *([config.hostname] if config.hostname else ())))),
        mac=use.mac,
        options=use.options,
    )


def lease_addresses(
    engine: Engine,
    container: str,
    definition: NetworkDefinition,
    static: tuple[str, ...],
    others: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """One address per subnet, taken inside the open transaction. `others` are those that nobody of ours has."""
    from sonata.plan import ipam

    ipam.require_static(definition, static)
    boot = engine.facts.boot_id
    found: list[str] = []
    for subnet in definition.subnets:
        taken = {**(others or {}), **leases.taken(engine.database, definition.name, boot)}
        last = leases.last(engine.database, definition.name, subnet.subnet)
        address, moves = ipam.choose(subnet, taken, last, static)
        lease = leases.Lease(network=definition.name, address=address, container=container)
        leases.hold(engine.database, lease, boot, subnet.subnet if moves else "")
        found.append(address)
    return tuple(found)


def attach(engine: Engine, config: ContainerConfig, path: str, request: AttachRequest) -> AttachResult:
    """Connect the namespace."""
    name = backend_name(engine, config)
    if not name:
        return AttachResult()
    slot = engine.net(name)
    facts = slot.hook.net_facts()
    if engine.facts.rootless and not facts.rootless:
        raise Unsupported(f"network backend {name!r} needs root", hint="--network pasta, none, or host")
    if request.outer is None:
        return slot.hook.net_attach(netns=NetnsRef(path=path), request=request)
    if not facts.outer:
        raise Unsupported(f"network backend {name!r} makes bridges on the host only", hint="--network pasta")
    from sonata.engine.networks import shared

    uplink = shared.enter(engine, request.outer, config.id)
    attached = slot.hook.net_attach(netns=NetnsRef(path=path), request=request)
    return attached.replace(host_address=uplink.host)


def detach(engine: Engine, config: ContainerConfig, state: ContainerState) -> None:
    """Take the container off its networks, and give everything back. Idempotent; trouble is raised at the end."""
    trouble: SonataError | None = None
    name = backend_name(engine, config)
    if state.request and name:
        request = thaw(AttachRequest, dict(state.request))
        if request.outer is not None and request.ports:
            from sonata.engine.containers import forwarding

            forwarding.stop(engine, config)
        attached = thaw(AttachResult, dict(state.attached)) if state.attached else None
        try:
            engine.net(name).hook.net_detach(netns=NetnsRef(path=state.netns), request=request, attached=attached)
        except SonataError as error:
            trouble = error
        if request.outer is not None:
            from sonata.engine.networks import shared

            shared.leave(engine, request.outer, config.id)
    if state.netns and config.network.mode not in (NetworkMode.PATH, NetworkMode.CONTAINER):
        from sonata.host import netns

        netns.remove(engine.kernel, state.netns)
    leases.release_all(engine.database, config.id)
    if trouble is not None:
        raise trouble


def frozen(request: AttachRequest) -> dict[str, object]:
    """The request as it is kept in the container's state."""
    kept: dict[str, object] = freeze(request)
    return kept
