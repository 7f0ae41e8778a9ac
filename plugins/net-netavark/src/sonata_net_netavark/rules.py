"""Netavark's firewall rules as they lie in the kernel, and which of them to take away.

Netavark's iptables driver makes them through iptables-nft, so they are nftables rules with the
old matches inside. Here they are only read, recognised by what they do, and deleted by handle in
one transaction that the kernel refuses if anything changed since they were read. Chain names and
rule order: netavark `src/firewall/varktables/types.rs`.
"""

from __future__ import annotations

import struct

from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetworkDefinition
from sonata_core.record import Record
from sonata_core.sdk.hashes import sha512_hex
from sonata_net_netavark import netlink

if TYPE_CHECKING:
    from sonata_net_netavark.netlink import Channel

NFT = 10 << 8
GET_CHAIN, NEW_CHAIN, DELETE_CHAIN = NFT | 4, NFT | 3, NFT | 5
NEW_RULE, GET_RULE, DELETE_RULE = NFT | 6, NFT | 7, NFT | 8
NEW_GENERATION, GET_GENERATION = NFT | 15, NFT | 16
BATCH = (0x10, 0x11)
FORWARD, HOSTPORT, SETMARK = "NETAVARK_FORWARD", "NETAVARK-HOSTPORT-DNAT", "NETAVARK-HOSTPORT-SETMARK"
HOSTPORT_MASQ = "NETAVARK-HOSTPORT-MASQ"
GENERIC_JUMPS = (
    ("filter", "FORWARD", FORWARD),
    ("nat", "PREROUTING", HOSTPORT),
    ("nat", "OUTPUT", HOSTPORT),
    ("nat", "POSTROUTING", HOSTPORT_MASQ),
)
IPV4, IPV6 = 2, 10
ACCEPT = 1


Prefix = tuple[int, int, bytes]
"""Family, length in bits, address."""


class Unexpected(Exception):
    """The rules are not as netavark's iptables driver makes them."""


class Rule(Record):
    """One rule. `fields` are comparisons of the packet: base, offset, bits, value; `parts` its matches' raw bytes."""

    family: int
    table: str
    chain: str
    handle: bytes
    jump: str
    verdict: int
    fields: tuple[tuple[int, int, int, bytes], ...]
    comment: str
    target: tuple[str, bytes]
    ports: bytes


class Ruleset(Record):
    """All rules and chains of netavark's two tables in both families, at one generation."""

    generation: bytes
    rules: tuple[Rule, ...]
    chains: frozenset[tuple[int, str, str]]


def read(channel: Channel, families: tuple[int, ...]) -> Ruleset:
    """The tables as they are now. Raises OSError; Interrupted if they change meanwhile."""
    generation = _generation(channel)
    rules: list[Rule] = []
    chains: set[tuple[int, str, str]] = set()
    for family in families:
        for kind, body in channel.dump(GET_CHAIN, _family(family)):
            found = netlink.attributes(body[4:])
            if kind == NEW_CHAIN:
                chains.add((family, netlink.string(found.get(1)), netlink.string(found.get(3))))
        for table in ("nat", "filter"):
            asked = _family(family) + netlink.text(1, table)
            rules += [_rule(family, body) for kind, body in channel.dump(GET_RULE, asked) if kind == NEW_RULE]
    if _generation(channel) != generation:
        raise netlink.Interrupted
    return Ruleset(generation=generation, rules=tuple(rules), chains=frozenset(chains))


def chain_names(network: str) -> tuple[str, str]:
    """Names of a network's masquerading and port forwarding chains."""
    mark = sha512_hex(network.encode())[:13].upper()
    return f"NETAVARK-{mark}", f"NETAVARK-DN-{mark}"


def require_generic(ruleset: Ruleset) -> None:
    """Raise Unexpected unless the chains that all networks share are there, each jumped to as netavark does."""
    jumps = [(rule.table, rule.chain, rule.jump) for rule in ruleset.rules]
    for jump in GENERIC_JUMPS:
        if jumps.count(jump) != 1:
            raise Unexpected(f"{jumps.count(jump)} jumps from {jump[1]} to {jump[2]}")
    inside = [rule.chain for rule in ruleset.rules]
    if inside.count(SETMARK) != 1 or inside.count(HOSTPORT_MASQ) != 1:
        raise Unexpected("the shared chains do not have one rule each")


def has_network(ruleset: Ruleset, network: NetworkDefinition) -> bool:
    """Whether a network's rules are there. Raises Unexpected for some without the others."""
    masquerade, _forward = chain_names(network.name)
    subnets = [_prefix(subnet.subnet) for subnet in network.subnets]
    there = [rule for rule in ruleset.rules if masquerade in (rule.chain, rule.jump)]
    if any(rule.jump == masquerade and not _names_subnet(rule, subnets) for rule in there):
        raise Unexpected(f"another network named {network.name} has its rules in {masquerade}")
    accepts = [rule for rule in ruleset.rules if rule.chain == FORWARD and _is_of(rule, subnets)]
    if not there and not accepts and (IPV4, "nat", masquerade) not in ruleset.chains:
        return False
    if len(there) != 3 or len(accepts) != 2:
        raise Unexpected(f"network {network.name} has {len(there)} and {len(accepts)} rules")
    return True


class Removal:
    """Gathers what is to go, then deletes it at once."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._set = ruleset
        self._rules: dict[tuple[int, str, bytes], Rule] = {}
        self._chains: list[tuple[int, str, str]] = []

    def expect(self, network: NetworkDefinition, *, attached: bool) -> None:
        """Raise Unexpected if the rules may lie elsewhere: in the old tables, with firewalld, elsewhere."""
        if any(chain[1:] == ("nat", chain_names(network.name)[0]) for chain in self._set.chains):
            return
        if attached or _has_old_tables():
            raise Unexpected(f"no chain of network {network.name} in nftables' ip nat")

    def container(self, network: NetworkDefinition, container: str, addresses: tuple[bytes, ...]) -> None:
        """The container's port rules on one network. Raises Unexpected where they are not three by three."""
        _masquerade, forward = chain_names(network.name)
        mine = f"id: {container}"
        for rule in self._set.rules:
            if rule.chain == HOSTPORT and rule.jump == forward and rule.comment.endswith(mine):
                self._take(rule)
        for family in (IPV4, IPV6):
            chain = [r for r in self._set.rules if (r.family, r.table, r.chain) == (family, "nat", forward)]
            for place, rule in enumerate(chain):
                if rule.target[0] == "DNAT" and _leads_to(rule, addresses):
                    marks = chain[max(0, place - 2) : place]
                    if len(marks) != 2 or any(r.jump != SETMARK or r.ports != rule.ports for r in marks):
                        raise Unexpected(f"rules before handle {rule.handle.hex()} of {forward}")
                    for each in (*marks, rule):
                        self._take(each)

    def network(self, network: NetworkDefinition) -> None:
        """Everything of a network that no container is on any more.

        Chains are named after the network alone. Where one of the same name but other subnets lives
        (another engine's, another store's), only what names our subnets goes. Raises Unexpected where
        published ports of such a namesake are in the way.
        """
        subnets = [_prefix(subnet.subnet) for subnet in network.subnets]
        for family in sorted({family for family, _bits, _value in subnets}):
            self._network_nat(network, family, subnets)
        for rule in self._set.rules:
            if rule.table == "filter" and rule.chain == FORWARD and _is_of(rule, subnets):
                self._take(rule)

    def _network_nat(self, network: NetworkDefinition, family: int, subnets: list[Prefix]) -> None:
        masquerade, forward = chain_names(network.name)
        nat = [rule for rule in self._set.rules if rule.family == family and rule.table == "nat"]
        mine = [r for r in nat if masquerade in (r.chain, r.jump) and _names_subnet(r, subnets)]
        namesakes = [r for r in nat if r.jump == masquerade and r not in mine]
        ports = [rule for rule in nat if forward in (rule.chain, rule.jump)]
        if namesakes:
            if ports:
                raise Unexpected(f"published ports in {forward}, which another network named {network.name} shares")
            for rule in mine:
                self._take(rule)
            return
        for rule in (*ports, *(r for r in nat if masquerade in (r.chain, r.jump))):
            self._take(rule)
        both = ((family, "nat", masquerade), (family, "nat", forward))
        self._chains += [chain for chain in both if chain in self._set.chains]

    def commit(self, channel: Channel) -> None:
        """Delete at once. Raises OSError if anything changed since the rules were read: nothing is deleted then."""
        messages = [
            (
                DELETE_RULE,
                _family(r.family)
                + netlink.text(1, r.table)
                + netlink.text(2, r.chain)
                + netlink.attribute(3, r.handle),
            )
            for r in self._rules.values()
        ]
        messages += [
            (DELETE_CHAIN, _family(family) + netlink.text(1, table) + netlink.text(3, name))
            for family, table, name in self._chains
        ]
        if not messages:
            return
        subsystem = struct.pack(">BBH", 0, 0, NFT >> 8)
        begin = subsystem + netlink.attribute(1, self._set.generation)
        channel.transact(begin, messages, subsystem, BATCH)

    def _take(self, rule: Rule) -> None:
        self._rules[rule.family, rule.table, rule.handle] = rule


def _has_old_tables() -> bool:
    try:
        with open("/proc/net/ip_tables_names", encoding="ascii") as file:
            return "nat" in file.read(4096).split()
    except OSError:
        return False


def _family(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


def _generation(channel: Channel) -> bytes:
    answer = channel.ask(GET_GENERATION, _family(0))
    found = None if answer is None else netlink.attributes(answer[1][4:]).get(1)
    if found is None:
        raise Unexpected("no generation")
    return found


def _rule(family: int, body: bytes) -> Rule:
    found = netlink.attributes(body[4:])
    reading = _Reading()
    for kind, element in netlink.attribute_list(found.get(4, b"")):
        if kind == 1:
            expression = netlink.attributes(element)
            reading.take(netlink.string(expression.get(1)), netlink.attributes(expression.get(2, b"")))
    return Rule(
        family=family,
        table=netlink.string(found.get(1)),
        chain=netlink.string(found.get(2)),
        handle=found.get(3, b""),
        jump=reading.jump,
        verdict=reading.verdict,
        fields=tuple(reading.fields),
        comment=reading.comment,
        target=reading.target,
        ports=reading.ports,
    )


class _Reading:
    """A rule's expressions, one after the other: load, mask, compare; match; jump."""

    def __init__(self) -> None:
        self.jump, self.verdict, self.comment = "", 0, ""
        self.fields: list[tuple[int, int, int, bytes]] = []
        self.target: tuple[str, bytes] = ("", b"")
        self.ports = b""
        self._loaded: tuple[int, int, int] | None = None

    def take(self, name: str, data: netlink.Attributes) -> None:
        reader = getattr(self, f"_{name}", None)
        if reader is not None:
            reader(data)

    def _payload(self, data: netlink.Attributes) -> None:
        self._loaded = (_be32(data.get(2)), _be32(data.get(3)), 8 * _be32(data.get(4)))

    def _bitwise(self, data: netlink.Attributes) -> None:
        if self._loaded is not None:
            mask = netlink.attributes(data.get(4, b"")).get(1, b"")
            bits = bin(int.from_bytes(mask, "big")).count("1")
            self._loaded = (self._loaded[0], self._loaded[1], bits)

    def _cmp(self, data: netlink.Attributes) -> None:
        value = netlink.attributes(data.get(3, b"")).get(1, b"")
        if self._loaded is not None and _be32(data.get(2)) == 0:
            self.fields.append((*self._loaded, value))
            if self._loaded[0] == 2:
                self.ports += struct.pack(">I", self._loaded[1]) + value
        self._loaded = None

    def _range(self, data: netlink.Attributes) -> None:
        self.ports += b"".join(netlink.attributes(data.get(kind, b"")).get(1, b"") for kind in (3, 4))
        self._loaded = None

    def _match(self, data: netlink.Attributes) -> None:
        name, info = netlink.string(data.get(1)), data.get(3, b"")
        if name == "comment":
            self.comment = netlink.string(info.partition(b"\0")[0])
        elif name in ("tcp", "udp", "sctp"):
            self.ports += info

    def _target(self, data: netlink.Attributes) -> None:
        self.target = (netlink.string(data.get(1)), data.get(3, b""))

    def _immediate(self, data: netlink.Attributes) -> None:
        verdict = netlink.attributes(netlink.attributes(data.get(2, b"")).get(2, b""))
        self.jump = netlink.string(verdict.get(2))
        self.verdict = _be32(verdict.get(1))


def _be32(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")


def _leads_to(rule: Rule, addresses: tuple[bytes, ...]) -> bool:
    """Whether a DNAT target (`struct nf_nat_range2`: flags, then the address) leads to one of these."""
    return any(rule.target[1][4 : 4 + len(address)] == address for address in addresses if _fits(rule, address))


def _fits(rule: Rule, address: bytes) -> bool:
    return len(address) == (4 if rule.family == IPV4 else 16)


def _is_of(rule: Rule, subnets: list[Prefix]) -> bool:
    """Whether a rule accepts packets from or to one of these subnets, and asks for nothing else of them."""
    return rule.verdict == ACCEPT and _names_subnet(rule, subnets)


def _names_subnet(rule: Rule, subnets: list[Prefix]) -> bool:
    if len(rule.fields) != 1:
        return False
    base, offset, bits, value = rule.fields[0]
    for family, length, network in subnets:
        if family == rule.family and base == 1 and bits == length and value == network[: len(value)]:
            return offset in ((12, 16) if family == IPV4 else (8, 24))
    return False


def _prefix(subnet: str) -> Prefix:
    address, _slash, length = subnet.partition("/")
    packed = pack_address(address)
    bits = int(length)
    masked = int.from_bytes(packed, "big") >> (8 * len(packed) - bits) << (8 * len(packed) - bits)
    return (IPV4 if len(packed) == 4 else IPV6), bits, masked.to_bytes(len(packed), "big")


def pack_address(address: str) -> bytes:
    """An address as the kernel has it. Raises Unexpected for what is none."""
    import _socket

    try:
        return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)
    except OSError as error:
        raise Unexpected(address) from error
