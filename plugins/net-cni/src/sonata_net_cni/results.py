"""What CNI plugins answer, in every version of the specification, to and from our models. Pure."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata_core.models.net import Attachment


def addresses(result: dict[str, Any], interface: str) -> Iterable[AddressResult]:
    """The addresses of the container's interface: those that name it, and those that name none."""
    for family in ("ip4", "ip6"):  # before 0.3.0
        old = result.get(family)
        if isinstance(old, dict) and isinstance(old.get("ip"), str):
            yield AddressResult(address=old["ip"], gateway=_text(old.get("gateway")))
    interfaces = _list(result.get("interfaces"))
    for one in _list(result.get("ips")):
        place = one.get("interface")
        named = interfaces[place].get("name") if isinstance(place, int) and 0 <= place < len(interfaces) else interface
        if named == interface and isinstance(one.get("address"), str):
            yield AddressResult(address=one["address"], gateway=_text(one.get("gateway")))


def interface_result(result: dict[str, Any], attachment: Attachment) -> InterfaceResult:
    """One attachment's interface as it came out."""
    inside = [
        one for one in _list(result.get("interfaces")) if one.get("sandbox") and one.get("name") == attachment.interface
    ]
    return InterfaceResult(
        network=attachment.network.name,
        interface=attachment.interface,
        mac=_text(inside[0].get("mac")) if inside else "",
        addresses=tuple(addresses(result, attachment.interface)),
    )


def attach_result(made: Iterable[tuple[dict[str, Any], Attachment]]) -> AttachResult:
    """All attachments' interfaces; name servers and search domains once each, in their order."""
    interfaces: list[InterfaceResult] = []
    servers: dict[str, None] = {}
    search: dict[str, None] = {}
    for result, attachment in made:
        interfaces.append(interface_result(result, attachment))
        dns = result.get("dns")
        if isinstance(dns, dict):
            servers.update(dict.fromkeys(_texts(dns.get("nameservers"))))
            search.update(dict.fromkeys((*_texts([dns.get("domain")]), *_texts(dns.get("search")))))
    return AttachResult(interfaces=tuple(interfaces), dns_servers=tuple(servers), dns_search=tuple(search))


def imagined(version: str, given: Iterable[str]) -> dict[str, Any]:
    """A result for a DEL of what was never finished: the addresses that were asked for, by which rules are found."""
    ips: list[dict[str, Any]] = [{"address": address} for address in given]
    if version < "1":
        for one in ips:
            one["version"] = "6" if ":" in one["address"] else "4"
    return {"cniVersion": version, "interfaces": [], "ips": ips, "dns": {}}


def _list(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str) and one] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
