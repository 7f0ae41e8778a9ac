"""What connections should consist of and what they consist of now, as facts (clause N-18).

What should be comes from the laboratory, what is from the kernel, the firewall's tools and aardvark-dns's
files. Both are told in the same words, so that comparing is all that is left to do.
"""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetFact, NetnsRef, NetPicture
from sonata_core.record import Record
from sonata_core.sdk.spawn import enter_netns
from sonata_core.sdk.syscalls import in_thread
from sonata_net_netavark import laboratory, listing, look, names, rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata_core.context import PluginContext
    from sonata_core.models.net import NetMember, NetworkDefinition
    from sonata_net_netavark.program import Netavark

LINK, ADDRESS, ROUTE, SETTING, RULE, NAME, HELPER = "link", "address", "route", "setting", "rule", "name", "helper"
SERVER = "aardvark-dns"
_HEX = frozenset("0123456789abcdef")


class Outside(Record):
    """The host of some members: the namespace that its bridges are in (None: our own), and the name server's folder."""

    outer: NetnsRef | None
    folder: str

    @property
    def path(self) -> str:
        """The namespace's path; empty for our own."""
        return "" if self.outer is None else self.outer.path


class State(Record):
    """Everything of a host that facts are made of. `names` are the lines of the name server's files, by network."""

    host: look.Place
    inside: "Mapping[str, look.Place]"
    rules: listing.Listing
    settings: "Mapping[str, str]"
    names: "Mapping[str, tuple[str, ...]]"
    served: bool


def observe(context: PluginContext, helper: Netavark, outside: Outside, members: Iterable[NetMember]) -> State:
    """Look at a host and its members' namespaces. Raises HostLacks, CommandFailed, OSError."""
    chosen = tuple(members)
    bridges = sorted({each.network.interface for one in chosen for each in one.request.attachments})
    host = look.at(outside.path)
    # Where the host is gone, so is all that it had, and no link leads to it.
    far = None if host is None else outside.path
    inside = {str(one.request.container): look.at(one.netns.path, far) for one in chosen}
    rules_there = listing.Listing(rules={}, heads={})
    if host is not None:
        rules_there = listing.read(context, listing.driver_of(context, helper), outside.outer)
    return State(
        host=host or look.Place(links={}, addresses={}, routes=()),
        inside={ident: place for ident, place in inside.items() if place is not None},
        rules=rules_there,
        settings={} if host is None else _settings(outside.path, bridges),
        names=names.lines(outside.folder),
        served=names.server(outside.folder) > 0,
    )


def wanted(made: laboratory.Made, members: tuple[NetMember, ...]) -> tuple[NetFact, ...]:
    """What these members should have, in the order in which it is to be made."""
    networks = _networks(members)
    facts = [*_of_bridges(made.host, networks), *_of_settings(made.settings, networks)]
    for one in members:
        place = made.inside.get(str(one.request.container))
        if place is not None:
            facts += _of_member(made.host, place, one)
    facts += _of_rules(made, members)
    served: dict[str, str] = {}
    for one in members:
        for each in one.request.attachments:
            if each.network.dns_enabled:
                served.setdefault(each.network.name, names.head(each.network))
    facts += [NetFact(kind=NAME, network=network, text=f"listen {line}") for network, line in served.items()]
    for one in members:
        for each in one.request.attachments:
            if each.network.dns_enabled:
                text = names.entry(one.request, each)
                ident = str(one.request.container)
                facts.append(NetFact(kind=NAME, network=each.network.name, container=ident, text=text))
    if served:
        facts.append(NetFact(kind=HELPER, text=f"{SERVER} runs"))
    return tuple(facts)


def found(
    state: State, should: tuple[NetFact, ...], members: tuple[NetMember, ...], networks: tuple[NetworkDefinition, ...]
) -> tuple[NetFact, ...]:
    """What is there of that, and what is left of containers that are gone."""
    mine = _networks(members)
    facts = [*_of_bridges(state.host, mine), *_of_settings(state.settings, mine)]
    for one in members:
        place = state.inside.get(str(one.request.container))
        if place is not None:
            facts += _of_member(state.host, place, one)
    there = {(fact.kind, fact.container, fact.text) for fact in facts}
    there |= {(RULE, "", listing.told(chain, rule)) for chain, each in state.rules.rules.items() for rule in each}
    there |= {(RULE, "", declared(chain, head)) for chain, head in state.rules.heads.items()}
    for network, lines in state.names.items():
        if lines:
            there.add((NAME, network, f"listen {lines[0]}"))
        there |= {(NAME, network, line) for line in lines[1:]}
    if state.served:
        there.add((HELPER, "", f"{SERVER} runs"))
    kept = [fact for fact in should if _key(fact) in there]
    return (*kept, *_stale(state, should, members, networks))


def picture(
    context: PluginContext,
    helper: Netavark,
    made: laboratory.Made,
    host: tuple[Outside, tuple[NetMember, ...]],
    networks: tuple[NetworkDefinition, ...],
) -> NetPicture:
    """The picture of one host with its members. Raises HostLacks, CommandFailed, OSError."""
    outside, members = host
    state = observe(context, helper, outside, members)
    should = wanted(made, members)
    return NetPicture(wanted=should, found=found(state, should, members, networks), unclear=made.unclear)


def _key(fact: NetFact) -> tuple[str, str, str]:
    if fact.kind == RULE:
        return RULE, "", fact.text
    return fact.kind, fact.network if fact.kind == NAME else fact.container, fact.text


def _networks(members: Iterable[NetMember]) -> tuple[NetworkDefinition, ...]:
    found = {each.network.name: each.network for one in members for each in one.request.attachments}
    return tuple(found.values())


def _of_bridges(host: look.Place, networks: tuple[NetworkDefinition, ...]) -> list[NetFact]:
    facts = []
    for network in networks:
        bridge = host.links.get(network.interface)
        if network.driver != "bridge" or bridge is None or bridge.kind != "bridge":
            continue
        facts.append(NetFact(kind=LINK, network=network.name, text=f"{bridge.name} is a bridge"))
        master = host.bridge_of(bridge)
        if master:
            facts.append(NetFact(kind=LINK, network=network.name, text=f"{bridge.name} in {master}"))
        for address in host.addresses.get(bridge.name, ()):
            facts.append(NetFact(kind=ADDRESS, network=network.name, text=f"{address} dev {bridge.name}"))
        if bridge.up:
            facts.append(NetFact(kind=LINK, network=network.name, text=f"{bridge.name} up"))
    return facts


def _of_member(host: look.Place, place: look.Place, member: NetMember) -> list[NetFact]:
    ident, facts = str(member.request.container), []
    for each in member.request.attachments:
        link, network = place.links.get(each.interface), each.network.name
        if link is None:
            continue
        texts = [(LINK, f"{link.name} is there")]
        outer = other_end(host, link)
        bridge = "" if outer is None else host.bridge_of(outer)
        texts += [(LINK, f"{link.name} in {bridge}")] if bridge else []
        texts += [(LINK, f"{link.name} connected")] if outer is not None and outer.up else []
        texts += [(ADDRESS, f"{address} dev {link.name}") for address in place.addresses.get(link.name, ())]
        texts += [(LINK, f"{link.name} up")] if link.up else []
        texts += [(ROUTE, route) for route in place.routes if f" dev {link.name} " in f"{route} "]
        facts += [NetFact(kind=kind, container=ident, network=network, text=text) for kind, text in texts]
    return facts


def other_end(host: look.Place, inner: look.Seen) -> look.Seen | None:
    """The host's end of a container's veth."""
    for one in host.links.values():
        if inner.kind == one.kind == "veth" and one.index == inner.peer and one.peer == inner.index:
            return one
    return None


def _of_settings(settings: Mapping[str, str], networks: Iterable[NetworkDefinition]) -> list[NetFact]:
    """Those of a bridge are its network's."""
    bridges = {one.interface: one.name for one in networks}
    return [
        NetFact(kind=SETTING, network=bridges.get(path.split("/")[3], "") if "/conf/" in path else "", text=text)
        for path, text in ((path, f"{path} = {value}") for path, value in settings.items())
    ]


def _of_rules(made: laboratory.Made, members: tuple[NetMember, ...]) -> list[NetFact]:
    owners = _owners(members)
    chains = _chain_networks(made.rules, _networks(members))
    facts = []
    for chain, head in made.rules.heads.items():
        if not is_built_in(chain, head):
            facts.append(NetFact(kind=RULE, network=chains.get(chain, ""), text=declared(chain, head)))
    for chain, each in made.rules.rules.items():
        for rule in each:
            owner, network = _owner_of(rule, owners), chains.get(chain, "") or _target(rule, chains)
            facts.append(NetFact(kind=RULE, container=owner, network=network, text=listing.told(chain, rule)))
    return facts


def is_built_in(chain: listing.Chain, head: str) -> bool:
    """Whether a chain is the kernel's, not netavark's."""
    return chain.tool != listing.NFT and bool(head)


def declared(chain: listing.Chain, head: str) -> str:
    """A chain's making, as one would type it."""
    if chain.tool == listing.NFT:
        return f"nft add chain {chain.table} {chain.name}" + (f" {{ {head} }}" if head else "")
    return f"{chain.tool} -t {chain.table} -N {chain.name}"


def _owners(members: Iterable[NetMember]) -> dict[str, str]:
    """Container ids by id and by address: a rule that says one of these is that container's."""
    owners = {}
    for one in members:
        ident = str(one.request.container)
        owners[ident] = ident
        for each in one.request.attachments:
            owners |= {address.partition("/")[0]: ident for address in each.addresses}
    return owners


def _owner_of(rule: str, owners: Mapping[str, str]) -> str:
    for word in rule.replace('"', " ").split():
        target = word
        if target.startswith("["):
            target = target[1:].partition("]")[0]
        elif target.count(":") == 1:
            target = target.partition(":")[0]
        if target in owners:
            return owners[target]
    return ""


def _chain_networks(rules_there: listing.Listing, networks: Iterable[NetworkDefinition]) -> dict[listing.Chain, str]:
    """Which chains are of which network alone: with iptables by a hash of its name, with nftables by its id."""
    by_name = {name: network.name for network in networks for name in rules.chain_names(network.name)}
    by_id = {network.id: network.name for network in networks}
    found = {}
    for chain in rules_there.rules:
        if chain.name in by_name:
            found[chain] = by_name[chain.name]
        elif chain.tool == listing.NFT and chain.name.startswith("nv_"):
            start = chain.name.split("_")[1]
            for ident, name in by_id.items():
                if start and ident.startswith(start):
                    found[chain] = name
    return found


def _target(rule: str, chains: Mapping[listing.Chain, str]) -> str:
    last = rule.rpartition(" ")[2]
    return next((network for chain, network in chains.items() if chain.name == last), "")


def _settings(path: str, bridges: list[str]) -> dict[str, str]:
    def work() -> dict[str, str]:
        if path:
            enter_netns(path)
        asked = [*laboratory.SETTINGS]
        asked += [f"net/{family}/conf/{one}/{name}" for one in bridges for family, name, _ in laboratory.LINK_SETTINGS]
        return {each: laboratory.setting(each) for each in asked if os.path.exists(f"/proc/sys/{each}")}

    return in_thread(work) if path else work()


def _stale(
    state: State, should: tuple[NetFact, ...], members: tuple[NetMember, ...], networks: tuple[NetworkDefinition, ...]
) -> list[NetFact]:
    """Port rules and names on networks on which only our containers sit, that none of these has."""
    mine = [network for network in networks if is_ours_alone(state, members, network)]
    known = {_key(fact) for fact in should}
    chains = _chain_networks(state.rules, mine)
    ports = {chain: network for chain, network in chains.items() if _takes_ports(chain)}
    facts = []
    for chain, each in state.rules.rules.items():
        for rule in each:
            network = ports.get(chain, "") or _target(rule, ports)
            fact = NetFact(kind=RULE, network=network, text=listing.told(chain, rule))
            if network and _key(fact) not in known:
                facts.append(fact)
    for own in mine:
        for line in state.names.get(own.name, ())[1:]:
            fact = NetFact(kind=NAME, network=own.name, container=_named(line), text=line)
            if _key(fact) not in known:
                facts.append(fact)
    return facts


def _takes_ports(chain: listing.Chain) -> bool:
    return chain.name.startswith("NETAVARK-DN-") or chain.name.endswith("_dnat")


def _named(line: str) -> str:
    first = line.partition(" ")[0]
    return first if len(first) == 64 and _HEX.issuperset(first) else ""


def is_ours_alone(state: State, members: tuple[NetMember, ...], network: NetworkDefinition) -> bool:
    """Whether no port of a network's bridge leads to anybody but these members.

    Another engine, or another store's, may use a bridge of the same name. Where the bridge is gone, every
    veth without one could have been its.
    """
    bridge = state.host.links.get(network.interface)
    if network.driver != "bridge" or (bridge is not None and bridge.kind != "bridge"):
        return False
    master = 0 if bridge is None else bridge.index
    ports = {one.index for one in state.host.links.values() if one.kind == "veth" and one.master in (0, master)}
    if bridge is not None:
        ports = {one.index for one in state.host.links.values() if one.master == master}
    inner = [one for place in state.inside.values() for one in place.links.values()]
    ours = {end.index for end in (other_end(state.host, one) for one in inner) if end is not None}
    return ports <= ours and len(state.inside) == len(members)
