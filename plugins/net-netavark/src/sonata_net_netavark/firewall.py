"""The rules of netavark's iptables driver, as words for iptables: what a network needs, and what a published port.

Chain names and rule order: netavark `src/firewall/varktables/types.rs`.
"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_net_netavark import rules
from sonata_net_netavark.document import EVERYWHERE, sorted_ports

if TYPE_CHECKING:
    from sonata_core.models.net import AttachRequest, PortMapping

_MULTICAST = {4: "224.0.0.0/4", 6: "ff00::/8"}


def network_rules(name: str, subnet: str) -> tuple[list[str], list[str]]:
    """A network's rules for one of its subnets: those of the table filter, those of the table nat."""
    masquerade, _ = rules.chain_names(name)
    multicast = _MULTICAST[6 if ":" in subnet else 4]
    filters = [
        f"-A {rules.FORWARD} -d {subnet} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"-A {rules.FORWARD} -s {subnet} -j ACCEPT",
    ]
    nat = [
        f"-N {masquerade}",
        f"-A {masquerade} -d {subnet} -j ACCEPT",
        f"-A {masquerade} ! -d {multicast} -j MASQUERADE",
        f"-A POSTROUTING -s {subnet} -j {masquerade}",
    ]
    return filters, nat


def port_rules(request: AttachRequest, name: str, spot: tuple[str, str], port: PortMapping) -> list[str]:
    """A published port's rules in the table nat, on the network `name`. `spot`: subnet, and address in it."""
    subnet, address = spot
    six = ":" in address
    _, chain = rules.chain_names(name)
    last = port.host_port + port.range - 1
    where = f" -d {port.host_ip}" if port.host_ip not in ("", EVERYWHERE) else ""
    wanted = f"-p {port.protocol} --dport {port.host_port}" + (f":{last}" if port.range > 1 else "")
    target = f"[{address}]:{port.container_port}" if six else f"{address}:{port.container_port}"
    if port.range > 1:
        target += f"-{port.container_port + port.range - 1}/{port.host_port}"
    comment = f'-m comment --comment "dnat name: {name} id: {request.container}"'
    local = [] if six else [f"-A {chain} -s 127.0.0.1{where} {wanted} -j {rules.SETMARK}"]
    return [
        f"-A {chain} -s {subnet}{where} {wanted} -j {rules.SETMARK}",
        *local,
        f"-A {chain}{where} {wanted} -j DNAT --to-destination {target}",
        f"-A {rules.HOSTPORT} {wanted} {comment} -j {chain}",
    ]


def explained(request: AttachRequest) -> tuple[str, ...]:
    """Every rule that a container's networks and ports need, as commands; what is there already is not made twice."""
    found: list[str] = []
    for each in request.attachments:
        network = each.network
        if network.driver != "bridge" or network.internal:
            continue  # netavark gives these no rules, also where ports are published
        for subnet, address in zip(network.subnets, each.addresses, strict=False):
            tool = "ip6tables" if ":" in subnet.subnet else "iptables"
            filters, nat = network_rules(network.name, subnet.subnet)
            ports = [port for port in sorted_ports(request.ports) if _reaches(port, address)]
            if ports:
                nat.append(f"-N {rules.chain_names(network.name)[1]}")
            for port in ports:
                nat += port_rules(request, network.name, (subnet.subnet, address.partition("/")[0]), port)
            found += [f"{tool} -t filter {line}" for line in filters]
            found += [f"{tool} -t nat {line}" for line in nat]
    return tuple(found)


def _reaches(port: PortMapping, address: str) -> bool:
    """Whether the port's host address is of the same family as the container's, or is every address."""
    return port.host_ip in ("", EVERYWHERE) or (":" in port.host_ip) == (":" in address)
