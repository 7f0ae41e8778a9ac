"""The JSON that netavark reads and the JSON that it answers, to and from our models. Pure.

Source: netavark's `src/network/types.rs`; the map form of `networks` is read by every release.
"""

from sonata_core.lite import Any
from sonata_core.models.net import (
    AddressResult,
    Attachment,
    AttachRequest,
    AttachResult,
    InterfaceResult,
    NetworkDefinition,
    PortMapping,
    Subnet,
)

SHORT_ID = 12
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is asked for, not what is listened on


def options_document(request: AttachRequest, attachments: "tuple[Attachment, ...]") -> "dict[str, Any]":
    """What `setup` and `teardown` read on stdin: the same for both, else rules are left behind."""
    document: dict[str, Any] = {
        "container_id": request.container,
        "container_name": request.name,
        "networks": {each.network.name: attachment_entry(request, each) for each in attachments},
        "network_info": {each.network.name: network_entry(each.network) for each in attachments},
    }
    if request.ports:
        document["port_mappings"] = [port_entry(port) for port in sorted_ports(request.ports)]
    if request.dns_servers:
        document["dns_servers"] = list(request.dns_servers)
    if request.hostname:
        document["container_hostname"] = request.hostname
    return document


def sorted_ports(ports: "tuple[PortMapping, ...]") -> "list[PortMapping]":
    """Ports in an order that does not change from run to run."""
    return sorted(ports, key=lambda port: (port.host_ip, port.protocol, port.host_port))


def attachment_entry(request: AttachRequest, attachment: Attachment) -> "dict[str, Any]":
    """One interface, as netavark's `PerNetworkOptions`. The short id is always an alias."""
    short = request.container[:SHORT_ID]
    entry: dict[str, Any] = {
        "static_ips": [address.partition("/")[0] for address in attachment.addresses],
        "aliases": [*(alias for alias in attachment.aliases if alias != short), short],
        "interface_name": attachment.interface,
    }
    if attachment.mac:
        entry["static_mac"] = attachment.mac
    if attachment.options:
        entry["options"] = dict(attachment.options)
    return entry


def network_entry(network: NetworkDefinition) -> "dict[str, Any]":
    """A definition as netavark and Podman spell it in their files. Empty lists and maps are left out."""
    entry: dict[str, Any] = {
        "name": network.name,
        "id": network.id,
        "driver": network.driver,
        "network_interface": network.interface,
        "created": network.created,
        "subnets": [_subnet_entry(subnet) for subnet in network.subnets],
        "ipv6_enabled": network.ipv6_enabled,
        "internal": network.internal,
        "dns_enabled": network.dns_enabled,
        "ipam_options": {"driver": network.ipam_driver},
    }
    if network.routes:
        entry["routes"] = [
            {"destination": route.destination, "gateway": route.gateway}
            | ({} if route.metric is None else {"metric": route.metric})
            for route in network.routes
        ]
    if network.dns_servers:
        entry["network_dns_servers"] = list(network.dns_servers)
    if network.labels:
        entry["labels"] = dict(network.labels)
    if network.options:
        entry["options"] = dict(network.options)
    return entry


def port_entry(port: PortMapping) -> "dict[str, Any]":
    """A port mapping in netavark's spelling.

    netavark 1.4 takes 0.0.0.0 for one address and makes rules that no packet meets: every address is empty.
    """
    return {
        "host_ip": "" if port.host_ip == EVERYWHERE else port.host_ip,
        "container_port": port.container_port,
        "host_port": port.host_port,
        "range": port.range,
        "protocol": port.protocol,
    }


def attach_result(answer: "dict[str, Any]", attachments: "tuple[Attachment, ...]") -> AttachResult:
    """Netavark's map of status blocks, in the order of the attachments."""
    interfaces: list[InterfaceResult] = []
    servers: list[str] = []
    search: list[str] = []
    for each in attachments:
        block = answer.get(each.network.name) or {}
        for name, interface in sorted((block.get("interfaces") or {}).items()):
            interfaces.append(_interface(each.network.name, name, interface))
        servers += [server for server in block.get("dns_server_ips") or () if server not in servers]
        search += [domain for domain in block.get("dns_search_domains") or () if domain not in search]
    return AttachResult(interfaces=tuple(interfaces), dns_servers=tuple(servers), dns_search=tuple(search))


def _interface(network: str, name: str, block: "dict[str, Any]") -> InterfaceResult:
    return InterfaceResult(
        network=network,
        interface=name,
        mac=str(block.get("mac_address") or ""),
        addresses=tuple(
            AddressResult(address=str(subnet.get("ipnet") or ""), gateway=str(subnet.get("gateway") or ""))
            for subnet in block.get("subnets") or ()
        ),
    )


def _subnet_entry(subnet: Subnet) -> "dict[str, Any]":
    entry: dict[str, Any] = {"subnet": subnet.subnet}
    if subnet.gateway:
        entry["gateway"] = subnet.gateway
    lease = {"start_ip": subnet.range_start, "end_ip": subnet.range_end}
    if any(lease.values()):
        entry["lease_range"] = {key: value for key, value in lease.items() if value}
    return entry
