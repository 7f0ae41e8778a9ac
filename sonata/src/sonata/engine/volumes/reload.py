"""`volume reload`: the volumes of drivers outside, as the drivers have them now."""

from __future__ import annotations

import time

from sonata.engine.volumes.drivers import driver
from sonata.engine.volumes.erasing import forget
from sonata.engine.volumes.options import add_of_driver
from sonata.plan.volume_options import LOCAL
from sonata.state import objects
from sonata_core.errors import AlreadyExists, ExternalFailure, InUse, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


class Reloaded(Record):
    """Names of volumes that came and went, and what could not be done."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    errors: tuple[SonataError, ...] = ()


def reload(engine: Engine) -> Reloaded:
    """Take up the volumes that configured drivers have, and forget those that they have no more.

    A driver that cannot be asked keeps its volumes; its error is among `errors`.
    """
    added: list[str] = []
    errors: list[SonataError] = []
    there: dict[str, set[str]] = {}
    for name in engine.config.engine.volume_plugins:
        try:
            there[name] = set(driver(engine, name).names())
        except SonataError as error:
            errors.append(type(error)(f'failed to read volumes from plugin "{name}": {error.message}', error.hint))
            continue
        for volume in sorted(there[name]):
            try:
                add_of_driver(engine, objects.Volume(name=volume, driver=name, created=time.time_ns()))
                added.append(volume)
            except AlreadyExists:
                continue
    removed = [name for name in _gone(engine, there) if _forget(engine, name, errors)]
    return Reloaded(added=tuple(added), removed=tuple(removed), errors=tuple(errors))


def _gone(engine: Engine, there: dict[str, set[str]]) -> list[str]:
    outside = [one for one in objects.volumes(engine.database) if one.driver != LOCAL and not one.storage_id]
    return [one.name for one in outside if one.driver in there and one.name not in there[one.driver]]


def _forget(engine: Engine, name: str, errors: list[SonataError]) -> bool:
    try:
        with engine.locks.hold(f"volume-{name}"):
            forget(engine, objects.find_volume(engine.database, name))
            engine.locks.forget(f"volume-{name}")
    except InUse as error:
        text = f"volume {name} was removed from its plugin but containers still require it: {error.message}"
        errors.append(ExternalFailure(text))
        return False
    return True
