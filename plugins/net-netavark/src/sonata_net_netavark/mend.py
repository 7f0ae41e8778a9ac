"""Making what is missing of connections, and taking away what is too much, under netavark's lock (clause N-19).

Links and addresses of the host first, then the containers', then settings, rules and names. Rules of one
tool are changed in one transaction, so that no packet ever meets half of them.
"""

from __future__ import annotations

from sonata_core.errors import CommandFailed
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_core.sdk.spawn import enter_netns
from sonata_core.sdk.syscalls import in_thread
from sonata_net_netavark import links, listing, names, picture

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import NetFact, NetMember, NetworkDefinition
    from sonata_net_netavark import laboratory, look
    from sonata_net_netavark.program import Netavark


class Mending:
    """The mending of one host's part of a picture."""

    def __init__(
        self,
        context: PluginContext,
        helper: Netavark,
        outside: picture.Outside,
        members: tuple[NetMember, ...],
    ) -> None:
        self._context = context
        self._helper = helper
        self._outside = outside
        self._members = members
        self._by_id = {str(one.request.container): one for one in members}
        self._networks = {each.network.name: each.network for one in members for each in one.request.attachments}
        self._state = picture.observe(context, helper, outside, members)

    def links(self, missing: tuple[NetFact, ...], wanted: tuple[NetFact, ...]) -> None:
        """What is missing of links, addresses, routes and settings. Raises CommandFailed, OSError."""
        host = [fact for fact in missing if not fact.container]
        for fact in host:
            if fact.kind == picture.LINK:
                self._host_link(fact)
            elif fact.kind == picture.ADDRESS:
                self._add_address("", fact.text)
        for fact in missing:
            if fact.container in self._by_id and fact.kind in (picture.LINK, picture.ADDRESS):
                self._inner(self._by_id[fact.container], fact)
        for ident in dict.fromkeys(fact.container for fact in missing if fact.kind == picture.ROUTE):
            lost = {fact.text for fact in missing if fact.kind == picture.ROUTE and fact.container == ident}
            should = [fact.text for fact in wanted if fact.kind == picture.ROUTE and fact.container == ident]
            if ident in self._by_id and ident in self._state.inside:
                self._neighbourhood(self._by_id[ident].netns.path, self._state.inside[ident], lost)
                self._routes(self._by_id[ident].netns.path, list(self._state.inside[ident].routes), lost, should)
        self._forget_neighbours({fact.network for fact in host if fact.text.endswith(" is a bridge")})
        for fact in host:
            if fact.kind == picture.SETTING:
                path, _, value = fact.text.partition(" = ")
                _set(self._outside.path, path, value)

    def is_cut_off(self, fact: NetFact) -> bool:
        """Whether what is missing is the way to a container's interface whose other end this host has not."""
        place = self._state.inside.get(fact.container)
        link = None if place is None else place.links.get(fact.text.partition(" ")[0])
        veth = link is not None and link.kind == "veth" and fact.kind == picture.LINK
        return veth and link is not None and picture.other_end(self._state.host, link) is None

    def _forget_neighbours(self, networks: set[str]) -> None:
        """A new bridge has another hardware address; containers would remember the old one for half a minute."""
        for one in self._members:
            place = self._state.inside.get(str(one.request.container))
            for each in one.request.attachments:
                link = None if place is None else place.links.get(each.interface)
                # One that leads nowhere is attached anew, and may be gone at any moment.
                if each.network.name in networks and link is not None and picture.other_end(self._state.host, link):
                    self._ip(one.netns.path, "neighbour", "flush", "dev", each.interface)

    def rules(self, made: laboratory.Made, missing: tuple[NetFact, ...], extra: tuple[NetFact, ...]) -> None:
        """Rules and chains, each tool's in one go. Raises HostLacks, CommandFailed."""
        now = listing.read(self._context, listing.driver_of(self._context, self._helper), self._outside.outer)
        absent = {fact.text for fact in missing if fact.kind == picture.RULE}
        doomed = {fact.text for fact in extra if fact.kind == picture.RULE}
        if not absent and not doomed:
            return
        for tool in ("iptables", "ip6tables", listing.NFT):
            text = _script(tool, now, made, absent, doomed)
            if text:
                listing.write(self._context, tool, text, self._outside.outer)

    def names(
        self, wanted: tuple[NetFact, ...], changed: tuple[NetFact, ...], networks: dict[str, NetworkDefinition]
    ) -> None:
        """The name server's files and the server itself. Raises CommandFailed."""
        touched = {fact.network for fact in changed if fact.kind == picture.NAME}
        there = names.lines(self._outside.folder)
        extra = {(fact.network, fact.text) for fact in changed if fact not in wanted}
        for name in sorted(touched):
            should = [fact.text for fact in wanted if fact.kind == picture.NAME and fact.network == name]
            head = next((text[7:] for text in should if text.startswith("listen ")), "")
            # What was wanted when it was looked may be gone by now: only what is missed is put in.
            asked = {fact.text for fact in changed if fact.network == name and fact in wanted}
            kept = asked.union(there.get(name, ()))
            rows = [text for text in should if not text.startswith("listen ") and text in kept]
            others = [line for line in there.get(name, ())[1:] if line not in rows and (name, line) not in extra]
            own = {line.partition(" ")[0] for line in rows}
            others = [line for line in others if line.partition(" ")[0] not in own]
            head = head or next(iter(there.get(name, ())), "")
            network = self._networks.get(name) or networks.get(name)
            if network is not None:
                names.write(
                    self._outside.folder, network, (head, *rows, *others), modern=self._helper.version >= (1, 12, 0)
                )
        lost = any(fact.kind == picture.HELPER for fact in changed)
        bridges = any(fact.kind in (picture.LINK, picture.ADDRESS) and not fact.container for fact in changed)
        if (touched or lost or bridges) and not names.reload(self._outside.folder) and _serves(self._outside.folder):
            self._start_server()

    def _start_server(self) -> None:
        path = self._context.find_program(picture.SERVER)
        if path is None:
            return
        port = str(self._context.config.get("dns_bind_port") or 53)
        argv = (path, "--config", f"{self._outside.folder}/aardvark-dns", "-p", port, "run")
        self._command(argv, "")

    def _host_link(self, fact: NetFact) -> None:
        name, _, what = fact.text.partition(" ")
        network = self._networks.get(fact.network)
        if what == "is a bridge":
            self._ip("", "link", "add", name, "type", "bridge")
            mtu = "" if network is None else network.options.get("mtu", "")
            if mtu not in ("", "0"):
                self._ip("", "link", "set", name, "mtu", mtu)
            self._keep_address(name)
        elif what.startswith("in "):
            self._ip("", "link", "set", name, "master", what[3:])
        elif what == "up":
            self._ip("", "link", "set", name, "up")

    def _keep_address(self, name: str) -> None:
        """As attaching does it: else the bridge has another address with each port that comes or goes."""
        outer = self._outside.path

        def work() -> None:
            if outer:
                enter_netns(outer)
            links.keep_addresses([name])

        in_thread(work) if outer else work()

    def _inner(self, member: NetMember, fact: NetFact) -> None:
        where = member.netns.path
        name, _, what = fact.text.partition(" ")
        place = self._state.inside.get(str(member.request.container))
        link = None if place is None else place.links.get(name)
        end = None if link is None else picture.other_end(self._state.host, link)
        if fact.kind == picture.ADDRESS:
            self._add_address(where, fact.text)
        elif what == "up":
            self._ip(where, "link", "set", name, "up")
        elif what.startswith("in ") and end is not None:
            self._ip("", "link", "set", end.name, "master", what[3:])
        elif what == "connected" and end is not None:
            self._ip("", "link", "set", end.name, "up")

    def _neighbourhood(self, where: str, place: look.Place, lost: set[str]) -> None:
        """The kernel's own routes to what an address makes neighbours: gateways are found by them. May be there."""
        import ipaddress

        for name in {route.partition(" dev ")[2].split()[0] for route in lost}:
            for address in place.addresses.get(name, ()):
                one = ipaddress.ip_interface(address)
                way = ("metric", "256") if one.version == 6 else ("scope", "link", "src", str(one.ip))
                words = (str(one.network), "dev", name, "proto", "kernel", *way)
                self._ip(where, f"-{one.version}", "route", "replace", *words)

    def _routes(self, where: str, there: list[str], lost: set[str], should: list[str]) -> None:
        """Make lost routes. Of those to one place at one price the first is taken: what comes later is put behind anew.

        IPv6 takes them by turns, in any order.
        """
        for place in dict.fromkeys(_destination(route) for route in should if route in lost):
            group = [route for route in should if _destination(route) == place]
            now = [route for route in there if route in group]
            moved = False
            for number, route in enumerate(group):
                if route in now and (":" in route or (now[number] == route and not moved)):
                    continue
                moved = True
                family = ("-6",) if ":" in route else ()
                if route in now:
                    self._ip(where, *family, "route", "del", *route.split())
                    now.remove(route)
                self._ip(where, *family, "route", "append", *route.split())
                now.append(route)

    def _add_address(self, where: str, text: str) -> None:
        """There already is success: what was made before it may have brought it."""
        words = text.split()
        if ":" in text:
            self._ip(where, "-6", "address", "replace", *words, "nodad")
        else:
            self._ip(where, "address", "replace", words[0], "brd", "+", *words[1:])

    def _ip(self, where: str, *words: str) -> None:
        path = self._context.find_program("ip") or "/sbin/ip"
        self._command((path, *words), where)

    def _command(self, argv: tuple[str, ...], where: str) -> None:
        command = Command(argv=argv, env={"PATH": self._context.facts.path}, netns=where or None, timeout=30.0)
        outer = self._outside.outer
        if not where and outer is not None:
            command = command.replace(netns=outer.path, binds=outer.binds)
        done = self._context.run_command(command)
        if done.code:
            said = done.stderr.decode(errors="replace").strip()
            raise CommandFailed(f"{' '.join(argv[:4])}: {said}", argv=argv, code=done.code, stderr=said)


def _destination(route: str) -> tuple[str, str, bool]:
    """Where a route leads, at what price, and in which family."""
    words = route.split()
    return words[0], words[-1] if "metric" in words else "", ":" in route


def _serves(folder: str) -> bool:
    return any(len(each) > 1 for each in names.lines(folder).values())


def _set(place: str, path: str, value: str) -> None:
    def work() -> None:
        if place:
            enter_netns(place)
        with open(f"/proc/sys/{path}", "w", encoding="ascii") as file:
            file.write(value)

    in_thread(work) if place else work()


def _script(tool: str, now: listing.Listing, made: laboratory.Made, absent: set[str], doomed: set[str]) -> str:
    """What one tool has to do. A chain of ours that lacks a rule is written anew, others' rules in it last."""
    chains = dict.fromkeys(chain for chain in (*made.rules.rules, *now.rules) if chain.tool == tool)
    tables: dict[str, tuple[list[str], list[str]]] = {}
    for chain in chains:
        new, lines = tables.setdefault(chain.table, ([], []))
        should, there = made.rules.rules.get(chain, ()), now.rules.get(chain, ())
        gone = {rule for rule in there if listing.told(chain, rule) in doomed}
        lacking = [rule for rule in should if listing.told(chain, rule) in absent and rule not in there]
        built_in = picture.is_built_in(chain, made.rules.heads.get(chain, now.heads.get(chain, "")))
        if not built_in and chain not in now.rules:
            head = made.rules.heads[chain]
            if lacking or picture.declared(chain, head) in absent:
                new.append(_declaration(chain, head))
        if built_in:
            lines += _into_built_in(chain, lacking, made)
        elif lacking or gone:
            # A rule that a laboratory has is not yet one that is wanted: its container may be on its way out.
            kept = [rule for rule in should if rule in lacking or rule in there]
            lines += _anew(chain, [*kept, *(rule for rule in there if rule not in should and rule not in gone)])
    return _joined(tool, tables)


def _into_built_in(chain: listing.Chain, lacking: list[str], made: laboratory.Made) -> list[str]:
    first = made.first.get(chain, ())
    before = [f"-I {chain.name} 1 {rule}" for rule in reversed(lacking) if rule in first]
    return [*before, *(f"-A {chain.name} {rule}" for rule in lacking if rule not in first)]


def _anew(chain: listing.Chain, rules: list[str]) -> list[str]:
    if chain.tool == listing.NFT:
        return [f"flush chain {chain.table} {chain.name}", *(listing.told(chain, rule)[4:] for rule in rules)]
    return [f"-F {chain.name}", *(f"-A {chain.name} {rule}" for rule in rules)]


def _declaration(chain: listing.Chain, head: str) -> str:
    if chain.tool == listing.NFT:
        return picture.declared(chain, head)[4:]
    return f"-N {chain.name}"


def _joined(tool: str, tables: dict[str, tuple[list[str], list[str]]]) -> str:
    parts = []
    for table, (new, lines) in tables.items():
        if not new and not lines:
            continue
        if tool == listing.NFT:
            parts += [f"add table {table}", *new, *lines]
        else:
            parts += [f"*{table}", *new, *lines, "COMMIT"]
    return "".join(f"{line}\n" for line in parts)
