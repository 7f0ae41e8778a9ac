"""Changing networks: the servers that their names are forwarded to."""

from __future__ import annotations

from sonata.engine.networks import files, kept, lookup
from sonata.engine.networks.create import LOCK
from sonata.plan import addresses
from sonata.state import objects
from sonata_core.errors import Unsupported, UsageError
from sonata_core.hookspecs.net import NetNames
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def update(engine: Engine, name: str, *, add: tuple[str, ...] = (), drop: tuple[str, ...] = ()) -> str:
    """Take servers from a network and give it others, also for containers that run; the network's name.

    Another tool's network is changed in its file. Raises NotFound, UsageError.
    """
    for what, servers in (("Add", add), ("Remove", drop)):
        for server in servers:
            if not addresses.is_address(server):
                raise UsageError(f"unable to parse ip {server} specified in {what}DNSServer: invalid argument")
    if kept.keeper(engine) is not None:
        backend_name = engine.config.network.network_backend
        raise Unsupported(f"network update: the backend {backend_name} forwards names as its own files say")
    with engine.locks.hold(LOCK):
        definition = lookup.definition_of(engine, name)
        staying = tuple(server for server in definition.dns_servers if server not in drop)
        changed = definition.replace(dns_servers=tuple(dict.fromkeys((*staying, *add))))
        if any(one.name == changed.name for one in objects.networks(engine.database)):
            objects.put_network(engine.database, changed)
        else:
            files.put_servers(engine, changed.name, changed.dns_servers)
    backend = engine.net(engine.config.network.network_backend or "netavark")
    if backend.offers(NetNames):
        backend.require(NetNames).net_forward(definition=changed)
    return changed.name
