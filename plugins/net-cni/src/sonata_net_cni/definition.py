"""Configuration lists and network definitions, each from the other, as Podman 4's CNI backend has them. Pure.

Source: containers/common 0.50 `libnetwork/cni/cni_conversion.go` and `cni_types.go`.
"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.net import NetworkDefinition, Subnet
from sonata_net_cni.conflist import ConfigList, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = "0.4.0"
"""What Podman writes, for plugins of every age."""
LABELS, OPTIONS = "podman_labels", "podman_options"
DNSNAME = "dnsname"
DNS_DOMAIN = "dns.podman"
ISOLATED = "same-bridge"


def network_id(name: str) -> str:
    """The id of a network: Podman makes it from the name alone."""
    import hashlib

    return hashlib.sha256(name.encode()).hexdigest()


def definition_of(network: ConfigList, created: str) -> NetworkDefinition:
    """What a list says, as far as there are words for it. Of a set of ranges the first is the subnet."""
    first = network.plugins[0]
    driver = str(first["type"])
    labels, options = (_texts(network.args.get(key)) for key in (LABELS, OPTIONS))
    for key, field in (("mtu", "mtu"), ("vlan", "vlan"), ("mode", "mode")):
        if first.get(field):
            options[key] = str(first[field])
    if any(one["type"] == "firewall" and one.get("ingressPolicy") == ISOLATED for one in network.plugins):
        options["isolate"] = "true"
    internal = driver == "bridge" and not (first.get("isGateway") or first.get("isDefaultGateway"))
    ipam = first.get("ipam") or {}
    subnets = tuple(_subnets(ipam, internal=internal)) if ipam.get("type") == "host-local" else ()
    return NetworkDefinition(
        name=network.name,
        id=network_id(network.name),
        driver=driver,
        interface=_text(first.get("bridge" if driver == "bridge" else "master"))
        or ("cni0" if driver == "bridge" else ""),
        created=created,
        subnets=subnets,
        ipv6_enabled=any(":" in one.subnet for one in subnets),
        internal=internal,
        dns_enabled=any(one["type"] == DNSNAME for one in network.plugins),
        labels=labels,
        options=options,
        ipam_driver=_text(ipam.get("type")) or "none",
    )


def list_of(network: NetworkDefinition) -> ConfigList:
    """The list that runs a definition. Raises UsageError for one whose name no list can have."""
    return parse(text_of(network).encode(), f"network {network.name}")


def text_of(network: NetworkDefinition) -> str:
    """The file that Podman 4.3 writes for the same network, to the byte."""
    import json

    args = {key: dict(value) for key, value in ((LABELS, network.labels), (OPTIONS, network.options)) if value}
    plugins = _bridge(network) if network.driver == "bridge" else [_vlan(network)]
    document: dict[str, Any] = {"cniVersion": VERSION, "name": network.name, "plugins": plugins}
    if args:
        document = {"args": {key: dict(sorted(args[key].items())) for key in sorted(args)}, **document}
    text = json.dumps(document, indent=3, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":  # as Go's encoder
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _bridge(network: NetworkDefinition) -> list[dict[str, Any]]:
    gateway = not network.internal
    first: dict[str, Any] = {"type": "bridge", "bridge": network.interface, "isGateway": gateway}
    if gateway:
        first["ipMasq"] = True
    mtu, vlan = (_number(network.options.get(key)) for key in ("mtu", "vlan"))
    first |= {"mtu": mtu} if mtu else {}
    first["hairpinMode"] = True
    first |= {"vlan": vlan} if vlan else {}
    first |= _addresses(network)
    firewall: dict[str, Any] = {"type": "firewall", "backend": ""}
    if network.options.get("isolate") == "true":
        firewall["ingressPolicy"] = ISOLATED
    found = [first, {"type": "portmap", "capabilities": {"portMappings": True}}, firewall, {"type": "tuning"}]
    if network.dns_enabled:
        found.append({"type": DNSNAME, "domainName": DNS_DOMAIN, "capabilities": {"aliases": True}})
    return found


def _vlan(network: NetworkDefinition) -> dict[str, Any]:
    found: dict[str, Any] = {"type": network.driver, "master": network.interface}
    rest = _addresses(network)
    found["ipam"] = rest.pop("ipam")
    mtu = _number(network.options.get("mtu"))
    found |= {"mtu": mtu} if mtu else {}
    found |= {"mode": network.options["mode"]} if network.options.get("mode") else {}
    return {**found, **rest}


def _addresses(network: NetworkDefinition) -> dict[str, Any]:
    if network.ipam_driver != "host-local":
        return {"ipam": {"type": "" if network.ipam_driver == "none" else network.ipam_driver}}
    ipam: dict[str, Any] = {"type": "host-local"}
    if not network.internal:
        families = dict.fromkeys("::/0" if ":" in one.subnet else "0.0.0.0/0" for one in network.subnets)
        ipam["routes"] = [{"dst": one} for one in sorted(families)]
    ipam["ranges"] = [[_range(one)] for one in network.subnets]
    return {"ipam": ipam, "capabilities": {"ips": True}}


def _range(subnet: Subnet) -> dict[str, str]:
    fields = (("rangeStart", subnet.range_start), ("rangeEnd", subnet.range_end), ("gateway", subnet.gateway))
    return {"subnet": subnet.subnet, **{key: value for key, value in fields if value}}


def _subnets(ipam: dict[str, Any], *, internal: bool) -> Iterable[Subnet]:
    """host-local's ranges: one address is given of each set. The oldest lists have one range beside the type."""
    sets = [[ipam]] if isinstance(ipam.get("subnet"), str) else []
    sets += [one for one in ipam.get("ranges") or () if isinstance(one, list) and one] if _listed(ipam) else []
    for one in sets:
        found = _subnet(one[0], internal=internal)
        if found is not None:
            yield found


def _subnet(data: object, *, internal: bool) -> Subnet | None:
    import ipaddress

    if not isinstance(data, dict):
        return None
    try:
        network = ipaddress.ip_network(str(data.get("subnet")), strict=False)
    except ValueError:
        return None
    first = str(network.network_address + 1) if network.num_addresses > 2 else str(network.network_address)
    return Subnet(
        subnet=str(network),
        gateway=_text(data.get("gateway")) or ("" if internal else first),
        range_start=_text(data.get("rangeStart")),
        range_end=_text(data.get("rangeEnd")),
    )


def _listed(ipam: dict[str, Any]) -> bool:
    return isinstance(ipam.get("ranges"), list)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
