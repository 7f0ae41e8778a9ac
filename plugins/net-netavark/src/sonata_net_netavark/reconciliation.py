"""Comparing and mending for the containers of one command: the laboratory is furnished once."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetPicture
from sonata_net_netavark import laboratory, picture
from sonata_net_netavark.mend import Mending

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext
    from sonata_core.models.net import AttachResult, NetFact, NetMember, NetworkDefinition
    from sonata_net_netavark.program import Netavark

    Again = Callable[[NetMember, frozenset[str]], AttachResult]


class Reconciliation:
    """What some containers should have, found out once."""

    def __init__(self, context: PluginContext, helper: Netavark, folder: str, members: tuple[NetMember, ...]) -> None:
        self.members = members
        self._context = context
        self._helper = helper
        self._groups: dict[picture.Outside, tuple[NetMember, ...]] = {}
        for one in members:
            place = picture.Outside(outer=one.request.outer, folder=folder)
            self._groups[place] = (*self._groups.get(place, ()), one)
        if not self._groups:
            self._groups[picture.Outside(outer=None, folder=folder)] = ()
        self._networks: dict[str, NetworkDefinition] = {}
        self._made: dict[picture.Outside, laboratory.Made] = {}

    def look(self, networks: tuple[NetworkDefinition, ...]) -> NetPicture:
        """As `net_picture` says. Raises HostLacks, CommandFailed, OSError."""
        self._networks = {one.name: one for one in networks}
        parts = [
            picture.picture(self._context, self._helper, self._laboratory(place), (place, members), networks)
            for place, members in self._groups.items()
        ]
        merged = parts[0] if parts else NetPicture()
        for part in parts[1:]:
            merged = merged.replace(
                wanted=(*merged.wanted, *part.wanted),
                found=(*merged.found, *part.found),
                unclear=(*merged.unclear, *part.unclear),
            )
        return merged

    def mend(
        self, seen: NetPicture, missing: tuple[NetFact, ...], extra: tuple[NetFact, ...], again: Again
    ) -> tuple[AttachResult, ...]:
        """As `net_mend` says; `again` attaches networks of one member anew. Raises SonataError, OSError."""
        results = {str(one.request.container): one.attached for one in self.members}
        for place, members in self._groups.items():
            own = {str(one.request.container) for one in members}
            lacking = tuple(fact for fact in missing if not fact.container or fact.container in own)
            mending = Mending(self._context, self._helper, place, members)
            mending.links(tuple(fact for fact in lacking if not fact.container), seen.wanted)
            lost = _lost(lacking, mending)
            for one in members:
                ident = str(one.request.container)
                if ident in lost:
                    results[ident] = _merged(one.attached, again(one, frozenset(lost[ident])))
            # Attaching anew may have made some of it.
            mending = Mending(self._context, self._helper, place, members)
            mending.links(tuple(fact for fact in lacking if fact.container), seen.wanted)
            mending.rules(self._laboratory(place), lacking, extra)
            mending.names(seen.wanted, (*lacking, *extra), self._networks)
        return tuple(results[str(one.request.container)] for one in self.members)

    def _laboratory(self, place: picture.Outside) -> laboratory.Made:
        made = self._made.get(place)
        if made is None:
            made = laboratory.make(self._context, self._helper, self._groups[place])
            self._made[place] = made
        return made


def _lost(missing: tuple[NetFact, ...], mending: Mending) -> dict[str, set[str]]:
    """Networks of containers whose interface is gone, or cut off from the host, by container."""
    lost: dict[str, set[str]] = {}
    for fact in missing:
        gone = fact.kind == picture.LINK and fact.text.endswith(" is there")
        if fact.container and (gone or mending.is_cut_off(fact)):
            lost.setdefault(fact.container, set()).add(fact.network)
    return lost


def _merged(before: AttachResult, made: AttachResult) -> AttachResult:
    new = {(each.network, each.interface): each for each in made.interfaces}
    return before.replace(interfaces=tuple(new.get((each.network, each.interface), each) for each in before.interfaces))
