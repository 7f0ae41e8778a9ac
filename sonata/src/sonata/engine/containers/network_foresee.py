"""How a container would be connected: networks, addresses that are asked for, ports, firewall rules. Takes nothing."""

from __future__ import annotations

from sonata.engine.containers import network
from sonata.engine.networks.lookup import look_up
from sonata.host import ports as host_ports
from sonata.model.container import NetworkMode
from sonata.plan import ipam
from sonata.plan import ports as plan_ports
from sonata.plan.network import interfaces
from sonata.state import leases
from sonata_core.hookspecs.net import NetExplain
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata_core.models.net import Attachment, NetworkDefinition, PortMapping

ADDRESS = "‹address›"
PORT = "‹port›"


class _Numbers:
    """Addresses and ports that stand in for those that a start draws, as they appear in the backend's lines."""

    def __init__(self) -> None:
        self.signs: dict[str, str] = {}

    def told(self, line: str) -> str:
        """The line with signs for whole numbers and addresses, never for a part of one."""
        import re

        for stand_in, sign in self.signs.items():
            line = re.sub(rf"(?<![\w.]){re.escape(stand_in)}(?![\w.]*\w)", sign, line)
        return line


def foresee(engine: Engine, config: ContainerConfig) -> dict[str, Any]:
    """The network side of the container, as data to show. Raises Conflict, NotFound, UsageError."""
    asked, numbers = config.network, _Numbers()
    definitions = []
    if asked.mode is NetworkMode.BRIDGE:
        definitions = [look_up(engine, use.network) for use in asked.networks]
    attachments = []
    for use, name, definition in zip(asked.networks, interfaces(asked.networks), definitions, strict=False):
        addresses = _addresses(engine, definition, use.static_ips, numbers)
        attachments.append(network.attachment(config, use.replace(interface=name), definition, addresses))
    return {
        "Mode": str(asked.mode),
        "Options": list(asked.options),
        "Backend": network.backend_name(engine, config),
        "Networks": [_network(one, numbers) for one in attachments],
        "Ports": [_port(one) for one in asked.ports],
        "DNSServers": list(asked.dns_servers),
        "DNSSearch": list(asked.dns_search),
        "DNSOptions": list(asked.dns_options),
        "Hosts": list(asked.add_hosts),
        "Rules": [numbers.told(line) for line in _rules(engine, config, attachments, numbers)],
    }


def _addresses(
    engine: Engine, definition: NetworkDefinition, static: tuple[str, ...], numbers: _Numbers
) -> tuple[str, ...]:
    """One for each subnet, chosen as a start would; those that nobody asked for may be others by then."""
    ipam.require_static(definition, static)
    boot, found = engine.facts.boot_id, []
    for subnet in definition.subnets:
        taken = leases.taken(engine.database, definition.name, boot)
        last = leases.last(engine.database, definition.name, subnet.subnet)
        address, moves = ipam.choose(subnet, taken, last, static)
        if moves:
            numbers.signs[address] = ADDRESS
        found.append(address)
    return tuple(found)


def _network(one: Attachment, numbers: _Numbers) -> dict[str, Any]:
    return {
        "Name": one.network.name,
        "Id": one.network.id,
        "Driver": one.network.driver,
        "Bridge": one.network.interface,
        "Interface": one.interface,
        "Subnets": [subnet.subnet for subnet in one.network.subnets],
        "Gateways": [subnet.gateway for subnet in one.network.subnets],
        "Addresses": [numbers.told(address) for address in one.addresses],
        "Aliases": list(one.aliases),
        "MacAddress": one.mac,
        "DNS": one.network.dns_enabled,
        "Internal": one.network.internal,
    }


def _port(one: PortMapping) -> dict[str, Any]:
    return {
        "HostIP": one.host_ip,
        "HostPort": one.host_port or PORT,
        "ContainerPort": one.container_port,
        "Range": one.range,
        "Protocol": one.protocol,
    }


def _rules(
    engine: Engine, config: ContainerConfig, attachments: list[Attachment], numbers: _Numbers
) -> tuple[str, ...]:
    """What the backend adds to the host's firewall, in its words; nothing from one that cannot say."""
    name = network.backend_name(engine, config)
    if not name or not attachments:
        return ()
    slot = engine.net(name)
    if not slot.offers(NetExplain):
        return ()
    drawn = plan_ports.wanted(config.network.ports)
    free = [host_ports.find_free(one.protocol, one.host_ip, one.range) for one in drawn]
    for one, first in zip(drawn, free, strict=True):
        for step in range(one.range):
            numbers.signs[str(first + step)] = f"{PORT}+{step}" if step else PORT
    ports = plan_ports.assign(config.network.ports, free)
    request = network.request_with(engine, config, attachments).replace(ports=ports)
    return slot.require(NetExplain).net_explain(request=request)
