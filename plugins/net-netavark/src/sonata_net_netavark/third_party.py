"""Network drivers that are programs of third parties, in netavark's own plugin protocol.

A driver is named by its program's name in one of `netavark_plugin_dirs`. It is asked here for `create`, as Podman
asks it; `setup` and `teardown` are called by netavark itself, from release 1.6 on.
Source: netavark's `plugin-API.md`; containers/common `libnetwork/netavark/config.go` (5.8).
"""

from __future__ import annotations

from sonata_core.errors import CommandFailed, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.net import NetworkDefinition, Route, Subnet
from sonata_core.models.process import Command
from sonata_core.sdk.json_command import ask_json
from sonata_core.sdk.subnets import Subnets, to_address, to_network, with_gateway
from sonata_net_netavark.document import network_entry
from sonata_net_netavark.planning import settled_name
from sonata_net_netavark.program import BUILT_IN, drivers, is_program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata_core.context import PluginContext
    from sonata_core.models.net import NetworkWish

_NEVER = "0001-01-01T00:00:00Z"
_TIMEOUT = 60.0


def find(dirs: Iterable[str], driver: str) -> str:
    """The program of a driver. Raises UsageError; a name with a path in it is none."""
    if driver and "/" not in driver and driver not in (".", ".."):
        for folder in dirs:
            if is_program(f"{folder}/{driver}"):
                return f"{folder}/{driver}"
    known = (*BUILT_IN, *drivers(dirs))
    raise UsageError(f'failed to find driver or plugin "{driver}"', f"drivers are {', '.join(known)}")


def plan(
    context: PluginContext, wish: NetworkWish, existing: tuple[NetworkDefinition, ...], path: str
) -> NetworkDefinition:
    """What the driver makes of the wish: everything but name, id and driver is its to decide.

    Raises CommandFailed with the driver's words, UsageError for an answer that makes no sense, Conflict.
    """
    names = {one.name for one in existing}
    wish = wish.replace(name=settled_name(wish.name, names, {one.interface for one in existing}))
    asked = _asked(wish)
    environment = {"PATH": context.facts.path}
    try:
        answer = ask_json(
            context.run_command,
            Command(argv=(path, "create"), env=environment, timeout=_TIMEOUT),
            asked,
            name="netavark",
        )
    except CommandFailed as error:
        raise CommandFailed(f"plugin {path} failed: {error.message}", argv=(path, "create")) from error
    if answer is None:
        raise CommandFailed(f"plugin {path} failed: netavark: it answered nothing", argv=(path, "create"), code=0)
    for key, word in (("name", "name"), ("id", "ID"), ("driver", "driver")):
        if answer.get(key) != asked[key]:
            raise UsageError(f"invalid plugin result: changed network {word}", f"it is {path} that answered so")
    try:
        made = _definition(answer, wish)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"invalid plugin result: {error}", f"it is {path} that answered so") from error
    return _checked(made, wish, existing)


def _checked(made: NetworkDefinition, wish: NetworkWish, existing: tuple[NetworkDefinition, ...]) -> NetworkDefinition:
    """Subnets as for any network, though they may be shared: what the driver does with them is its own."""
    if made.dns_servers and not made.dns_enabled:
        raise UsageError("cannot set NetworkDNSServers if DNS is not enabled for the network: invalid argument")
    for server in made.dns_servers:
        to_address(server, "dns ip")
    for route in made.routes:
        to_network(route.destination, "route destination")
        to_address(route.gateway, "route gateway")
    again = wish.replace(subnets=made.subnets)
    subnets = Subnets(again, existing).decide("host-local", bridge=False) if made.subnets else []
    gateways = made.dns_enabled or not made.internal
    return made.replace(
        subnets=tuple(with_gateway(one, again, dns=made.dns_enabled, bridge=gateways) for one in subnets)
    )


def _asked(wish: NetworkWish) -> dict[str, Any]:
    """What `create` reads: the wish, as Podman writes it."""
    ranges = [{"start_ip": one.range_start, "end_ip": one.range_end} for one in wish.subnets]
    document = network_entry(
        NetworkDefinition(
            name=wish.name,
            id=wish.id,
            driver=wish.driver,
            interface=wish.interface,
            created=_NEVER,
            routes=wish.routes,
            ipv6_enabled=wish.ipv6,
            internal=wish.internal,
            dns_enabled=not wish.disable_dns,
            dns_servers=wish.dns_servers,
            labels=wish.labels,
            options=wish.options,
            ipam_driver=wish.ipam_driver,
        )
    )
    document["subnets"] = [
        {"subnet": str(to_network(one.subnet, "subnet"))}
        | ({"gateway": one.gateway} if one.gateway else {})
        | ({"lease_range": {key: value for key, value in bounds.items() if value}} if any(bounds.values()) else {})
        for one, bounds in zip(wish.subnets, ranges, strict=True)
    ]
    if not wish.ipam_driver:
        del document["ipam_options"]
    return {key: value for key, value in document.items() if value not in ("", [], {}, None)}


def _definition(answer: dict[str, Any], wish: NetworkWish) -> NetworkDefinition:
    """Raises what Python raises for a document of another shape."""
    return NetworkDefinition(
        name=wish.name,
        id=wish.id,
        driver=wish.driver,
        interface=_text(answer.get("network_interface")),
        created=wish.created,
        subnets=tuple(_subnet(one) for one in answer.get("subnets") or ()),
        routes=tuple(
            Route(destination=_text(one["destination"]), gateway=_text(one["gateway"]), metric=one.get("metric"))
            for one in answer.get("routes") or ()
        ),
        ipv6_enabled=answer.get("ipv6_enabled") is True,
        internal=answer.get("internal") is True,
        dns_enabled=answer.get("dns_enabled") is True,
        dns_servers=tuple(_text(one) for one in answer.get("network_dns_servers") or ()),
        labels={str(key): _text(value) for key, value in (answer.get("labels") or {}).items()},
        options={str(key): _text(value) for key, value in (answer.get("options") or {}).items()},
        ipam_driver=_text((answer.get("ipam_options") or {}).get("driver")) or "host-local",
    )


def _subnet(data: dict[str, Any]) -> Subnet:
    lease = data.get("lease_range") or {}
    return Subnet(
        subnet=_text(data["subnet"]),
        gateway=_text(data.get("gateway")),
        range_start=_text(lease.get("start_ip")),
        range_end=_text(lease.get("end_ip")),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
