"""Listing networks."""

from __future__ import annotations

from sonata.engine.containers.filters import grouped, matches, moment
from sonata.engine.networks import lookup
from sonata.state import objects
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata_core.models.net import NetworkDefinition

    Condition = Callable[[NetworkDefinition], bool]


def listed(engine: Engine, filters: tuple[str, ...] = ()) -> list[NetworkDefinition]:
    """Networks by name, those that meet every filter (`KEY=VALUE`; values of one key are alternatives).

    Raises UsageError for a filter that makes no sense.
    """
    conditions = _conditions(engine, filters)
    return [one for one in lookup.definitions(engine) if all(condition(one) for condition in conditions)]


def exists(engine: Engine, name: str) -> bool:
    """Whether a network has that name or id, or an id that begins so. Raises UsageError for ids of several."""
    try:
        lookup.pick(lookup.definitions(engine), name)
    except NotFound:
        return False
    return True


def document(definition: NetworkDefinition) -> dict[str, Any]:
    """A network as `network ls --format json`, `network inspect` and netavark's files show it."""
    shown: dict[str, Any] = {
        "name": definition.name,
        "id": definition.id,
        "driver": definition.driver,
        "network_interface": definition.interface,
        "created": definition.created,
        "subnets": [_subnet(subnet) for subnet in definition.subnets],
        "routes": [_route(route) for route in definition.routes],
        "ipv6_enabled": definition.ipv6_enabled,
        "internal": definition.internal,
        "dns_enabled": definition.dns_enabled,
        "network_dns_servers": list(definition.dns_servers),
        "labels": dict(definition.labels),
        "options": dict(definition.options),
        "ipam_options": {"driver": definition.ipam_driver},
    }
    omitted = ("network_interface", "subnets", "routes", "network_dns_servers", "labels", "options")
    return {key: value for key, value in shown.items() if value or key not in omitted}


def _subnet(subnet: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"subnet": subnet.subnet}
    if subnet.gateway:
        shown["gateway"] = subnet.gateway
    lease = {"start_ip": subnet.range_start, "end_ip": subnet.range_end}
    if any(lease.values()):
        shown["lease_range"] = {key: value for key, value in lease.items() if value}
    return shown


def _route(route: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"destination": route.destination, "gateway": route.gateway}
    return shown if route.metric is None else {**shown, "metric": route.metric}


def _conditions(engine: Engine, filters: tuple[str, ...]) -> list[Condition]:
    for text in filters:
        if "=" not in text:
            raise UsageError(f"filter input must be in the form of filter=value: {text} is invalid")
    found = []
    for key, values in grouped(filters).items():
        if key not in _MAKERS:
            raise UsageError(f'invalid filter "{key}"', hint=f"filters are {', '.join(sorted(_MAKERS))}")
        found.append(_MAKERS[key](engine, values))
    return found


def _name(_engine: Engine, values: list[str]) -> Condition:
    return lambda one: any(matches(one.name, value) for value in values)


def _id(_engine: Engine, values: list[str]) -> Condition:
    return lambda one: any(one.id.startswith(value) for value in values)


def _driver(_engine: Engine, values: list[str]) -> Condition:
    return lambda one: one.driver in values


def _label(_engine: Engine, values: list[str]) -> Condition:
    wanted = [value.partition("=") for value in values]
    return lambda one: all(
        key in one.labels and (not equals or one.labels[key] == value) for key, equals, value in wanted
    )


def _dangling(engine: Engine, values: list[str]) -> Condition:
    wanted = {"true": True, "1": True, "false": False, "0": False}.get(values[-1].lower())
    if wanted is None:
        raise UsageError(f'invalid dangling filter value "{values[-1]}"')
    default = engine.config.network.default_network
    return lambda one: (one.name != default and not objects.containers_on(engine.database, one.name)) is wanted


def _until(_engine: Engine, values: list[str]) -> Condition:
    from sonata.model.times import nanoseconds

    limit = min(moment(value) for value in values)
    return lambda one: nanoseconds(one.created) < limit


def _not_label(engine: Engine, values: list[str]) -> Condition:
    has = _label(engine, values)
    return lambda one: not has(one)


_MAKERS = {
    "name": _name,
    "id": _id,
    "driver": _driver,
    "label": _label,
    "label!": _not_label,
    "dangling": _dangling,
    "until": _until,
}
