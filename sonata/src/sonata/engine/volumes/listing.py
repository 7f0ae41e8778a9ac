"""`volume ls`: volumes that meet every filter."""

from __future__ import annotations

from sonata.engine.containers.filters import grouped, has_label, matches, moment
from sonata.state import objects
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine

    Condition = Callable[[objects.Volume], bool]


def listing(engine: Engine, filters: tuple[str, ...] = ()) -> list[objects.Volume]:
    """Volumes by name. Raises UsageError for a filter that makes no sense."""
    conditions = []
    for key, values in grouped(filters).items():
        if key not in _MAKERS:
            raise UsageError(f'"{key}" is an invalid volume filter', hint=f"filters are {', '.join(sorted(_MAKERS))}")
        conditions.append(_MAKERS[key](engine, values))
    found = objects.volumes(engine.database)
    return [volume for volume in found if all(condition(volume) for condition in conditions)]


def mount_count(engine: Engine, volume: objects.Volume) -> int:
    """How many uses keep a volume mounted; 0 for one that is a plain folder."""
    if not volume.holders:
        return 0
    from sonata.engine.volumes.mounting import current

    return sum(current(engine, volume).holders.values())


def status(engine: Engine, volume: objects.Volume) -> dict[str, Any]:
    """What a driver outside says of its volume. Raises BackendMissing and what drivers raise."""
    if volume.driver == "local" or volume.storage_id:
        return {}
    from sonata.engine.volumes.drivers import driver_of

    return driver_of(engine, volume.driver, volume.name, volume.timeout).status(volume.name)


def _truth(key: str, value: str) -> bool:
    if value.lower() not in _TRUTH:
        raise UsageError(f'"{value}" is not a valid value for the "{key}" filter - must be true or false')
    return _TRUTH[value.lower()]


def _anonymous(_engine: Engine, values: list[str]) -> Condition:
    wanted = _truth("anonymous", values[-1])
    return lambda volume: volume.anonymous is wanted


def _unused(engine: Engine, values: list[str]) -> Condition:
    wanted = _truth("dangling", values[-1])
    return lambda volume: (not objects.volume_users(engine.database, volume.name)) is wanted


def _until(_engine: Engine, values: list[str]) -> Condition:
    limit = moment(values[-1])
    return lambda volume: volume.created < limit


def _after(engine: Engine, values: list[str]) -> Condition:
    limit = objects.find_volume(engine.database, values[-1]).created
    return lambda volume: volume.created > limit


_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_MAKERS: dict[str, Callable[[Engine, list[str]], Condition]] = {
    "after": _after,
    "anonymous": _anonymous,
    "dangling": _unused,
    "driver": lambda _engine, values: lambda volume: volume.driver in values,
    "label": lambda _engine, values: lambda volume: all(has_label(volume.labels, value) for value in values),
    "label!": lambda _engine, values: lambda volume: not all(has_label(volume.labels, value) for value in values),
    "name": lambda _engine, values: lambda volume: any(matches(volume.name, value) for value in values),
    "opt": lambda _engine, values: lambda volume: any(has_label(volume.options, value) for value in values),
    "scope": lambda _engine, values: lambda _volume: "local" in values,
    "since": _after,
    "until": _until,
}
