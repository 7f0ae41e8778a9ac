"""A host, a network backend seated on it, and namespaces of containers: what the clauses of the net group work with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonata_core.hookspecs.net import NetManaged
from sonata_core.models.net import (
    Attachment,
    AttachRequest,
    AttachResult,
    NetFacts,
    NetworkDefinition,
    NetworkWish,
    PortMapping,
)
from sonata_testkit.netlab import Namespace, attachment, default_definition

if TYPE_CHECKING:
    from pathlib import Path

    from sonata_core.slot import Slot


POOL = (("10.210.0.0/16", 24),)


PORT = 18080


ONE_PORT = PortMapping(host_ip="", host_port=PORT, container_port=80)


class Lab:
    """A host, a backend seated on it, and containers' namespaces."""

    def __init__(self, slot: Slot[Any], facts: NetFacts, folder: Path) -> None:
        self.slot, self.hook, self.facts = slot, slot.hook, facts
        self.folder = folder
        self.namespaces: list[Namespace] = []
        self.definitions: list[NetworkDefinition] = []
        self.attached: dict[str, tuple[AttachRequest, AttachResult]] = {}

    def namespace(self, letter: str) -> Namespace:
        made = Namespace(self.folder / "ns", letter)
        self.namespaces.append(made)
        return made

    def network(self) -> NetworkDefinition | None:
        """A new network: planned by the backend where it can; None where it knows no networks."""
        number = len(self.definitions) + 1
        if self.slot.offers(NetManaged):
            wish = NetworkWish(name=f"kit{number}", id=f"{number:064x}", created="2026-01-01T00:00:00Z")
            made = self.hook.net_plan(wish=wish.replace(subnet_pools=POOL), existing=tuple(self.definitions))
        elif "bridge" in self.facts.modes:
            made = default_definition(number)
        else:
            return None
        self.definitions.append(made)
        return made  # type: ignore[no-any-return]

    def attachments(self, host: int = 5, **fields: Any) -> tuple[Attachment, ...]:
        """The attachments of a container's first interface; none where the backend knows no networks."""
        made = self.network() if not self.definitions else self.definitions[0]
        return () if made is None else (attachment(made, host, **fields),)

    def attach(self, where: Namespace, request: AttachRequest) -> AttachResult:
        found: AttachResult = self.hook.net_attach(netns=where.ref, request=request)
        self.attached[where.path] = (request.replace(lifetime_fd=-1), found)
        return found

    def detach(self, where: Namespace, request: AttachRequest, attached: AttachResult | None = None) -> None:
        self.hook.net_detach(netns=where.ref, request=request, attached=attached)

    def cycle(self, letter: str = "f", **more: Any) -> None:
        """Attach and detach once, so that what is made once and kept (chains, folders, caches) is there."""
        where = self.namespace(letter)
        more = {"ports": (ONE_PORT,), **more}
        request = where.request(*self.attachments(9), **more)
        self.detach(where, request, self.attach(where, request))
        where.vanish()
