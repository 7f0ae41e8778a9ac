"""`NetworkSettings` of `container inspect`."""

from __future__ import annotations

from sonata.engine.containers.inspect_host import port_bindings
from sonata.model.container import NetworkMode
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, NetworkUse
    from sonata.state.rows import ContainerRow

_NAMED_MODES = (NetworkMode.NONE, NetworkMode.HOST)
"""Modes that stand for a network in what is shown, as Podman shows them."""
_HELPED = (NetworkMode.SLIRP4NETNS, NetworkMode.PASTA)


def network_settings(engine: Engine, row: ContainerRow) -> dict[str, Any]:
    """The network of a container. As for Podman and Docker, only the default network's address stands at the top."""
    config, state = row.config, row.state
    interfaces: list[dict[str, Any]] = [] if config.network.mode in _HELPED else state.attached.get("interfaces", [])
    ids = {one["network"]["name"]: one["network"]["id"] for one in state.request.get("attachments", ())}
    networks: dict[str, Any] = {}
    for use in config.network.networks:
        found = [one for one in interfaces if one["network"] == use.network]
        ident = ids.get(use.network) or _id(engine, use.network)
        networks[use.network] = _endpoint(ident, _basic(found), _aliases(config, use))
    if not networks and (config.network.mode in _NAMED_MODES or (config.network.mode in _HELPED and not state.netns)):
        mode = str(config.network.mode)
        networks[mode] = _endpoint(mode, _basic(()))
    alone = list(networks) == [engine.config.network.default_network] or not config.network.networks
    return {
        "EndpointID": "",
        **_basic(interfaces if alone else ()),
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": port_bindings(config, exposed=True),
        "SandboxKey": "" if config.network.mode is NetworkMode.PATH else state.netns,
        **({"Networks": networks} if networks else {}),
    }


def _id(engine: Engine, name: str) -> str:
    """A network's id before it was ever used; its name where it is gone."""
    from sonata.engine.networks.lookup import look_up

    try:
        return look_up(engine, name).id
    except SonataError:
        return name


def _aliases(config: ContainerConfig, use: NetworkUse) -> list[str]:
    always = [config.id[:12], *([config.hostname] if config.hostname else ())]
    return [*(alias for alias in use.aliases if alias not in always), *always]


def _endpoint(ident: str, basic: dict[str, Any], aliases: list[str] | None = None) -> dict[str, Any]:
    shown = {
        "EndpointID": "",
        **basic,
        "NetworkID": ident,
        "DriverOpts": None,
        "IPAMConfig": None,
        "Links": None,
    }
    return shown if aliases is None else {**shown, "Aliases": aliases}


def _basic(interfaces: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What Podman calls the basic configuration: the first address of each family, then the others."""
    four: list[dict[str, Any]] = []
    six: list[dict[str, Any]] = []
    macs: list[str] = []
    for interface in sorted(interfaces, key=lambda one: str(one["interface"])):
        macs.append(interface.get("mac", ""))
        for entry in interface.get("addresses", ()):
            address, _, length = entry["address"].partition("/")
            found = {"Addr": address, "PrefixLength": int(length or 0), "gateway": entry.get("gateway", "")}
            (six if ":" in address else four).append(found)
    first, first_six = (found[0] if found else {} for found in (four, six))
    shown = {
        "Gateway": first.get("gateway", ""),
        "IPAddress": first.get("Addr", ""),
        "IPPrefixLen": first.get("PrefixLength", 0),
        "SecondaryIPAddresses": _others(four),
        "IPv6Gateway": first_six.get("gateway", ""),
        "GlobalIPv6Address": first_six.get("Addr", ""),
        "GlobalIPv6PrefixLen": first_six.get("PrefixLength", 0),
        "SecondaryIPv6Addresses": _others(six),
        "MacAddress": macs[0] if macs else "",
        "AdditionalMacAddresses": macs[1:],
    }
    optional = ("SecondaryIPAddresses", "SecondaryIPv6Addresses", "AdditionalMacAddresses")
    return {key: value for key, value in shown.items() if value or key not in optional}


def _others(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: one[key] for key in ("Addr", "PrefixLength")} for one in found[1:]]
