"""Putting a container on a network and taking it off, also while it runs."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import files, lookup, network, present
from sonata.engine.networks import kept
from sonata.engine.networks.lookup import definition_of
from sonata.model.container import NetworkMode
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.plan.network import interfaces, require_mac
from sonata.state import containers as rows
from sonata.state import leases
from sonata_core.codec import freeze, thaw
from sonata_core.errors import Conflict, NotFound, SonataError, UsageError
from sonata_core.hookspecs.net import NetLive
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AttachRequest, AttachResult, NetnsRef

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, NetworkUse
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import NetworkDefinition

_LIVE = (Phase.RUNNING, Phase.PAUSED, Phase.INITIALISED)


def connect(engine: Engine, container: str, use: NetworkUse) -> None:
    """Put a container on one more network; one that does not run may be on it already, and stays as it is.

    Raises NotFound, Conflict (there already, address taken), UsageError.
    """
    definition = definition_of(engine, use.network)
    if use.mac:
        use = use.replace(mac=require_mac(use.mac))
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        config = row.config
        _require_bridge(config)
        lifecycle.require(Phase(row.state.phase), Verb.CONNECT, config.id)
        if any(one.network == definition.name for one in config.network.networks):
            if row.state.phase not in _LIVE:
                return  # as Docker, and so Podman, take it
            raise Conflict(
                f"container {config.id} is already connected to network {definition.name}: network is already connected"
            )
        aliases = tuple(dict.fromkeys((*use.aliases, config.id[:12])))
        use = use.replace(network=definition.name, aliases=aliases)
        use = use.replace(interface=interfaces((*config.network.networks, use))[-1])
        if row.state.phase in _LIVE:
            row = row.replace(state=row.state.replace(**_connect_now(engine, row, use, definition)))
        changed = config.replace(
            network=config.network.replace(networks=(*config.network.networks, use)),
        )
        _store(engine, row.replace(config=changed))
    events.network(engine, "connect", definition.name, config.id, container=config.name)


def disconnect(engine: Engine, container: str, name: str, *, force: bool = False) -> None:
    """Take a container off a network. Raises NotFound, Conflict; `force` goes on where the backend fails."""
    definition = definition_of(engine, name)
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        config = row.config
        _require_bridge(config)
        left = tuple(one for one in config.network.networks if one.network != definition.name)
        if len(left) == len(config.network.networks):
            raise Conflict(f"container {config.name} is not connected to network {definition.name}")
        if row.state.phase in _LIVE:
            try:
                row = row.replace(state=row.state.replace(**_disconnect_now(engine, row, definition)))
            except SonataError:
                if not force:
                    raise
        leases.release(engine.database, config.id, definition.name)
        changed = config.replace(network=config.network.replace(networks=left))
        _store(engine, row.replace(config=changed))
    events.network(engine, "disconnect", definition.name, config.id, container=config.name)


def _require_bridge(config: ContainerConfig) -> None:
    if config.network.mode is not NetworkMode.BRIDGE:
        silent = (NetworkMode.NONE, NetworkMode.HOST)  # Podman has no word for them
        mode = "" if config.network.mode in silent else config.network.mode
        raise UsageError(
            f'"{mode}" is not supported: invalid network mode',
            hint="only containers on bridge networks can be connected and disconnected",
        )


def _connect_now(
    engine: Engine, row: ContainerRow, use: NetworkUse, definition: NetworkDefinition
) -> dict[str, object]:
    """Lease, connect, merge, rewrite the files; what changes in the container's state."""
    config = row.config
    hook = engine.net(network.backend_name(engine, config)).require(NetLive)
    request = thaw(AttachRequest, dict(row.state.request))
    others = kept.taken(engine, definition, config.id)
    with engine.database.transaction():
        addresses = network.lease_addresses(engine, config.id, definition, use.static_ips, others)
    attachment = network.attachment(config, use, definition, addresses)
    try:
        added = hook.net_connect(netns=NetnsRef(path=row.state.netns), request=request, attachment=attachment)
    except SonataError:
        leases.release(engine.database, config.id, definition.name)
        raise
    known = thaw(AttachResult, dict(row.state.attached)) if row.state.attached else AttachResult()
    merged = known.replace(
        interfaces=(*known.interfaces, *added.interfaces),
        dns_servers=tuple(dict.fromkeys((*added.dns_servers, *known.dns_servers))),
        dns_search=tuple(dict.fromkeys((*known.dns_search, *added.dns_search))),
    )
    asked = request.replace(attachments=(*request.attachments, attachment))
    files.amend(engine, row, asked, (known, merged))
    _lead_ports(engine, row, asked, merged)
    return {"attached": freeze(merged), "request": network.frozen(asked)}


def _disconnect_now(engine: Engine, row: ContainerRow, definition: NetworkDefinition) -> dict[str, object]:
    config = row.config
    hook = engine.net(network.backend_name(engine, config)).require(NetLive)
    request = thaw(AttachRequest, dict(row.state.request))
    gone = next((one for one in request.attachments if one.network.name == definition.name), None)
    if gone is None:
        raise NotFound(f"container {config.name} has no interface on network {definition.name}")
    hook.net_disconnect(netns=NetnsRef(path=row.state.netns), request=request, attachment=gone)
    known = thaw(AttachResult, dict(row.state.attached))
    gateways = {
        address.gateway for one in known.interfaces if one.network == definition.name for address in one.addresses
    }
    servers = tuple(server for server in known.dns_servers if server not in gateways)
    left = known.replace(
        interfaces=tuple(one for one in known.interfaces if one.network != definition.name),
        dns_servers=servers,
        dns_search=known.dns_search if servers else (),
    )
    files.amend(engine, row, request, (known, left))
    asked = request.replace(attachments=tuple(one for one in request.attachments if one is not gone))
    _lead_ports(engine, row, asked, left)
    return {"attached": freeze(left), "request": network.frozen(asked)}


def _lead_ports(engine: Engine, row: ContainerRow, request: AttachRequest, attached: AttachResult) -> None:
    """Where a forwarder leads published ports to the container, have it lead to the container's new place."""
    if request.outer is not None and request.ports:
        from sonata.engine.containers import forwarding

        forwarding.renew(engine, row, request, attached)


def _store(engine: Engine, row: ContainerRow) -> None:
    with engine.database.transaction():
        rows.put_config(engine.database, row.config)
        rows.put_state(engine.database, row.config.id, row.state)
        rows.set_networks(engine.database, row.config.id, [one.network for one in row.config.network.networks])
