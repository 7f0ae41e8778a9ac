"""Finding networks: Sonata's own, those of other tools' files, and the default one that needs no definition."""

from __future__ import annotations

from sonata.engine.networks import files, kept
from sonata.state import objects
from sonata_core.errors import AlreadyExists, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition, Subnet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine

DEFAULT_ID = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"
"""The id of the default network, the same on every host."""


def definition_of(engine: Engine, name: str) -> NetworkDefinition:
    """A network by name, id or unique id prefix; `""` is the default one. Raises NotFound, UsageError."""
    default = engine.config.network.default_network
    if (name or default) == default and not any(one.name == default for one in objects.networks(engine.database)):
        mine = [one for one in foreign(engine) if one.name == default]
        return mine[0] if mine else settle_default(engine)
    return look_up(engine, name)


def look_up(engine: Engine, name: str) -> NetworkDefinition:
    """As `definition_of`, but a default network that was never used is decided and not written down."""
    return pick(definitions(engine), name or engine.config.network.default_network)


def pick(known: Iterable[NetworkDefinition], wanted: str) -> NetworkDefinition:
    """The one of that name, id or unique prefix of its id. Raises NotFound, UsageError."""
    for definition in known:
        if wanted in (definition.name, definition.id):
            return definition
    found = [definition for definition in known if definition.id.startswith(wanted)]
    if len(found) > 1:
        raise UsageError(f"more than one result for network ID {wanted}")
    if not found:
        raise NotFound(f"unable to find network with name or ID {wanted}: network not found", name=wanted)
    return found[0]


def definitions(engine: Engine) -> list[NetworkDefinition]:
    """All networks, by name. Another tool's file gives way to a definition of our own, not to a backend's own files."""
    others, own = foreign(engine), objects.networks(engine.database)
    order = (*own, *others) if kept.keeper(engine) is not None else (*others, *own)
    found = {definition.name: definition for definition in order}
    default = engine.config.network.default_network
    if default not in found:
        found[default] = default_definition(engine)
    return [found[name] for name in sorted(found)]


def default_definition(engine: Engine) -> NetworkDefinition:
    """The network that a container joins unless it says otherwise: its usual subnet and bridge, if nobody has them.

    Another engine's bridge is never shared, because no two engines know of each other's leases.
    """
    from sonata.engine.networks import host
    from sonata.plan import addresses

    network = engine.config.network
    others = foreign(engine)
    if kept.keeper(engine) is not None:
        return _kept_default(engine, others)
    interface = f"{network.default_network}0"
    interfaces, subnets = host.taken(engine)
    used = {*interfaces, *(one.interface for one in others)}
    taken = [*subnets, *(subnet.subnet for one in others for subnet in one.subnets)]
    if interface in used:
        stem = network.default_network
        interface = next(f"{stem}{number}" for number in range(1, 1000) if f"{stem}{number}" not in used)
    subnet = addresses.first_free((network.default_subnet,), network.default_subnet_pools, taken)
    return NetworkDefinition(
        name=network.default_network,
        id=DEFAULT_ID,
        interface=interface,
        created="2020-01-01T00:00:00Z",
        subnets=(Subnet(subnet=subnet, gateway=addresses.first_host(subnet)),),
        ipam_driver="host-local",
    )


def _kept_default(engine: Engine, others: list[NetworkDefinition]) -> NetworkDefinition:
    """The default network as the backend would have it: it knows of other engines' leases, and shares it with them."""
    from sonata.plan import addresses
    from sonata_core.hookspecs.net import NetManaged
    from sonata_core.models.net import NetworkWish

    network = engine.config.network
    subnet = Subnet(subnet=network.default_subnet, gateway=addresses.first_host(network.default_subnet))
    wish = NetworkWish(
        name=network.default_network, id=DEFAULT_ID, created="2020-01-01T00:00:00Z", subnets=(subnet,), disable_dns=True
    )
    backend = engine.net(engine.config.network.network_backend).require(NetManaged)
    return backend.net_plan(wish=wish, existing=tuple(others))


def settle_default(engine: Engine) -> NetworkDefinition:
    """The default network as it was decided at its first use."""
    definition = default_definition(engine)
    try:
        objects.add_network(engine.database, definition)
    except AlreadyExists:
        # Another command decided at the same moment.
        return next(one for one in objects.networks(engine.database) if one.name == definition.name)
    return definition


def foreign(engine: Engine) -> list[NetworkDefinition]:
    """Networks that other tools have defined in files."""
    keeper = kept.keeper(engine)
    return files.definitions(engine) if keeper is None else list(keeper.net_known())
