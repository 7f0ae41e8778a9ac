"""Members of networks as templates meet them: Go's types of addresses, and what they print as."""

from __future__ import annotations

from sonata.cli.render.gotemplate.values import GoMap, Struct
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Subnet(Struct):
    """A types.IPNet: its text where it is printed itself, its parts where it is part of something."""

    __slots__ = ("pointer_text",)

    def __init__(self, text: str) -> None:
        from ipaddress import ip_interface

        found = ip_interface(text)
        inner = Struct("net.IPNet", {"IP": str(found.ip), "Mask": found.netmask.packed.hex()})
        super().__init__("types.IPNet", {"IPNet": inner, **inner}, ("IPNet",), json=text)
        self.pointer_text = text


class Hardware(tuple[int, ...]):
    """A types.HardwareAddr: its text where it is printed itself, its bytes where it is part of something."""

    pointer_text: str

    @classmethod
    def of(cls, text: str) -> Hardware:
        made = cls(bytes.fromhex(text.replace(":", "")))
        made.pointer_text = text
        return made

    def as_json(self) -> str:
        return self.pointer_text


def subnets(documents: list[dict[str, Any]]) -> list[Struct]:
    """types.Subnet of each."""
    return [
        Struct(
            "types.Subnet",
            {
                "Subnet": Subnet(one["subnet"]),
                "Gateway": one.get("gateway"),
                "LeaseRange": _lease(one.get("lease_range")),
            },
            json=one,
        )
        for one in documents
    ]


def _lease(document: dict[str, str] | None) -> Struct | None:
    if document is None:
        return None
    members = {"StartIP": document.get("start_ip"), "EndIP": document.get("end_ip")}
    return Struct("*types.LeaseRange", members, json=document)


def routes(documents: list[dict[str, Any]]) -> list[Struct]:
    """types.Route of each."""
    return [
        Struct(
            "types.Route",
            {
                "Destination": Subnet(one["destination"]),
                "Gateway": one["gateway"],
                "Metric": one.get("metric"),
            },
            json=one,
        )
        for one in documents
    ]


def containers(documents: Mapping[str, dict[str, Any]]) -> GoMap:
    """types.NetworkContainerInfo by id."""
    return GoMap.of(
        {
            ident: Struct(
                "types.NetworkContainerInfo",
                {"Name": one["name"], "Interfaces": _interfaces(one.get("interfaces", {}))},
                json=one,
            )
            for ident, one in documents.items()
        },
        "types.NetworkContainerInfo",
    )


def _interfaces(documents: Mapping[str, dict[str, Any]]) -> GoMap:
    return GoMap.of(
        {
            name: Struct(
                "types.NetworkInterface",
                {
                    "Subnets": [
                        Struct(
                            "types.NetAddress",
                            {"IPNet": Subnet(each["ipnet"]), "Gateway": each.get("gateway")},
                            json=each,
                        )
                        for each in one["subnets"]
                    ],
                    "MacAddress": Hardware.of(one["mac_address"]),
                },
                json=one,
            )
            for name, one in documents.items()
        },
        "types.NetworkInterface",
    )
