"""Networks that a backend keeps in files of its own, where it does."""

from __future__ import annotations

from sonata_core.hookspecs.net import NetKeeper
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata_core.models.net import NetworkDefinition

_ENGINES_OWN = ("", "netavark")
"""Backends whose networks the engine keeps: they need not be loaded to be asked."""


def keeper(engine: Engine) -> NetKeeper | None:
    """What keeps the networks of the configured backend; None where the engine does."""
    name = engine.config.network.network_backend
    if name in _ENGINES_OWN:
        return None
    slot = engine.net(name)
    return slot.require(NetKeeper) if slot.offers(NetKeeper) else None


def taken(engine: Engine, definition: NetworkDefinition, container: str) -> dict[str, str]:
    """Addresses that somebody else has, as the backend knows: other tools' containers are among them."""
    found = keeper(engine)
    if found is None:
        return {}
    return {one: owner for one, owner in found.net_taken(definition=definition).items() if owner != container}
