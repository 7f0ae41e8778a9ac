"""Making a running container's network again: rules, addresses and names, after somebody flushed the firewall."""

from __future__ import annotations

from sonata.engine.containers import network, present
from sonata.engine.containers.lookup import load
from sonata.engine.networks import lookup, shared
from sonata.model.container import NetworkMode
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.codec import freeze, thaw
from sonata_core.errors import Conflict
from sonata_core.hookspecs.net import NetReload
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AttachRequest, AttachResult, NetnsRef

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_LIVE = (Phase.RUNNING, Phase.PAUSED, Phase.INITIALISED)
_STATE = "container state improper"


def reload(engine: Engine, container: str) -> str:
    """Make the container's network again, with the same addresses; its id.

    Raises NotFound, and Conflict for a container that does not run or has no bridge network.
    """
    row = load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        config, state = row.config, row.state
        if state.phase not in _LIVE:
            raise Conflict(f"cannot reload network unless container network has been configured: {_STATE}")
        if config.network.mode is not NetworkMode.BRIDGE or not state.attached:
            raise Conflict(f"container {config.id} network is not configured, refusing to reload: {_STATE}")
        request = _with_present_servers(engine, thaw(AttachRequest, dict(state.request)))
        hook = engine.net(network.backend_name(engine, config)).require(NetReload)
        attached = thaw(AttachResult, dict(state.attached))
        if request.outer is not None:
            shared.enter(engine, request.outer, config.id)
        again = hook.net_reload(netns=NetnsRef(path=state.netns), request=request, attached=attached)
        changed = state.replace(attached=freeze(again), request=network.frozen(request))
        with engine.database.transaction():
            rows.put_state(engine.database, config.id, changed)
        if request.outer is not None:
            from sonata.engine.containers import forwarding

            forwarding.renew(engine, row, request, again)
    return config.id


def _with_present_servers(engine: Engine, request: AttachRequest) -> AttachRequest:
    """The request with the servers that its networks have by now: `network update` may have changed them."""
    servers = {one.name: one.dns_servers for one in lookup.definitions(engine)}
    return request.replace(
        attachments=tuple(
            one.replace(network=one.network.replace(dns_servers=servers.get(one.network.name, one.network.dns_servers)))
            for one in request.attachments
        )
    )
