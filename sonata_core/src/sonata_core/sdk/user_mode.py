"""Seeing and mending a connection that one helper process keeps up: for user-mode network backends (N-18, N-19)."""

from __future__ import annotations

from sonata_core.errors import CommandFailed
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetFact, NetPicture
from sonata_core.models.process import Command
from sonata_core.sdk import helper_process, interfaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext
    from sonata_core.models.net import AttachResult, InterfaceResult, NetMember

HELPER, LINK, ADDRESS, ROUTE = "helper", "link", "address", "route"


def picture(members: tuple[NetMember, ...]) -> NetPicture:
    """What these should have by the results of attaching them, and what is there."""
    wanted: list[NetFact] = []
    found: list[NetFact] = []
    for one in members:
        should = _facts(one, one.attached.interfaces)
        there = {(fact.kind, fact.text) for fact in _facts(one, _seen(one))}
        wanted += should
        found += [fact for fact in should if (fact.kind, fact.text) in there]
        for helper in one.attached.helpers:
            runs = NetFact(kind=HELPER, container=str(one.request.container), text=f"{helper.name} runs")
            wanted.append(runs)
            found += [runs] if helper_process.is_alive(helper) else []
    return NetPicture(wanted=tuple(wanted), found=tuple(found))


def mend(
    context: PluginContext,
    members: tuple[NetMember, ...],
    missing: tuple[NetFact, ...],
    again: Callable[[NetMember], AttachResult],
) -> tuple[AttachResult, ...]:
    """Put addresses and routes back; where the helper or its interface is gone, `again` starts it anew."""
    results = []
    for one in members:
        mine = [fact for fact in missing if fact.container == one.request.container]
        if any(fact.kind in (HELPER, LINK) for fact in mine):
            results.append(again(one))
            continue
        if mine:
            _put_back(context, one)
        results.append(one.attached)
    return tuple(results)


def _facts(member: NetMember, shown: tuple[InterfaceResult, ...]) -> list[NetFact]:
    facts = []
    for part in shown:
        texts = [(LINK, f"{part.interface} is there")]
        texts += [(ADDRESS, f"{one.address} dev {part.interface}") for one in part.addresses]
        texts += [(ROUTE, f"default via {one.gateway} dev {part.interface}") for one in part.addresses if one.gateway]
        facts += [NetFact(kind=kind, container=str(member.request.container), text=text) for kind, text in texts]
    return facts


def _seen(member: NetMember) -> tuple[InterfaceResult, ...]:
    try:
        return interfaces.interfaces("", member.netns.path)
    except FileNotFoundError:
        return ()


def _put_back(context: PluginContext, member: NetMember) -> None:
    for part in member.attached.interfaces:
        _ip(context, member, "link", "set", part.interface, "up")
        for one in part.addresses:
            family = "-6" if ":" in one.address else "-4"
            more = ("nodad",) if family == "-6" else ("brd", "+")
            _ip(context, member, family, "address", "replace", one.address, *more, "dev", part.interface)
        for one in part.addresses:
            if one.gateway:
                _ip(context, member, "route", "replace", "default", "via", one.gateway, "dev", part.interface)


def _ip(context: PluginContext, member: NetMember, *words: str) -> None:
    argv = (context.find_program("ip") or "/sbin/ip", *words)
    done = context.run_command(Command(argv=argv, netns=member.netns.path, timeout=20.0))
    if done.code:
        said = done.stderr.decode(errors="replace").strip()
        raise CommandFailed(f"ip {' '.join(words)}: {said}", argv=argv, code=done.code, stderr=said)
