"""Comparing what connections should consist of with what they do consist of. Pure."""

from __future__ import annotations

from sonata.model.reconcile import MISSING, STALE, Finding
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sonata_core.models.net import NetFact, NetPicture


def missing(picture: NetPicture, unsettled: Collection[str], busy: Collection[str]) -> tuple[NetFact, ...]:
    """What should be there and is not, in the order in which it is made.

    What belongs to containers that a command is at is not missed (`unsettled`, by id), nor what containers of their
    networks share (`busy`, by name).
    """
    there = frozenset(picture.found)
    return tuple(
        fact
        for fact in picture.wanted
        if fact not in there and fact.container not in unsettled and (fact.container or fact.network not in busy)
    )


def stale(picture: NetPicture, unsettled: Collection[str], busy: Collection[str]) -> tuple[NetFact, ...]:
    """What is there of containers that are gone."""
    should = frozenset(picture.wanted)
    return tuple(
        fact
        for fact in dict.fromkeys(picture.found)
        if fact not in should and fact.container not in unsettled and fact.network not in busy
    )


def of_interest(
    facts: Iterable[NetFact], containers: Mapping[str, Collection[str]], networks: Collection[str]
) -> tuple[NetFact, ...]:
    """Those of these containers (by id, with the names of their networks) and networks, and what all share.

    Nothing named: all.
    """
    if not containers and not networks:
        return tuple(facts)
    joined = {name for names in containers.values() for name in names}
    return tuple(
        fact
        for fact in facts
        if fact.container in containers
        or fact.network in networks
        or (not fact.container and (not fact.network or fact.network in joined))
    )


def findings(facts: Iterable[NetFact], problem: str, names: Mapping[str, str]) -> list[Finding]:
    """Findings of facts, with the names of containers by their ids."""
    return [
        Finding(
            problem=problem,
            kind=fact.kind,
            what=fact.text,
            container=fact.container,
            name=names.get(fact.container, ""),
            network=fact.network,
        )
        for fact in facts
    ]


def leases(
    held: Iterable[tuple[str, str, str]], wanted: Iterable[tuple[str, str, str]], names: Mapping[str, str]
) -> list[Finding]:
    """Leases that nobody has, and those of nobody who is connected: (container, network, address) each."""
    there, should = dict.fromkeys(held), dict.fromkeys(wanted)
    rows = [(MISSING, row) for row in should if row not in there]
    rows += [(STALE, row) for row in there if row not in should]
    return [
        Finding(
            problem=problem,
            kind="lease",
            what=address,
            container=container,
            name=names.get(container, ""),
            network=network,
        )
        for problem, (container, network, address) in rows
    ]
