"""Removing networks."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.networks import kept, lookup
from sonata.engine.networks.create import LOCK
from sonata.state import leases, objects
from sonata_core.errors import Conflict, Denied, InUse
from sonata_core.hookspecs.net import NetManaged
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata_core.models.net import NetworkDefinition


def remove(engine: Engine, name: str, *, force: bool = False, timeout: int | None = None) -> str:
    """Remove a network; its name. `force` removes the containers that are on it.

    Raises NotFound, InUse, Conflict for the default network, Denied for one of another tool's.
    """
    definition = lookup.definition_of(engine, name)
    _require_removable(engine, definition)
    if force:
        from sonata.engine.containers.freeing import remove_user

        for user in objects.containers_on(engine.database, definition.name):
            remove_user(engine, user, timeout=timeout)
    with engine.locks.hold(LOCK):
        if objects.containers_on(engine.database, definition.name):
            raise InUse(
                f'"{definition.name}" has associated containers with it. '
                "Use -f to forcibly delete containers and pods: network is being used",
                name=definition.name,
            )
        objects.remove_network(engine.database, definition.name)
        leases.forget_network(engine.database, definition.name)
    backend = engine.net(engine.config.network.network_backend or "netavark")
    if backend.offers(NetManaged):
        backend.require(NetManaged).net_forget(definition=definition)
    events.network(engine, "remove", definition.name, definition.id, attributes={"driver": definition.driver})
    return definition.name


def _require_removable(engine: Engine, definition: NetworkDefinition) -> None:
    default = engine.config.network.default_network
    if definition.name == default:
        raise Conflict(f"default network {default} cannot be removed")
    if all(one.name != definition.name for one in objects.networks(engine.database)):
        where = f": {engine.config.paths.network_config_dir}/{definition.name}.json"
        raise Denied(
            f"network {definition.name} is another tool's{'' if kept.keeper(engine) is not None else where}",
            hint=f"podman network rm {definition.name}",
            name=definition.name,
        )
