"""Showing networks whole."""

from __future__ import annotations

from sonata.engine.networks import lookup
from sonata.engine.networks.list import document
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import objects
from sonata_core.codec import thaw
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.net import AttachResult

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

_CONNECTED = (Phase.RUNNING, Phase.PAUSED, Phase.INITIALISED)


def inspect(engine: Engine, name: str) -> dict[str, Any]:
    """A network with the containers that run on it. Raises NotFound naming it, UsageError."""
    try:
        definition = lookup.definition_of(engine, name) if name else lookup.pick(lookup.definitions(engine), name)
    except UsageError as error:
        raise UsageError(f"inspecting network {name}: {error.message}", error.hint) from error
    except NotFound as error:
        raise NotFound(f"network {name}: {error.message}", error.hint, name=name) from error
    containers = {}
    for ident in objects.containers_on(engine.database, definition.name):
        try:
            row = rows.get(engine.database, ident)
        except NotFound:
            continue  # removed while we were looking
        if row.state.phase in _CONNECTED and row.state.boot == engine.facts.boot_id and row.state.attached:
            containers[ident] = _container(row, definition.name)
    return {**document(definition), "containers": containers}


def _container(row: ContainerRow, network: str) -> dict[str, Any]:
    attached = thaw(AttachResult, dict(row.state.attached))
    interfaces = {}
    for interface in attached.interfaces:
        if interface.network == network:
            subnets = [
                {"ipnet": address.address} | ({"gateway": address.gateway} if address.gateway else {})
                for address in interface.addresses
            ]
            interfaces[interface.interface] = {"subnets": subnets, "mac_address": interface.mac}
    return {"name": row.config.name} | ({"interfaces": interfaces} if interfaces else {})
