"""Creating networks."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.networks import cni, files, host, kept, lookup
from sonata.model.times import rfc3339
from sonata.state import objects
from sonata_core.errors import AlreadyExists, UsageError
from sonata_core.hookspecs.net import NetManaged
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkWish, Route, Subnet

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.object_request import NetworkCreateRequest
    from sonata_core.models.net import NetworkDefinition

LOCK = "networks"
"""Held while a network is planned and stored, so that two commands never choose one subnet."""

MODES = ("bridge", "container", "default", "host", "none", "ns", "pasta", "private", "slirp4netns")
"""What `--network` takes for something else than a network's name."""


def create(engine: Engine, request: NetworkCreateRequest) -> NetworkDefinition:
    """Create a network; what the request leaves open is decided by the backend.

    Raises AlreadyExists (not with `ignore`), Conflict for a subnet or bridge that is in use,
    UsageError, Unsupported.
    """
    if request.source:
        request = request.replace(name=request.name or files.read(request.source).name)
    if request.name in MODES:
        raise UsageError(
            f'cannot create network with name "{request.name}" because it conflicts with a valid network mode'
        )
    slot = engine.net(engine.config.network.network_backend or "netavark").require(NetManaged)
    with engine.locks.hold(LOCK):
        existing = tuple(lookup.definitions(engine))
        known = next((one for one in existing if request.name and one.name == request.name), None)
        if known is not None:
            if request.ignore:
                return known
            text = f"network name {request.name} already used: network already exists"
            raise AlreadyExists(text, hint="`--ignore` takes it as it is", name=request.name)
        definition = slot.net_plan(wish=wish_of(engine, request), existing=existing)
        keeper = kept.keeper(engine)
        if keeper is not None:
            definition = keeper.net_keep(definition=definition)
        objects.add_network(engine.database, definition)
    events.network(engine, "create", definition.name, definition.id, attributes={"driver": definition.driver})
    return definition


def wish_of(engine: Engine, request: NetworkCreateRequest) -> NetworkWish:
    """The request in the contract's words, with what this host has taken. Raises UsageError."""
    interfaces, subnets = host.taken(engine)
    theirs = cni.taken() if kept.keeper(engine) is None else cni.Taken()
    wish = _of_file(request) if request.source else _of_options(request)
    return wish.replace(
        subnet_pools=engine.config.network.default_subnet_pools,
        taken_subnets=(*subnets, *theirs.subnets),
        taken_interfaces=(*interfaces, *(theirs.bridges if wish.driver == "bridge" else ())),
    )


def _of_file(request: NetworkCreateRequest) -> NetworkWish:
    """What a file of Podman's says, to be looked through as if it had been asked for."""
    found = files.read(request.source)
    return NetworkWish(
        name=request.name,
        id=found.id,
        created=found.created or rfc3339(time.time_ns()),
        driver=found.driver,
        interface=found.interface,
        subnets=found.subnets,
        routes=found.routes,
        ipv6=found.ipv6_enabled,
        internal=found.internal,
        disable_dns=not found.dns_enabled,
        dns_servers=found.dns_servers,
        labels=found.labels,
        options=found.options,
        ipam_driver=found.ipam_driver,
    )


def _of_options(request: NetworkCreateRequest) -> NetworkWish:
    return NetworkWish(
        name=request.name,
        id=os.urandom(32).hex(),
        created=rfc3339(time.time_ns()),
        driver=request.driver or "bridge",
        interface=request.interface_name,
        subnets=_subnets(request),
        routes=tuple(_route(text) for text in request.route),
        ipv6=request.ipv6,
        internal=request.internal,
        disable_dns=request.disable_dns,
        dns_servers=request.dns,
        labels=pairs(request.label, "failed to parse labels"),
        options=pairs(request.opt, "unable to parse options"),
        ipam_driver=request.ipam_driver,
    )


def pairs(texts: tuple[str, ...], trouble: str) -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping. Raises UsageError for one without a key, which begins with `trouble`."""
    found = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f'{trouble}: invalid label format: "{text}"')
        found[key] = value
    return found


def _subnets(request: NetworkCreateRequest) -> tuple[Subnet, ...]:
    """Gateways and ranges go with the subnet at their place."""
    for what, given in (("gateway", request.gateway), ("range", request.ip_range)):
        if given and not request.subnet:
            raise UsageError("cannot set gateway or range without subnet")
        if len(given) > len(request.subnet):
            raise UsageError(f"cannot set more {what}s than subnets")
    found = []
    for place, subnet in enumerate(request.subnet):
        start, end = _range(request.ip_range[place] if place < len(request.ip_range) else "")
        gateway = request.gateway[place] if place < len(request.gateway) else ""
        found.append(Subnet(subnet=subnet, gateway=gateway, range_start=start, range_end=end))
    return tuple(found)


def _range(text: str) -> tuple[str, str]:
    """An `--ip-range`: CIDR, which the backend takes apart, or `FIRST-LAST`."""
    first, dash, last = text.partition("-")
    if dash and not last:
        raise UsageError('range end ip "" is not a ip address')
    return (first, last) if dash else (text, "")


def _route(text: str) -> Route:
    parts = text.split(",")
    if len(parts) not in (2, 3):
        raise UsageError(f"invalid route: {text}\nFormat: --route <destination in CIDR>,<gateway>,<metric (optional)>")
    metric = parts[2] if len(parts) == 3 else ""
    if metric and not (metric.isascii() and metric.isdigit()):
        raise UsageError(f"invalid route metric {metric}")
    return Route(destination=parts[0], gateway=parts[1], metric=int(metric) if metric else None)
